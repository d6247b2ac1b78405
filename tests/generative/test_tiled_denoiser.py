"""Tiles against the whole volume: nothing but memory may tell which was used."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from betaplus.generative.denoiser import leading
from betaplus.generative.keyed_noise import keyed_noises
from betaplus.generative.samplers import dpm_solver
from betaplus.generative.schedules import log_levels
from betaplus.generative.tiled_denoiser import TiledDenoiser

SIGMA = torch.tensor(0.5)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def convolution(axes: int, channels: int = 1, layers: int = 2, seed: int = 0) -> nn.Module:
    """Shift-invariant, with a reach of `layers` voxels; zeros beyond the border at each layer."""
    torch.manual_seed(seed)
    make = {2: nn.Conv2d, 3: nn.Conv3d}[axes]
    widths = [channels, *[4] * (layers - 1), channels]
    parts = []
    for i in range(layers):
        parts += [make(widths[i], widths[i + 1], 3, padding=1, bias=False), nn.Tanh()]
    return nn.Sequential(*parts[:-1])


@pytest.mark.parametrize("shape", [(37, 50), (5, 3), (41, 22, 19), (7, 30, 64), (1, 1, 1)])
def test_an_identity_is_exact(shape):
    tiled = TiledDenoiser(denoised=lambda x, s: x, tile=16, overlap=8, multiple=4)
    x = 80 * normal(2, 3, *shape)
    assert torch.equal(tiled(x, SIGMA), x)


@pytest.mark.parametrize("shape", [(61, 44), (33, 20, 41)])
def test_no_seam_where_the_halo_is_as_long_as_the_reach(shape):
    network = convolution(len(shape))
    x = normal(1, 1, *shape)
    tiled = TiledDenoiser(denoised=lambda x, s: network(x), tile=16, overlap=8, halo=2)
    with torch.no_grad():
        whole = network(x)
    torch.testing.assert_close(tiled(x, SIGMA), whole, atol=1e-6, rtol=0.0)
    short = TiledDenoiser(denoised=lambda x, s: network(x), tile=16, overlap=8, halo=0)
    assert (short(x, SIGMA) - whole).abs().max() > 1e-4


def test_no_seam_with_pooling_since_tiles_start_at_its_multiples():
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, stride=4), nn.Tanh(), nn.ConvTranspose2d(4, 1, 4, stride=4)
    )
    x = normal(1, 1, 59, 74)
    tiled = TiledDenoiser(denoised=lambda x, s: network(x), tile=24, overlap=12, multiple=4, halo=4)
    padded = torch.zeros(1, 1, 60, 76)
    padded[..., :59, :74] = x
    with torch.no_grad():
        whole = network(padded)[..., :59, :74]
    torch.testing.assert_close(tiled(x, SIGMA), whole, atol=1e-6, rtol=0.0)


def test_bits_depend_on_neither_batch_nor_threads():
    network = convolution(3, channels=2)
    x, sigma = normal(3, 2, 30, 21, 25), torch.tensor([0.1, 1.0, 7.0])

    def denoised(tile, level):
        assert tile.shape[0] == 1 and level.shape == (1,) and not torch.is_grad_enabled()
        return tile / (1 + leading(level, tile)) + network(tile)

    settings = {"denoised": denoised, "tile": 12, "overlap": 6}
    together = TiledDenoiser(**settings)(x, sigma)
    assert not together.requires_grad
    for threads in (2, 5):
        assert torch.equal(TiledDenoiser(**settings, threads=threads)(x, sigma), together)
    for item in range(3):
        alone = TiledDenoiser(**settings)(x[item : item + 1], sigma[item : item + 1])
        assert torch.equal(alone[0], together[item])


def test_a_condition_is_cut_as_the_volume_is():
    x, low = normal(2, 1, 30, 33), normal(1, 3, 30, 33, seed=1)
    tiled = TiledDenoiser(
        denoised=lambda x, s, c: x + c.sum(1, keepdim=True),
        tile=16, overlap=4, multiple=2, condition=low,
    )  # fmt: skip
    torch.testing.assert_close(tiled(x, SIGMA), x + low.sum(1, keepdim=True))


def test_tiles_are_reported():
    told = []
    tiled = TiledDenoiser(
        denoised=lambda x, s: x, tile=16, overlap=4, threads=2, callback=lambda *a: told.append(a)
    )
    tiled(normal(2, 1, 28, 16), SIGMA)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_error_in_a_tile_is_raised():
    def denoised(x, s):
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        TiledDenoiser(denoised=denoised, tile=8, overlap=2, threads=2)(normal(1, 1, 30, 30), SIGMA)


def test_a_network_in_half_precision_blends_in_the_type_of_x():
    # What it returns depends on the place in the tile, so that neighbours disagree.
    ramp = torch.linspace(0.5, 1.5, 8)
    half = TiledDenoiser(denoised=lambda x, s: (x * ramp).bfloat16(), tile=8, overlap=4)
    full = TiledDenoiser(denoised=lambda x, s: (x * ramp).bfloat16().float(), tile=8, overlap=4)
    x = normal(1, 1, 20, 20)
    assert half(x, SIGMA).dtype == torch.float32
    assert torch.equal(half(x, SIGMA), full(x, SIGMA))


def test_a_sampler_works_on_tiles_as_on_the_whole():
    # With a network of bounded reach the whole draw is that of the whole volume.
    network = convolution(2)

    def denoised(x, sigma):
        share = 1 / (1 + sigma * sigma)
        return share * x + 0.3 * network(share.sqrt() * x)

    def draw(function):
        noises = keyed_noises(1, 0, (0, 0), (45, 38))
        with torch.no_grad():
            return dpm_solver(function, log_levels(8), noises)

    tiled = TiledDenoiser(denoised=denoised, tile=20, overlap=10)
    torch.testing.assert_close(draw(tiled), draw(denoised), atol=1e-5, rtol=0.0)
