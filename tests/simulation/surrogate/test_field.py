"""Spectrum, marginals and the bank of filtered noise, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from betaplus.simulation.surrogate.field import NoiseBank
from betaplus.simulation.surrogate.marginal import factors, total_sd
from betaplus.simulation.surrogate.spectrum import amplitude, back_projected, frequencies
from betaplus.simulation.surrogate.style import ScanStyle

STYLE = ScanStyle(name="test", counts=1e5, resolution=5.0, updates=30, acceptance=0.0, oblique=0.0)
VOXEL = (4.0, 4.0, 4.0)
SHAPE = (36, 36, 36)


def bank(sectors: int, low: float = 1e-3, high: float = 2e-2) -> NoiseBank:
    return NoiseBank(SHAPE, VOXEL, STYLE, (low, high), sectors)


@pytest.mark.parametrize("place", [0.0, 0.5, 1.3])
@pytest.mark.parametrize("sectors", [1, 3])
def test_the_field_has_the_sd_asked_for(place: float, sectors: int) -> None:
    """Between two filters too, and summed over sectors."""
    made = bank(sectors)
    sd = [np.full(SHAPE, 1.0 / np.sqrt(sectors), np.float32)] * sectors
    at = [np.full(SHAPE, place, np.float32)] * sectors
    values = [made.draw(sd, at, np.random.default_rng(n)) for n in range(12)]
    assert np.std(values) == pytest.approx(1.0, rel=0.03)
    assert abs(np.mean(values)) < 0.05


def test_variances_of_sectors_add_to_that_of_one() -> None:
    one, three = bank(1), bank(3)
    np.testing.assert_allclose(three.variance.sum(0), one.variance[0], rtol=1e-6)


def test_variance_is_the_integral_of_the_spectrum() -> None:
    made = bank(1, 5e-3, 5e-3)
    rng = np.random.default_rng(0)
    f = rng.uniform(-0.125, 0.125, (400_000, 3))  # Monte Carlo over the band of the grid
    h = back_projected(tuple(f.T), VOXEL, STYLE)
    v = amplitude(h, 5e-3, STYLE.updates) ** 2
    assert made.variance[0, 0] == pytest.approx(v.mean() / 4.0**3, rel=0.03)


def test_limits_of_the_spectrum() -> None:
    h = np.array([1.0, 10.0])
    np.testing.assert_allclose(amplitude(h, 0.0, 20) ** 2, 400.0 * h)
    np.testing.assert_allclose(amplitude(h, 0.05, 10_000) ** 2, 1.0 / (0.05**2 * h), rtol=1e-3)


def test_back_projection_is_one_over_the_frequency() -> None:
    f = tuple(np.array(v) for v in ([0.02, 0.0], [0.0, 0.02], [0.0, 0.1]))
    fine = (0.01, 0.01, 0.01)
    np.testing.assert_allclose(back_projected(f, fine, STYLE), 1.0 / (np.pi * 0.02), rtol=2e-3)


def test_oblique_lines_average_over_their_directions() -> None:
    """Against a Monte Carlo mean of the delta function over directions of a narrow cone."""
    tangent, fx, fz = 0.3, 0.02, 0.1
    rng = np.random.default_rng(1)
    t = rng.uniform(-tangent, tangent, 2_000_000)
    phi = rng.uniform(0.0, np.pi, t.size)
    along = fx * np.cos(phi) + fz * t
    width = 2e-4
    expected = np.mean(np.abs(along) < width) / (2.0 * width)
    style = STYLE.replace(acceptance=tangent)
    fine = (0.01, 0.01, 0.01)
    found = back_projected((np.array(fx), np.array(0.0), np.array(fz)), fine, style)
    assert float(found) == pytest.approx(expected, rel=0.03)


def test_time_of_flight_limits_low_frequencies() -> None:
    """The mean over directions of exp(-(2 pi sigma f cos)^2), times 2 sqrt(pi) sigma."""
    style = STYLE.replace(tof=60.0)
    sigma = 60.0 / 2.3548
    phi = (np.arange(2000) + 0.5) * np.pi / 2000
    for f, rel in ((0.0, 1e-6), (0.003, 0.15), (0.05, 0.03)):
        kernel = np.exp(-((2.0 * np.pi * sigma * f * np.cos(phi)) ** 2)).mean()
        exact = 2.0 * np.sqrt(np.pi) * sigma * kernel
        found = back_projected((np.array(f), np.array(0.0), np.array(0.0)), (0.01,) * 3, style)
        assert float(found) == pytest.approx(exact, rel=max(rel, 1e-4))


def test_frequencies_are_those_of_a_real_transform() -> None:
    x, y, z = frequencies((4, 6, 8), (2.0, 1.0, 0.5))
    assert x.shape == (4, 1, 1) and y.shape == (1, 6, 1) and z.shape == (1, 1, 5)
    assert z[0, 0, -1] == pytest.approx(1.0)  # of 0.5 mm


@pytest.mark.parametrize("sd", [0.05, 0.3, 1.0, 2.0])
def test_factors_have_mean_one_and_their_sd(sd: float) -> None:
    e = norm.ppf((np.arange(400_000) + 0.5) / 400_000).astype(np.float32)
    made = factors(e, sd).astype(np.float64)
    assert made.min() >= 0.0
    assert made.mean() == pytest.approx(1.0, rel=0.005)
    assert made.std() == pytest.approx(float(total_sd(sd)), rel=0.02)


def test_factors_are_linear_where_noise_is_small() -> None:
    e = np.linspace(-3.0, 3.0, 7, dtype=np.float32)
    np.testing.assert_allclose(factors(e, 0.001), 1.0 + 0.001 * e, atol=1e-5)
    assert float(total_sd(0.05)) == pytest.approx(0.05, rel=0.01)
