import pytest
import torch

from inference.attention import DynamicAttention, Fusion, SeDas, SqueezeExcitation


def test_squeeze_excitation_weighs_each_channel_alike_at_every_place() -> None:
    x = torch.rand(2, 32, 8, 8) + 0.1
    weights = SqueezeExcitation(32)(x) / x
    assert torch.allclose(weights, weights.mean(dim=(2, 3), keepdim=True).expand_as(weights), atol=1e-6)
    assert ((weights > 0) & (weights < 1)).all()


def test_dynamic_attention_weighs_each_place_alike_in_every_channel() -> None:
    x = torch.rand(2, 32, 8, 8) + 0.1
    weights = DynamicAttention(32)(x) / x
    assert torch.allclose(weights, weights.mean(dim=1, keepdim=True).expand_as(weights), atol=1e-6)
    assert weights.std() > 0


@pytest.mark.parametrize("fusion", Fusion)
def test_both_branches_see_the_same_input(fusion: Fusion) -> None:
    x = torch.randn(2, 32, 8, 8)
    module = SeDas(32, fusion=fusion)
    both = module.se(x), module.das(x)
    expected = {
        Fusion.SUM: both[0] + both[1],
        Fusion.MAX: torch.maximum(*both),
        Fusion.MEAN: (both[0] + both[1]) / 2,
    }
    assert torch.equal(module(x), expected[fusion])


def test_few_channels_still_have_one_to_squeeze_to() -> None:
    assert SqueezeExcitation(8, reduction=16)(torch.rand(1, 8, 2, 2)).shape == (1, 8, 2, 2)
