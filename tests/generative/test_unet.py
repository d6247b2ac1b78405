"""The U-Net: shapes, layout, what it is told, and how far it sees."""

import pytest
import torch
from torch.nn import functional

from betaplus.core.errors import UsageError
from betaplus.generative.unet import UNet, UNetSize, depth_to_space, space_to_depth

SMALL = UNetSize(dimensions=2, widths=(8, 16), blocks=1, embedding=16, context=3)
VOLUME = UNetSize(dimensions=3, widths=(4, 8), blocks=1, embedding=16, channels=2)


def _stirred(size: UNetSize) -> UNet:
    """A network of which no layer is 0."""
    torch.manual_seed(0)
    network = UNet(size)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.2)
    return network


def test_space_to_depth_is_torchs_in_two_dimensions() -> None:
    x = torch.randn(2, 3, 8, 12)
    assert torch.equal(space_to_depth(x, 2), functional.pixel_unshuffle(x, 2))
    assert torch.equal(depth_to_space(space_to_depth(x, 4), 4), x)


def test_space_to_depth_comes_back_in_three_dimensions() -> None:
    x = torch.randn(2, 3, 8, 4, 6)
    cells = space_to_depth(x, 2)
    assert cells.shape == (2, 24, 4, 2, 3)
    assert torch.equal(cells[:, 8:16, 1, 0, 2].flatten(), x[:, 1, 2:4, 0:2, 4:6].flatten())
    assert torch.equal(depth_to_space(cells, 2), x)


@pytest.mark.parametrize("size", [SMALL, VOLUME])
def test_an_untrained_network_gives_0_of_the_right_shape(size: UNetSize) -> None:
    x = torch.randn(2, size.channels, *[16] * size.dimensions)
    out = UNet(size)(x, torch.zeros(2))
    assert out.shape == (2, 1, *[16] * size.dimensions)
    assert torch.count_nonzero(out) == 0


@pytest.mark.parametrize("size", [SMALL, VOLUME])
def test_items_do_not_see_each_other(size: UNetSize) -> None:
    network = _stirred(size)
    x = torch.randn(3, size.channels, *[16] * size.dimensions)
    noise = torch.tensor([-1.0, 0.0, 1.0])
    together = network(x, noise)
    alone = torch.cat([network(x[i : i + 1], noise[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-4 * float(alone.detach().abs().max()))


def test_noise_level_and_context_are_seen() -> None:
    network = _stirred(SMALL)
    x = torch.randn(1, 1, 16, 16)
    plain = network(x, torch.tensor([0.2]))
    assert not torch.allclose(plain, network(x, torch.tensor([0.3])))
    told = network(x, torch.tensor([0.2]), torch.tensor([[0.0, 1.0, 0.0]]))
    assert not torch.allclose(plain, told)
    untold = network(x, torch.tensor([0.2]), torch.zeros(1, 3))
    assert torch.equal(plain, untold)


def test_moving_the_image_by_its_coarsest_cell_moves_what_comes_out() -> None:
    network = _stirred(SMALL)
    x = torch.zeros(1, 1, 64, 64)
    x[..., 28:36, 28:36] = torch.randn(8, 8)
    step = SMALL.multiple
    out, moved = network(x, torch.zeros(1)), network(x.roll(step, -1), torch.zeros(1))
    inner = slice(24, 40)
    there = slice(24 + step, 40 + step)
    assert torch.allclose(out[..., inner, inner], moved[..., inner, there], atol=1e-4)


def test_a_faint_noise_on_a_bright_image_survives_bfloat16() -> None:
    network = _stirred(SMALL)
    seen = []
    network.stem.register_forward_hook(lambda module, inputs, output: seen.append(output))
    noise = 0.004 * torch.randn(1, 1, 16, 16)  # an eighth of a step of bfloat16 at 8
    with torch.autocast("cpu", torch.bfloat16):
        for image in (8.0 + noise, torch.full_like(noise, 8.0)):
            network(image, torch.zeros(1))
    found = (seen[0] - seen[1]).detach()
    zero_bias = functional.conv2d(space_to_depth(noise, 2), network.stem.weight, padding=1).detach()
    assert torch.allclose(found, zero_bias, atol=0.02 * float(zero_bias.abs().max()))


def test_edges_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        UNet(SMALL)(torch.zeros(1, 1, 18, 16), torch.zeros(1))


@pytest.mark.parametrize("wrong", [{"dimensions": 4}, {"widths": ()}, {"blocks": 0}])
def test_sizes_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        UNetSize(**{"dimensions": 2, "widths": (4,), **wrong})
