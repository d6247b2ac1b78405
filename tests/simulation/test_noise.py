"""Image noise: marginal standard deviation of the model, width of its correlation, dose."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.physics.noise import noise_gain
from betaplus.simulation.fields import sigma_of_fwhm
from betaplus.simulation.noise import add_image_noise, noise_at_dose, noise_sd


def test_sd_is_the_formula_of_the_noise_model():
    frames = FrameTiming([0.0, 600.0], [10.0, 300.0])
    clean = np.array([[2000.0, 30000.0], [-5.0, 0.0]])
    sd = noise_sd(clean, 5.0, noise_gain(frames, 6584.04), 40.0)
    lam = np.log(2) / 6584.04
    for frame, (start, length) in enumerate(((0, 10), (600, 300))):
        t = np.linspace(start, start + length, 200_001)
        factor = 1 / np.mean(np.exp(-lam * t))
        expected = 5.0 * np.sqrt((clean[0, frame] + 40.0) * factor / (length / 60))
        assert sd[0, frame] == pytest.approx(expected, rel=1e-6)
    assert sd[1] == pytest.approx(noise_sd(np.zeros(2), 5.0, noise_gain(frames, 6584.04), 40.0))


def test_marginal_sd_is_sigma_whatever_the_correlation():
    sd = np.linspace(1.0, 9.0, 1000).reshape(10, 10, 10)
    draws = [
        add_image_noise(np.zeros_like(sd), sd, frame, (2, 2, 2), 5.0, 11) for frame in range(1200)
    ]
    ratio = np.std(draws, axis=0) / sd
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(2 * len(draws))
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert np.abs(np.mean(draws, axis=0) / sd).max() < 5 / np.sqrt(len(draws))


def test_correlation_is_positive_and_as_wide_as_asked():
    shape, fwhm, voxel = (60, 60, 60), 5.0, 2.0
    noise = add_image_noise(np.zeros(shape), np.ones(shape), 0, (voxel,) * 3, fwhm, 3)
    for axis in range(3):
        n = np.moveaxis(noise, axis, 0)
        one, two = np.mean(n[1:] * n[:-1]), np.mean(n[2:] * n[:-2])
        assert one > two > 0.2
        found = np.sqrt(8 * np.log(2)) * np.sqrt(-0.25 * voxel**2 / np.log(one))
        assert found == pytest.approx(fwhm, rel=0.05)
        assert two == pytest.approx(np.exp(-((voxel / sigma_of_fwhm(fwhm)) ** 2)), abs=0.03)


def test_frames_and_seeds_are_independent():
    zero, one = np.zeros((16, 16, 16)), np.ones((16, 16, 16))
    draws = [
        add_image_noise(zero, one, frame, (2, 2, 2), 5.0, seed)
        for seed in (0, 1)
        for frame in (0, 1)
    ]
    table = np.corrcoef([d.ravel() for d in draws])
    assert np.abs(table - np.eye(4)).max() < 0.3
    again = add_image_noise(zero, one, 1, (2, 2, 2), 5.0, 1)
    assert np.array_equal(again, draws[3])


def test_a_quarter_of_the_dose_doubles_the_noise():
    assert noise_at_dose(5.0, 0.25) == pytest.approx(10.0)
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(UsageError, match="dose fraction"):
            noise_at_dose(5.0, bad)
