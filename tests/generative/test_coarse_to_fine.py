"""A denoiser of averaged images where the noise is large."""

import pytest
import torch

from betaplus.generative.coarse_to_fine import CoarseToFine
from betaplus.generative.samplers import dpm_solver
from betaplus.generative.schedules import karras_levels

MEAN, SD = 3.0, 2.0


def _of_constants(voxels: int):
    """E[c | x] for images that are a constant c of N(MEAN, SD^2), with white noise."""

    def denoised(x, sigma):
        axes = tuple(range(1, x.ndim))
        precision = voxels / sigma**2
        mean = (x.mean(axes, keepdim=True) * precision + MEAN / SD**2) / (precision + SD**-2)
        return mean.expand_as(x)

    return denoised


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 8)])
def test_both_say_the_same_of_constants(shape):
    n = 8 ** len(shape)
    pair = CoarseToFine(
        fine=_of_constants(n), coarse=_of_constants(n // 4 ** len(shape)), pool=4, switch=1.0
    )
    x = MEAN + 5.0 * torch.randn((3, 1, *shape), generator=torch.Generator().manual_seed(0))
    for sigma in (0.5, 5.0):
        found = pair(x, torch.tensor(sigma))
        assert torch.allclose(found, pair.fine(x, torch.tensor(sigma)), atol=1e-4)


def test_draws_have_the_moments_of_the_data():
    pair = CoarseToFine(fine=_of_constants(64), coarse=_of_constants(4), pool=4, switch=2.5)
    levels = karras_levels(40, sigma_min=0.01)
    generator = torch.Generator().manual_seed(1)
    sigma = levels[0].float()
    start = sigma * torch.randn((4000, 1, 8, 8), generator=generator)
    for _ in range(8):
        start = pair(start, sigma) + sigma * torch.randn(start.shape, generator=generator)
    drawn = dpm_solver(pair, levels, [], start=start).mean((1, 2, 3))
    # Each noising anew forgets (sigma / 8)^2 of its start beside SD^2; what is left is small.
    assert float(drawn.mean()) == pytest.approx(MEAN, abs=0.25)
    assert float(drawn.std()) == pytest.approx(SD, rel=0.1)


def test_small_noise_is_the_fine_ones():
    calls = []
    pair = CoarseToFine(
        fine=lambda x, sigma: calls.append("fine") or x,
        coarse=lambda x, sigma: calls.append((tuple(x.shape), float(sigma))) or x,
        pool=2,
        switch=1.0,
    )
    x = torch.zeros(1, 1, 8, 8)
    pair(x, torch.tensor(1.0))
    pair(x, torch.tensor(3.0))
    assert calls == ["fine", ((1, 1, 4, 4), 1.5)]
