import pytest
import torch

from inference.bundle import Architecture
from inference.network import build
from inference.training.optimiser import optimiser_for, share_of_rate
from inference.training.recipe import Optimiser


@pytest.mark.parametrize(
    ("epochs", "share"), [(0.25, 0.125), (1.0, 0.5), (2.0, 1.0), (6.0, 0.5), (10.0, 0.0), (11.0, 0.0)]
)
def test_the_rate_warms_up_and_falls_as_a_cosine(epochs: float, share: float) -> None:
    numbers = Optimiser(epochs=10, warm_up_epochs=2.0)
    assert share_of_rate(epochs, numbers) == pytest.approx(share)


@pytest.mark.parametrize(("epochs", "share"), [(0.5, 0.5), (1.0, 1.0), (10.0, 1.0)])
def test_a_constant_rate_stays_after_the_warm_up(epochs: float, share: float) -> None:
    assert share_of_rate(epochs, Optimiser(epochs=10, schedule="constant")) == share


def test_without_a_warm_up_it_begins_in_full() -> None:
    assert share_of_rate(0.0, Optimiser(warm_up_epochs=0.0)) == 1.0


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_head_and_attention_have_their_own_rate_and_nothing_is_left_out(kind: str) -> None:
    network = build(Architecture(layers=(1, 1, 1, 1), width=4))
    optimiser = optimiser_for(
        network, Optimiser.model_validate({"kind": kind, "rate": 0.1, "head_rate": 0.2})
    )
    own = {id(value) for name, value in network.named_parameters() if "attention" in name or "fc" in name}
    body, head = optimiser.param_groups
    assert (body["lr"], head["lr"]) == (0.1, 0.2)
    assert {id(value) for value in head["params"]} == own
    assert len(body["params"]) + len(own) == len(list(network.parameters()))
    assert isinstance(optimiser, torch.optim.AdamW if kind == "adamw" else torch.optim.SGD)
