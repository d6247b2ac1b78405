"""Gaussians as matrices against scipy, and the statistics of fields."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from betaplus.core.seeds import generator
from betaplus.simulation.dual_study.noise import noise_fields
from betaplus.simulation.dual_study.smoothing import Smoothing, margin_of, smooth_field
from betaplus.simulation.fields import sigma_of_fwhm

VOXEL = (2.5, 2.5, 3.0)


@pytest.mark.parametrize("shape", [(7, 9, 11), (12, 10, 1)])
def test_smoothing_is_scipys_and_keeps_the_mean(shape: tuple[int, int, int]) -> None:
    smooth = Smoothing(shape, VOXEL, 6.0)
    assert smooth.margin == margin_of(VOXEL, 6.0) == (4, 4, 3)
    size = [n + 2 * m for n, m in zip(shape, smooth.margin, strict=True)]
    image = generator(1).uniform(size=(*size, 3))
    sigma = [sigma_of_fwhm(6.0) / v for v in VOXEL]
    inner = tuple(slice(m, -m) for m in smooth.margin)
    for t in range(3):
        wanted = gaussian_filter(image[..., t], sigma, radius=smooth.margin)[inner]
        np.testing.assert_allclose(smooth(image)[..., t], wanted, rtol=1e-5)
    np.testing.assert_allclose(smooth(np.ones((*size, 2))), 1.0, rtol=1e-5)


def test_no_width_changes_nothing() -> None:
    image = generator(2).uniform(size=(4, 5, 6, 2)).astype(np.float32)
    smooth = Smoothing((4, 5, 6), VOXEL, 0.0)
    assert smooth.margin == (0, 0, 0)
    np.testing.assert_array_equal(smooth(image), image)


def test_noise_has_variance_one_everywhere_and_the_correlation_of_its_kernel() -> None:
    shape, fwhm, frames = (6, 5, 4), 6.0, 4000
    noise = noise_fields(shape, VOXEL, frames, fwhm, seed=1, item=2, draw=3)
    assert noise.shape == (*shape, frames) and noise.dtype == np.float32
    variance = noise.var(axis=-1)
    assert np.abs(variance - 1.0).max() < 5.0 * np.sqrt(2.0 / frames)  # corners too
    assert abs(noise.mean()) < 0.02
    sigma = sigma_of_fwhm(fwhm)
    for axis, edge in enumerate(VOXEL):
        a, b = (np.moveaxis(noise, axis, 0)[s] for s in (slice(None, -1), slice(1, None)))
        assert (a * b).mean() == pytest.approx(np.exp(-(edge**2) / (4 * sigma**2)), abs=0.02)
    assert abs((noise[..., 1:] * noise[..., :-1]).mean()) < 0.02  # frames are independent
    other = noise_fields(shape, VOXEL, frames, fwhm, seed=1, item=2, draw=4)
    assert abs((noise * other).mean()) < 0.02


def test_a_smooth_field_has_variance_one_and_its_width() -> None:
    shape, fwhm = (14, 3, 3), 12.0
    fields = np.stack([smooth_field(shape, VOXEL, fwhm, generator(i)) for i in range(3000)])
    assert np.abs(fields.var(axis=0) - 1.0).max() < 5.0 * np.sqrt(2.0 / 3000)
    sigma = sigma_of_fwhm(fwhm)
    for lag in (1, 3, 6):
        found = (fields[:, lag:] * fields[:, :-lag]).mean()
        assert found == pytest.approx(np.exp(-((lag * 2.5) ** 2) / (4 * sigma**2)), abs=0.03)
