"""What was taken from a whole tissue comes back, and noise does not."""

import numpy as np
import pytest
import torch

from betaplus.denoising.kept_means import kept_means

VOXEL = (3.0, 3.0, 3.0)
SHAPE = (40, 36, 44)


def _tissues() -> torch.Tensor:
    """Marrow of 5 SUV in struts within muscle of 1 SUV, shape (1, 1, X, Y, Z)."""
    x, y, _ = np.indices(SHAPE)
    marrow = ((x // 4) % 3 == 0) & ((y // 4) % 2 == 0)
    return torch.from_numpy(np.where(marrow, 5.0, 1.0).astype(np.float32))[None, None]


def test_nothing_taken_gives_nothing():
    assert not kept_means(torch.zeros(1, 1, *SHAPE), _tissues(), VOXEL).any()


def test_each_tissue_gets_its_own_back():
    denoised = _tissues()
    taken = torch.where(denoised > 2.0, 0.3, -0.05)
    given = kept_means(taken, denoised, VOXEL)
    assert torch.allclose(given, taken, atol=1e-5)


@pytest.mark.parametrize("voxel", [VOXEL, (1.5, 1.5, 3.0)])
def test_noise_does_not_come_back(voxel):
    denoised = torch.full((1, 1, *SHAPE), 2.0)
    noise = torch.randn((1, 1, *SHAPE), generator=torch.Generator().manual_seed(0))
    given = kept_means(noise, denoised, voxel)
    cells = np.prod(voxel) / (4.0 * np.pi * 18.0**2) ** 1.5  # 1 over voxels averaged
    # Borders cut the neighbourhood, and cells of 12 mm and what is between them widen it.
    assert 0.5 * cells**0.5 < float(given.std()) < 2.5 * cells**0.5


def test_a_slow_change_comes_back_slowly():
    denoised = torch.full((1, 1, *SHAPE), 2.0)
    x = torch.arange(SHAPE[0]).float().reshape(1, 1, -1, 1, 1)
    taken = (0.1 * (1.0 + torch.cos(2 * np.pi * x * 3.0 / 240.0))).expand(1, 1, *SHAPE)
    given = kept_means(taken.contiguous(), denoised, VOXEL)
    inner = (..., slice(12, -12), slice(12, -12), slice(12, -12))
    # A wave of 240 mm through a Gaussian of 18 mm SD keeps exp(-2 (pi 18 / 240)^2) = .89 of it.
    assert torch.allclose(given[inner], taken[inner], atol=0.03)
