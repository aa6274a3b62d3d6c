"""`sedas-node bundle`: what a bundle says of itself, and one made of a checkpoint trained elsewhere."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from inference.bundle import Bundle, Card, load_bundle

cli = typer.Typer(help="Show a classifier's bundle, or make one of a checkpoint.", no_args_is_help=True)
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # of batch norms, which nobody trains


class CannotImport(ValueError):
    """A checkpoint that makes no bundle, in words."""


@cli.command()
def show(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With bundle.json and model.safetensors.")],
) -> None:
    """Say what a bundle is: network, preprocessing, figures, calibration, limits, digests."""
    bundle = load_bundle(folder)
    console = Console(highlight=False, markup=False)
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name, text in _described(bundle):
        table.add_row(name, text)
    console.print(table)


@cli.command("import")
def import_(
    checkpoint: Annotated[Path, typer.Argument(help="Of torch (no code in it is run), or .safetensors.")],
    out: Annotated[Path, typer.Option(help="A new folder for the bundle.")],
    card: Annotated[Path, typer.Option(help="TOML: what bundle.json holds, without the weights' digest.")],
    key_map: Annotated[Path | None, typer.Option(help="TOML: from their names of weights to ours.")] = None,
    two_logits: Annotated[
        bool, typer.Option("--two-logits", help="The head has two logits; the second is PIMA's.")
    ] = False,
) -> None:
    """Make a bundle of a checkpoint that was trained elsewhere; what does not fit is named."""
    from inference.foreign_weights import BadWeights
    from inference.training.foreign import import_bundle, read_card
    from inference.training.key_map import BadKeyMap, KeyMap, read_key_map

    try:
        names = read_key_map(key_map) if key_map else KeyMap()
        import_bundle(checkpoint, out, read_card(card), names, two_logits=two_logits)
    except (BadKeyMap, BadWeights) as error:
        raise CannotImport(str(error)) from error
    Console(highlight=False, soft_wrap=True).print(f"finished: sedas-node bundle show {out}")


def _described(bundle: Bundle) -> Iterator[tuple[str, str]]:
    card = bundle.card
    yield "name", f"{card.name} {card.version}, {card.manufacturer}, licence {card.licence}"
    yield "intended use", card.intended_use
    yield "statements", "\n".join(card.statements)
    yield "network", _network(card, parameters(bundle.weights))
    yield "preprocessing", card.preprocessing.statement
    yield "training data", card.training_data
    yield "decision", f"PIMA from a probability of {card.threshold:.3g} up"
    yield "calibration", card.calibration.statement if card.calibration else "none"
    yield (
        "figures",
        "\n".join(
            f"{m.name}: {m.value:.3f} ({m.low:.3f} to {m.high:.3f}, 95 %), {m.patients} patients"
            for m in card.metrics
        )
        or "none",
    )
    yield "limits", "\n".join(card.limits)
    yield "digest", f"{bundle.digest} (bundle.json)\n{card.weights_sha256} (model.safetensors)"


def _network(card: Card, trained: int) -> str:
    made = card.architecture
    attention = {
        "none": "without attention",
        "se": f"squeeze-and-excitation (reduction {made.reduction})",
        "das": "dynamic attention (DAS)",
        "cbam": f"CBAM (reduction {made.reduction})",
        "se_das": f"squeeze-and-excitation (reduction {made.reduction}) and dynamic attention (DAS) in parallel,"
        f" their {made.fusion}",
    }[made.attention]
    return (
        f"ResNet of {sum(made.layers)} bottleneck blocks ({', '.join(map(str, made.layers))}), width {made.width},"
        f" strides {', '.join(map(str, made.strides))}, {made.channels} channel(s) in; {attention};"
        f" {trained:,} parameters"
    )


def parameters(weights: Path) -> int:
    """How many numbers were trained, from the header of the safetensors file alone."""
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(
        math.prod(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and not name.endswith(_STATISTICS)
    )
