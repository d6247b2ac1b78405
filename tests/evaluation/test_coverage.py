"""Coverage and z-scores of Gaussian posteriors against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from betaplus.core.errors import InputError
from betaplus.evaluation.coverage import INTERVALS, interval_coverage, interval_levels, z_scores

N = 20_000
LEVELS = interval_levels()


def posteriors(seed: int, noise: float = 0.6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truths of SD 2, seen with noise: truth, mean and SD of the conjugate posterior, (N, 2)."""
    rng = np.random.default_rng(seed)
    prior = np.array([1.0, 2.0])
    truth = prior * rng.standard_normal((N, 2))
    seen = truth + noise * rng.standard_normal((N, 2))
    shrink = prior**2 / (prior**2 + noise**2)
    return truth, shrink * seen, np.broadcast_to(noise * np.sqrt(shrink), (N, 2))


def quantiles(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return mean[..., None] + std[..., None] * ndtri(LEVELS)


@pytest.mark.parametrize("wide", [1.0, 0.8, 1.3])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_coverage_is_that_of_the_closed_form(wide, shift):
    truth, mean, std = posteriors(1)
    found = interval_coverage(LEVELS, quantiles(mean + shift * std, wide * std), truth)
    half = wide * ndtri((1 + np.array(INTERVALS)) / 2)
    expected = ndtr(shift + half) - ndtr(shift - half)
    assert np.abs(found.share - expected).max() < 4 * np.sqrt(0.25 / N)
    off = np.abs(found.share - INTERVALS) / found.standard_error
    assert (off.max() < 4) == (wide == 1.0 and shift == 0.0)


def test_standard_error_is_the_spread_of_repeated_counts():
    truth, mean, std = posteriors(2)
    held = interval_coverage(LEVELS, quantiles(mean, std), truth).held
    one = interval_coverage(LEVELS, quantiles(mean[:200], std[:200]), truth[:200])
    spread = held.reshape(100, 200, 2, -1).mean(axis=1).std(axis=(0, 1))
    np.testing.assert_allclose(spread, one.standard_error, rtol=0.2)


def test_limits_belong_to_the_interval_and_nan_holds_nothing():
    q = np.array([[[0.0, 1.0]], [[0.0, 1.0]], [[np.nan, np.nan]], [[2.0, 3.0]]])
    truth = np.array([[0.0], [1.0], [0.5], [0.5]])
    found = interval_coverage((0.05, 0.95), q, truth, (0.9,))
    assert found.held[:, 0, 0].tolist() == [True, True, False, False]


def test_levels_are_both_ends_of_every_interval():
    assert interval_levels((0.8, 0.9)) == (0.05, 0.1, 0.9, 0.95)
    with pytest.raises(InputError, match=r"no quantile of level 0\.25"):
        interval_coverage((0.05, 0.95), np.zeros((3, 1, 2)), np.zeros((3, 1)), (0.5,))
    with pytest.raises(InputError, match="expected \\(n, P, Q\\)"):
        interval_coverage(LEVELS, np.zeros((3, 1, 2)), np.zeros((3, 1)))


@pytest.mark.parametrize(("wide", "shift"), [(1.0, 0.0), (0.8, 0.0), (1.0, 0.5)])
def test_z_scores_are_those_of_the_closed_form(wide, shift):
    truth, mean, std = posteriors(3)
    found = z_scores(mean + shift * std, wide * std, truth, np.array([1.0, 2.0]))
    np.testing.assert_allclose(found.mean, shift / wide, atol=4 / wide / np.sqrt(N))
    np.testing.assert_allclose(found.sd, 1 / wide, rtol=0.02)
    for bound, share in ((2, found.beyond_2), (3, found.beyond_3)):
        expected = ndtr(-bound * wide - shift) + ndtr(-bound * wide + shift)
        np.testing.assert_allclose(share, expected, atol=4 * np.sqrt(expected / N))
    prior = np.array([1.0, 2.0])
    kept = 0.36 * prior**2 / (prior**2 + 0.36) * wide**2
    np.testing.assert_allclose(found.contraction, 1 - kept / prior**2, rtol=1e-12)
    assert found.count.tolist() == [N, N]


def test_z_scores_leave_out_what_has_no_sd():
    truth, mean, std = (np.array(v) for v in posteriors(4))
    std[:5, 0], std[5:7, 0], mean[7, 0] = np.nan, 0.0, np.inf
    std[:, 1] = np.nan
    found = z_scores(mean, std, truth)
    assert found.count.tolist() == [N - 8, 0]
    assert found.sd[0] == pytest.approx(1, rel=0.02)
    assert np.isnan(found.mean[1])
    with pytest.raises(InputError, match="one shape"):
        z_scores(mean, std[:, :1], truth)
