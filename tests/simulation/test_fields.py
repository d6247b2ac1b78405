"""Random fields: variance 1 everywhere, width as asked."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.seeds import generator
from betaplus.simulation.fields import SpaceField, gaussian_field, sigma_of_fwhm


def test_variance_is_one_at_the_border_too():
    draws = np.stack(
        [gaussian_field((12, 10, 8), (1.5, 1.5, 1.5), generator(1, i)) for i in range(1500)]
    )
    variance = draws.var(axis=0)
    sampling = np.sqrt(2 / len(draws))
    assert np.abs(variance - 1).max() < 5 * sampling
    for place in ((0, 0, 0), (11, 9, 7), (6, 5, 4)):
        assert variance[place] == pytest.approx(1, abs=4 * sampling)
    # the mean over voxels tests it more sharply; neighbours share about (2 sqrt(pi) 1.5)^3 voxels
    assert variance.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("fwhm", [2.5, 4.0])
def test_autocorrelation_is_a_gaussian_of_root_two_times_the_width(fwhm):
    field = gaussian_field((64, 64, 64), [sigma_of_fwhm(fwhm)] * 3, generator(3))
    spread = np.sqrt(2) * sigma_of_fwhm(fwhm)
    for lag in (1, 2, 3):
        found = np.mean(field[lag:] * field[:-lag]) / np.mean(field**2)
        assert found == pytest.approx(np.exp(-0.5 * (lag / spread) ** 2), abs=0.03)


def test_no_width_is_white_noise():
    field = gaussian_field((40, 40, 40), (0, 0, 0), generator(4))
    assert np.array_equal(field, generator(4).standard_normal((40, 40, 40)))


def test_a_function_of_position_not_of_grid():
    field = SpaceField((-10, -10, -10), (10, 10, 10), 8.0, generator(5))
    coarse = np.meshgrid(*[np.arange(-8, 9, 4.0)] * 3, indexing="ij")
    fine = np.meshgrid(*[np.arange(-8, 9, 2.0)] * 3, indexing="ij")
    assert np.array_equal(field(*coarse), field(*fine)[::2, ::2, ::2])
    assert field(*fine).std() > 0.1
