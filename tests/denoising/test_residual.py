"""Robust scales and the largest score of noise, against noise whose SD and widths are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from betaplus.denoising.local_scale import local_scale
from betaplus.denoising.residual import largest_score, resels, smoothed
from betaplus.simulation.fields import gaussian_field, sigma_of_fwhm

VOXEL = (3.0, 3.0, 3.0)


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x, np.float32))[None, None]


def test_local_scale_follows_the_noise_and_not_what_stands_out() -> None:
    rng = np.random.default_rng(0)
    shape = (60, 50, 44)
    ramp = np.linspace(0.5, 2.0, shape[0])[:, None, None] * np.ones(shape)
    noise = ramp * rng.standard_normal(shape)
    noise[28:32, 22:27, 20:24] += 40.0
    everywhere = torch.ones(1, 1, *shape, dtype=torch.bool)
    found = local_scale(tensor(noise), everywhere, VOXEL, 20.0)[0, 0].numpy()
    ratio = found / ramp
    assert np.abs(ratio[10:-10] - 1).max() < 0.12
    assert np.abs(ratio.mean() - 1) < 0.03


def test_local_scale_outside_the_mask_does_not_count() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((40, 40, 40))
    noise[20:] *= 100.0
    mask = torch.zeros(1, 1, 40, 40, 40, dtype=torch.bool)
    mask[:, :, :20] = True
    found = local_scale(tensor(noise), mask, VOXEL, 15.0)
    assert float((found[:, :, :20] - 1).abs().max()) < 0.15
    nothing = local_scale(tensor(np.zeros((12, 12, 12))), mask[:, :, :12, :12, :12], VOXEL, 15.0)
    assert not nothing.any()


def test_scale_on_another_grid_of_the_same_field_of_view() -> None:
    noise = tensor(np.random.default_rng(2).standard_normal((48, 40, 44)))
    mask = torch.ones_like(noise, dtype=torch.bool)
    found = local_scale(noise, mask, (1.65,) * 3, 30.0, (24, 20, 22))
    assert found.shape == (1, 1, 24, 20, 22)
    assert float((found - 1).abs().max()) < 0.1


def test_smoothed_as_scipy() -> None:
    image = np.random.default_rng(3).random((20, 25, 18)).astype(np.float32)
    found = smoothed(tensor(image), (3.0, 2.0, 4.0), 9.0)[0, 0].numpy()
    sigma = [sigma_of_fwhm(9.0) / v for v in (3.0, 2.0, 4.0)]
    np.testing.assert_allclose(found, gaussian_filter(image, sigma, mode="nearest"), atol=2e-3)


def test_resels_and_the_largest_of_gaussian_fields() -> None:
    # Noise through a Gaussian of FWHM w has, as a field, that width in Worsley's sense.
    width, shape, fields = 12.0, (44, 44, 44), 60
    sigma = [sigma_of_fwhm(width) / 3.0] * 3
    mask = torch.ones(1, 1, *shape, dtype=torch.bool)
    rng = np.random.default_rng(4)
    largest, counts = [], []
    for _ in range(fields):
        z = tensor(gaussian_field(shape, sigma, rng))
        counts.append(resels(z, mask))
        largest.append(float(z.max()))
    expected = np.prod(shape) * 27.0 / width**3
    assert np.mean(counts) == pytest.approx(expected, rel=0.12)
    limit = largest_score(expected, 0.3)
    above = np.mean(np.array(largest) > limit)
    # The volume's faces add a little to the expectation; 3 binomial SDs of 60 fields are 0.18.
    assert 0.12 <= above <= 0.5


def test_largest_score_solves_its_equation() -> None:
    u = largest_score(1000.0, 0.01)
    expected = 1000.0 * (4 * np.log(2)) ** 1.5 / (2 * np.pi) ** 2 * (u**2 - 1) * np.exp(-(u**2) / 2)
    assert expected == pytest.approx(0.01, rel=1e-4)
    assert largest_score(1e5, 0.01) > u > largest_score(1e3, 0.1)
