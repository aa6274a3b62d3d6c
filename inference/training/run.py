"""What a training was begun with, kept in its folder: another recipe or dataset cannot go on with it."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from inference.training.durable import write_whole
from inference.training.recipe import Recipe

RUN = "run.json"
_FREE: dict[str, Any] = {  # what changes no weight: where things lie, and who reads
    "dataset": True,
    "out": True,
    "hardware": {"workers"},
}


class OtherTraining(ValueError):
    """A folder holds another training than the one that is to go on there."""


class Run(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe
    dataset_digest: str


def claim(folder: Path, run: Run, *, begun: bool) -> None:
    """Notes with what a training begins; one of which an epoch has ended must go on with the same."""
    path = folder / RUN
    if not begun:
        write_whole(path, lambda partial: partial.write_text(run.model_dump_json(indent=2) + "\n"))
        return
    if changes := _changes(_facts(_begun(path)), _facts(run)):
        raise OtherTraining(
            f"{folder}: begun with another recipe or dataset: {'; '.join(changes)}. Take it back, or name"
            " another folder (out)"
        )


def _begun(path: Path) -> Run:
    try:
        return Run.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise OtherTraining(
            f"{path.parent}: holds a training, and not what it was begun with ({RUN})"
        ) from None
    except ValidationError as error:
        raise OtherTraining(
            f"{path}: of another version or damaged: {error.error_count()} mistakes"
        ) from None


def _facts(run: Run) -> dict[str, Any]:
    facts = run.recipe.model_dump(mode="json", exclude=_FREE)
    return _flat({**facts, "dataset digest": run.dataset_digest[:12]})


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [f"{name} was {before[name]} and is {now[name]}" for name in before if before[name] != now[name]]
