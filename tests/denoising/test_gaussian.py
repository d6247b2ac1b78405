"""The Gaussian filter against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from betaplus.core.errors import InputError, UsageError
from betaplus.denoising.gaussian import GaussianSettings, gaussian, matched_fwhm, noise_left

VOXEL = (2.0, 3.0, 1.5)


def test_a_step_becomes_the_normal_distribution():
    for axis, edge in enumerate(VOXEL):
        image = np.zeros((61, 61, 61), np.float32)
        np.moveaxis(image, axis, 0)[30:] = 1.0
        found = np.moveaxis(gaussian(image, 1.0, VOXEL, GaussianSettings(fwhm=12.0)), axis, 0)
        at = (np.arange(61) - 29.5) * edge
        expected = norm.cdf(at / (12.0 / math.sqrt(8 * math.log(2))))
        np.testing.assert_allclose(found[:, 30, 30], expected, atol=5e-3)


def test_a_gaussian_becomes_a_wider_one():
    grids = np.meshgrid(*((np.arange(60) - 30) * e for e in VOXEL), indexing="ij")
    square = sum(g * g for g in grids)
    before, added = 12.0**2, 9.0**2

    def peak(width2):
        return np.exp(-4 * math.log(2) * square / width2) * (before / width2) ** 1.5

    found = gaussian(peak(before), 1.0, VOXEL, GaussianSettings(fwhm=9.0))
    np.testing.assert_allclose(found, peak(before + added), atol=2e-3)


def test_constant_images_and_a_width_of_0_change_nothing():
    image = np.random.default_rng(0).uniform(size=(9, 8, 7)).astype(np.float32)
    np.testing.assert_array_equal(gaussian(image, 1.0, VOXEL, GaussianSettings(fwhm=0.0)), image)
    flat = np.full((9, 8, 7), 2.5, np.float32)
    np.testing.assert_allclose(gaussian(flat, 1.0, VOXEL, GaussianSettings(fwhm=30.0)), flat,
                               rtol=1e-6)  # fmt: skip
    np.testing.assert_array_equal(gaussian(image, 0.0, VOXEL), image)


def test_the_width_follows_the_noise():
    rng = np.random.default_rng(1)
    clean = np.full((40, 40, 40), 3.0)
    noisy = clean + 0.6 * rng.standard_normal(clean.shape)
    cube = (2.0, 2.0, 2.0)
    # (r^2 v L^4)^(1/7) with r = .2, v = 8 mm3, L = 10 mm
    found = matched_fwhm(noisy, 0.6, cube, grain=2.0)
    assert found == pytest.approx((0.04 * 8 * 1e4) ** (1 / 7), rel=1e-3)
    worse = clean + 1.8 * rng.standard_normal(clean.shape)
    found = matched_fwhm(worse, 1.8, cube)
    assert found == pytest.approx((0.36 * 64 * 1e4) ** (1 / 7), rel=0.01)
    found = matched_fwhm(worse, 1.8, (2.0, 2.0, 10.0))
    assert found == pytest.approx((0.36 * 160 * 1e4) ** (1 / 7), rel=0.01)
    chosen = gaussian(noisy, 0.6, cube, GaussianSettings(strength=1.5))
    width = 1.5 * matched_fwhm(noisy, 0.6, cube)
    expected = gaussian(noisy, 0.6, cube, GaussianSettings(fwhm=width))
    np.testing.assert_allclose(chosen, expected, rtol=1e-6)


@pytest.mark.parametrize("grain", [2.0, 6.0])
def test_the_noise_that_is_left_is_what_is_found(grain):
    """White noise for a grain of one voxel, and noise through a Gaussian for a longer one."""
    rng = np.random.default_rng(4)
    cube = (2.0, 2.0, 2.0)
    noise = rng.standard_normal((96, 96, 96)).astype(np.float32)
    if grain > 2:
        own = grain / math.sqrt(4 * math.pi) * math.sqrt(8 * math.log(2))
        noise = gaussian(noise, 1.0, cube, GaussianSettings(fwhm=own))
    found = gaussian(noise, 1.0, cube, GaussianSettings(fwhm=10.0))
    inner = (slice(12, -12),) * 3  # near borders reflected noise counts twice
    left = found[inner].var() / noise[inner].var()
    assert left == pytest.approx(noise_left(cube, 10.0, grain), rel=0.12)
    assert noise_left(cube, 0.0, grain) == 1.0


def test_the_width_is_the_least_error_for_smooth_uptake():
    """Waves of a length: the best strength is about the same at noise 25 times apart in power."""
    rng = np.random.default_rng(2)
    x = np.arange(48) * 2.0
    wave = np.sin(2 * math.pi * x / 64.0)
    clean = 3.0 + wave[:, None, None] * wave[:, None] * wave
    best = []
    for sd in (0.2, 1.0):
        noisy = clean + sd * rng.standard_normal(clean.shape)
        strengths = np.geomspace(0.5, 8.0, 30)
        errors = [
            np.mean((gaussian(noisy, sd, (2.0,) * 3, GaussianSettings(strength=s)) - clean) ** 2)
            for s in strengths
        ]
        best.append(strengths[int(np.argmin(errors))])
    assert 0.8 < best[0] / best[1] < 1.25


def test_masks_and_what_cannot_be_used():
    rng = np.random.default_rng(3)
    image = rng.uniform(size=(9, 8, 7)).astype(np.float32)
    mask = rng.uniform(size=image.shape) < 0.5
    settings = GaussianSettings(fwhm=6.0)
    found = gaussian(image, 1.0, VOXEL, settings, mask=mask)
    whole = gaussian(image, 1.0, VOXEL, settings)
    np.testing.assert_array_equal(found, np.where(mask, whole, image))
    with pytest.raises(InputError, match="one volume"):
        gaussian(image[0], 1.0, VOXEL)
    with pytest.raises(InputError, match="one grid"):
        gaussian(image, np.ones((3, 3, 3)), VOXEL)
    with pytest.raises(InputError, match="mask"):
        matched_fwhm(image, 1.0, VOXEL, mask=np.zeros(image.shape, bool))
    with pytest.raises(UsageError, match="correlated"):
        matched_fwhm(image, 1.0, VOXEL, grain=0.0)
    with pytest.raises(UsageError, match="fwhm"):
        GaussianSettings(fwhm=-1.0)
