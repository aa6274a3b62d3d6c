import pytest
import torch
from torch import nn
from torch.nn import functional

from inference.attention import Cbam, DynamicAttention, Fusion, SeDas, SqueezeExcitation


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
    assert torch.allclose(module(x), expected[fusion], atol=1e-6)


@pytest.mark.parametrize(("fusion", "scale"), [(Fusion.SUM, 1.0), (Fusion.MAX, 0.5), (Fusion.MEAN, 0.5)])
def test_gates_of_zero_scale_by_one_half_each(fusion: Fusion, scale: float) -> None:
    x = torch.randn(2, 32, 8, 8)
    module = SeDas(32, fusion=fusion)
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(module(x), scale * x)


def test_cbam_weighs_channels_and_then_places_of_what_is_left() -> None:
    x = torch.randn(2, 32, 9, 9)
    module = Cbam(32)
    mean, largest = (
        module.excite(torch.relu(module.squeeze(pooled))) for pooled in (x.mean((2, 3)), x.amax((2, 3)))
    )
    left = x * torch.sigmoid(mean + largest)[:, :, None, None]
    summary = torch.stack([left.mean(1), left.amax(1)], dim=1)
    places = torch.sigmoid(functional.conv2d(summary, module.gate.weight, padding=3))
    assert places.std() > 0
    assert torch.allclose(module(x), left * places, atol=1e-6)


@pytest.mark.parametrize("module", [SqueezeExcitation, SeDas, Cbam])
def test_few_channels_still_have_one_to_squeeze_to(
    module: type[SqueezeExcitation] | type[SeDas] | type[Cbam],
) -> None:
    assert module(8, reduction=16)(torch.rand(1, 8, 2, 2)).shape == (1, 8, 2, 2)


@pytest.mark.parametrize("fusion", Fusion)
def test_it_trains_with_the_gradients_of_what_it_computes_in_service(fusion: Fusion) -> None:
    x = torch.randn(2, 8, 5, 6, dtype=torch.float64, requires_grad=True)
    module = SeDas(8, reduction=2, fusion=fusion).double()
    variables = (x, *module.parameters())
    out = torch.randn(2, 8, 5, 6, dtype=torch.float64)
    training = torch.autograd.grad(module.train()(x), variables, out)
    service = torch.autograd.grad(module.eval()(x), variables, out)
    for ours, expected in zip(training, service, strict=True):
        assert torch.allclose(ours, expected, rtol=1e-12, atol=1e-12)
