"""Slices of a volume against a loop over them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from betaplus.generative.denoiser import leading
from betaplus.generative.slice_denoiser import ORTHOGONAL, SliceDenoiser
from betaplus.generative.tiled_denoiser import TiledDenoiser

SIGMA = torch.tensor(2.0)
X = torch.randn(2, 1, 9, 7, 11, generator=torch.Generator().manual_seed(0))


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Conv2d(1, 1, 3, padding=1)


def looped(function, x: torch.Tensor, axis: int) -> torch.Tensor:
    slices = [
        torch.stack([function(plane[None])[0] for plane in item.unbind(1 + axis)], 1 + axis)
        for item in x
    ]
    return torch.stack(slices)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("microbatch", [1, 4, 100])
def test_slices_against_a_loop(axis, microbatch):
    net, batches = network(), []

    def denoised(x, sigma):
        batches.append(len(x))
        return x + net(x)

    found = SliceDenoiser(denoised=denoised, axes=(axis,), microbatch=microbatch)(X, SIGMA)
    with torch.no_grad():
        expected = X + looped(net, X, axis)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0.0)
    assert set(batches) == {microbatch}


def test_the_average_of_three_orientations():
    nets = [network(seed) for seed in range(3)]
    with torch.no_grad():
        expected = sum(looped(net, X, axis) for axis, net in enumerate(nets)) / 3
    each = tuple(lambda x, s, net=net: net(x) for net in nets)
    found = SliceDenoiser(denoised=each, axes=ORTHOGONAL)(X, SIGMA)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0.0)
    same = SliceDenoiser(denoised=lambda x, s: x, axes=ORTHOGONAL)(X, SIGMA)
    torch.testing.assert_close(same, X, atol=1e-6, rtol=1e-6)
    with pytest.raises(ValueError):
        SliceDenoiser(denoised=each[:2], axes=ORTHOGONAL)(X, SIGMA)


def test_bits_do_not_depend_on_the_batch():
    net = network()
    settings = {"denoised": lambda x, s: net(x) / leading(s, x), "axes": (1,), "microbatch": 4}
    sigma = torch.tensor([0.5, 3.0])
    both = SliceDenoiser(**settings)(X, sigma)
    alone = SliceDenoiser(**settings)(X[1:], sigma[1:])
    assert torch.equal(both[1:], alone)
    torch.testing.assert_close(
        SliceDenoiser(**settings)(X, SIGMA) * 2, both * sigma.view(2, 1, 1, 1, 1)
    )


@pytest.mark.parametrize(("padding", "value"), [("zeros", 0.0), ("edge", 1.0)])
def test_odd_images_are_padded_and_cut_again(padding, value):
    seen = []

    def denoised(x, sigma):
        seen.append(x)
        return x

    ones = torch.ones(1, 2, 5, 6, 7)
    settings = {"multiple": 4, "padding": padding, "axes": (0,), "microbatch": 5}
    found = SliceDenoiser(denoised=denoised, **settings)(ones, SIGMA)
    assert torch.equal(found, ones)
    assert seen[0].shape == (5, 2, 8, 8)
    assert torch.all(seen[0][..., 6:, :7] == value) and torch.all(seen[0][..., :6, 7:] == value)


def test_a_condition_is_sliced_as_the_volume_is():
    low = torch.randn(1, 3, 9, 7, 11, generator=torch.Generator().manual_seed(1))
    found = SliceDenoiser(
        denoised=lambda x, s, c: x + c.sum(1, keepdim=True), axes=ORTHOGONAL, condition=low
    )(X, SIGMA)
    torch.testing.assert_close(found, X + low.sum(1, keepdim=True))


def test_slices_of_tiles():
    net = network()
    tiled = TiledDenoiser(denoised=lambda x, s: net(x), tile=6, overlap=2, halo=1)
    one = SliceDenoiser(denoised=tiled, axes=(0,))(X, SIGMA)
    other = SliceDenoiser(denoised=lambda x, s: net(x), axes=(0,))(X, SIGMA)
    torch.testing.assert_close(one, other, atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("microbatch", [1, 4, 100])
def test_a_slice_is_taken_from_the_middle_of_its_slab(axis, microbatch):
    def denoised(x, sigma):
        means = x.mean(1, keepdim=True).expand(-1, 3, -1, -1)
        return means + 100.0 * torch.arange(3.0)[None, :, None, None]

    slabs = SliceDenoiser(denoised=denoised, axes=(axis,), microbatch=microbatch, slab=3)
    found = slabs(X, SIGMA).movedim(2 + axis, 0)
    planes = X.movedim(2 + axis, 0)
    n = len(planes)
    for i in range(n):
        first = min(max(i - 1, 0), n - 3)
        expected = planes[first : first + 3].mean(0) + 100.0 * (i - first)
        torch.testing.assert_close(found[i], expected)
    with pytest.raises(ValueError, match="2 slices for slabs of 3"):
        SliceDenoiser(denoised=denoised, axes=(1,), slab=3)(X[:, :, :, :2], SIGMA)
