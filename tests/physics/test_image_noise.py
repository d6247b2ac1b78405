"""Noise in the voxels of images against closed forms, scipy and noise that was put in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import chi

from betaplus.physics.image_noise import NoiseCorrelation, chi_mean, masked_mean, not_air

VOXEL = (3.0, 4.0, 5.0)


@pytest.mark.parametrize("freedom", [1, 2, 6, 40])
def test_mean_of_a_chi_variable(freedom: int) -> None:
    assert chi_mean(freedom) == pytest.approx(chi(freedom).mean(), rel=1e-12)


def test_a_masked_mean_of_a_constant_is_the_constant() -> None:
    mask = np.zeros((16, 14, 12), bool)
    mask[4:12, 3:10, 2:9] = True
    x = np.where(mask, 2.5, np.nan)  # what is outside is not looked at
    np.testing.assert_allclose(masked_mean(x, mask, VOXEL, 15.0)[mask], 2.5, rtol=1e-5)
    assert np.array_equal(masked_mean(x, mask, VOXEL, 0.0), np.where(mask, 2.5, 0.0))


def test_weights_of_a_masked_mean_are_relative() -> None:
    x = np.random.default_rng(0).random((10, 10, 10))
    weight = np.random.default_rng(1).random(x.shape)
    one, two = (masked_mean(x, scale * weight, VOXEL, 12.0) for scale in (1.0, 40.0))
    np.testing.assert_allclose(one, two, rtol=1e-5)


def test_air_is_told_from_tissue_at_any_scale() -> None:
    place = np.indices((24, 24, 24)) - 11.5
    ball = (place**2).sum(0) < 8.0**2
    everywhere = np.ones(ball.shape, bool)
    for scale in (1.0, 1e4):
        static = scale * np.where(ball, 2.0, 0.01)
        found = not_air(static, everywhere, (4.0, 4.0, 4.0), lambda x: float(np.max(x)))
        assert found[ball].all() and found.mean() < 0.5
    nothing = np.zeros(ball.shape)
    assert np.array_equal(not_air(nothing, ball, (4.0, 4.0, 4.0), np.max), ball)


@pytest.mark.parametrize("sigma", [(0.0, 0.0, 0.0), (3.0, 4.0, 5.0), (4.5, 2.4, 6.0)])
def test_correlation_is_that_of_the_filter(sigma: tuple[float, float, float]) -> None:
    shape = (48, 48, 48)
    steps = [s / v for s, v in zip(sigma, VOXEL, strict=True)]
    noise = gaussian_filter(np.random.default_rng(2).standard_normal(shape), steps, mode="wrap")
    sd = np.full(shape, noise.std())
    found = NoiseCorrelation.of(noise, sd, np.ones(shape, bool), VOXEL)
    np.testing.assert_allclose(found.sigma, sigma, rtol=0.1)
    # the sum of exp(-d^2 / 4 sigma^2) over all steps d of an axis
    d = np.arange(-40, 41)
    alone = [1.0 if s == 0.0 else np.exp(-((d / (2 * s)) ** 2)).sum() for s in steps]
    assert found.voxels == pytest.approx(math.prod(alone), rel=0.2)
    assert found.fwhm == pytest.approx(2.3548 * np.mean(sigma), rel=0.1)


def test_a_wrong_sd_does_not_pass_for_correlation() -> None:
    rng = np.random.default_rng(3)
    shape = (40, 40, 40)
    wrong = gaussian_filter(rng.standard_normal(shape), 4.0)
    white = rng.standard_normal(shape) * np.exp(wrong / wrong.std())
    found = NoiseCorrelation.of(white, np.ones(shape), np.ones(shape, bool), VOXEL)
    assert found.sigma == (0.0, 0.0, 0.0)
    assert found.voxels == 1.0
