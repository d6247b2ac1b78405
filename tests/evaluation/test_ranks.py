"""Ranks of conjugate Gaussian posteriors; the ECDF band against an exact recursion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binom, chisquare

from betaplus.core.errors import InputError, UsageError
from betaplus.evaluation.ranks import (
    ecdf_band,
    ecdf_deviation,
    probability_transform,
    sbc_ranks,
    uniformity,
)


def conjugate(n: int, seed: int, noise: float = 0.7) -> tuple[np.ndarray, np.ndarray, float]:
    """Truths N(0, 1) seen with Gaussian noise: truths, posterior means (n, 1), posterior SD."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((n, 1))
    seen = truth + noise * rng.standard_normal((n, 1))
    return truth, seen / (1 + noise**2), noise / np.sqrt(1 + noise**2)


def gaussian_ranks(n: int, s: int, seed: int, *, wide: float = 1.0, shift: float = 0.0):
    truth, mean, sd = conjugate(n, seed)
    rng = np.random.default_rng(seed + 10_000)
    draws = mean[..., None] + sd * (shift + wide * rng.standard_normal((n, 1, s)))
    return sbc_ranks(draws, truth, rng)


def p_values(ranks: np.ndarray, draws: int) -> tuple[float, float]:
    deviation = ecdf_deviation(ranks, draws + 1, draws=draws)
    band = ecdf_band(len(ranks), draws + 1, seed=3)
    return float(uniformity(ranks, 16, draws=draws)[1][0]), float(band.p_value(deviation)[0])


def test_right_posteriors_pass_and_wrong_ones_do_not():
    assert min(p_values(gaussian_ranks(4000, 63, 1), 63)) > 0.01
    assert max(p_values(gaussian_ranks(4000, 63, 1, wide=0.8), 63)) < 1e-3
    assert max(p_values(gaussian_ranks(4000, 63, 1, wide=1.25), 63)) < 1e-3
    assert max(p_values(gaussian_ranks(4000, 63, 1, shift=0.15), 63)) < 1e-3


def test_rank_is_the_number_of_draws_below():
    draws = np.array([[[3.0, 1.0, 2.0], [5.0, 6.0, 7.0]]])
    ranks = sbc_ranks(draws, np.array([[2.5, 9.0]]), np.random.default_rng(0))
    assert ranks.tolist() == [[2, 3]]


def test_mean_rank_of_a_shifted_posterior_is_that_of_the_closed_form():
    # P(draw < truth) = Phi(-shift / sqrt 2) for truth and draws of one SD.
    ranks = gaussian_ranks(20_000, 31, 2, shift=0.5)
    expected = 31 * ndtr(-0.5 / np.sqrt(2))
    assert ranks.mean() == pytest.approx(expected, abs=4 * 9.3 / np.sqrt(20_000))


def test_ties_are_broken_evenly():
    # A coin of known bias: the posterior is the prior, most draws equal the truth.
    rng = np.random.default_rng(4)
    truth = (rng.random((8000, 1)) < 0.7).astype(float)
    draws = (rng.random((8000, 1, 15)) < 0.7).astype(float)
    ranks = sbc_ranks(draws, truth, rng)
    assert uniformity(ranks, 16, draws=15)[1][0] > 0.01
    strict = (draws < truth[..., None]).sum(-1)
    assert uniformity(strict, 16, draws=15)[1][0] < 1e-6


def test_chi_square_is_scipys():
    ranks = np.random.default_rng(5).integers(0, 64, (500, 3)) ** 2 // 63
    statistic, p_value = uniformity(ranks, 8, draws=63)
    for column in range(3):
        count = np.histogram(ranks[:, column], bins=np.arange(0, 65, 8))[0]
        expected = chisquare(count)
        assert statistic[column] == pytest.approx(expected.statistic)
        assert p_value[column] == pytest.approx(expected.pvalue)


def test_false_alarms_are_as_rare_as_they_say():
    ranks = np.random.default_rng(6).integers(0, 64, (300, 2000))
    share = (uniformity(ranks, 8, draws=63)[1] < 0.05).mean()
    assert share == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2000))
    band = ecdf_band(300, 64, seed=7)
    deviation = ecdf_deviation(ranks, 64, draws=63)
    outside = ((deviation < band.lower - 1e-12) | (deviation > band.upper + 1e-12)).any(axis=1)
    assert outside.mean() == pytest.approx(0.05, abs=0.02)
    p_value = band.p_value(deviation)
    for level in (0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) * (1 / 2000 + 1 / 4000))
        assert (p_value <= level).mean() == pytest.approx(level, abs=4 * error)
    np.testing.assert_array_equal(outside[p_value > 0.06], False)
    assert outside[p_value < 0.04].all()


@pytest.mark.parametrize(("n", "points", "level"), [(60, 16, 0.95), (250, 32, 0.9)])
def test_band_holds_all_points_together_as_often_as_it_says(n, points, level):
    # The number of values below successive points is a Markov chain: exact by recursion.
    band = ecdf_band(n, points, level=level, seed=8)
    low = np.rint((band.lower + band.points) * n).astype(int)
    high = np.rint((band.upper + band.points) * n).astype(int)
    state = np.zeros(n + 1)
    state[0] = 1.0
    before = np.arange(n + 1)
    for i in range(points - 1):
        gained = before[None, :] - before[:, None]
        step = binom.pmf(gained, n - before[:, None], 1.0 / (points - i))
        state = state @ step
        state[(before < low[i]) | (before > high[i])] = 0.0
    assert level - 0.015 < state.sum() < level + 0.03  # binomial limits are whole numbers
    narrower = binom.ppf((1 - level) / 2, n, band.points)
    assert (low <= narrower).all() and (low < narrower).any()


def test_ecdf_of_ranks_and_of_probabilities_agree():
    ranks = np.random.default_rng(9).integers(0, 32, (400, 2))
    expected = [[(ranks[:, p] < 4 * k).mean() - k / 8 for k in range(1, 8)] for p in range(2)]
    np.testing.assert_allclose(ecdf_deviation(ranks, 8, draws=31), expected, atol=1e-12)
    spread = (ranks + np.random.default_rng(1).random(ranks.shape)) / 32
    np.testing.assert_allclose(ecdf_deviation(spread, 8), expected, atol=1e-12)


def test_probability_transform_of_gaussian_quantiles_is_phi():
    levels = np.arange(1, 20) / 20
    truth, mean, sd = conjugate(6000, 10)
    quantiles = mean[..., None] + sd * ndtri(levels)
    u = probability_transform(levels, quantiles, truth, np.random.default_rng(0))
    exact = ndtr((truth - mean) / sd)
    inside = (exact > 0.05) & (exact < 0.95)
    assert np.abs(u - exact)[inside].max() < 0.004
    np.testing.assert_array_equal(np.floor(20 * u), np.floor(20 * exact))
    tail = u[exact < 0.05]
    assert abs(tail.mean() / 0.05 - 0.5) < 4 / np.sqrt(12 * tail.size)
    assert uniformity(u, 20)[1][0] > 0.01
    wrong = mean[..., None] + 0.8 * sd * ndtri(levels)
    u = probability_transform(levels, wrong, truth, np.random.default_rng(0))
    assert uniformity(u, 20)[1][0] < 1e-6


def test_probability_transform_spreads_over_equal_quantiles():
    # Half of the posterior is an atom at 0, and so are the truths.
    levels = np.array([0.25, 0.5, 0.75])
    quantiles = np.broadcast_to([0.0, 0.0, 1.0], (5000, 1, 3))
    u = probability_transform(levels, quantiles, np.zeros((5000, 1)), np.random.default_rng(2))
    assert 0 < u.min() < 0.02 and 0.73 < u.max() < 0.75


def test_what_cannot_be_ranked_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="expected \\(n, P, S\\)"):
        sbc_ranks(np.zeros((4, 2, 9)), np.zeros((4, 3)), rng)
    with pytest.raises(InputError, match="NaN"):
        sbc_ranks(np.full((4, 2, 9), np.nan), np.zeros((4, 2)), rng)
    with pytest.raises(InputError, match="ascend"):
        probability_transform([0.5, 0.2], np.zeros((4, 2, 2)), np.zeros((4, 2)), rng)
    with pytest.raises(InputError, match="expected \\(n, P, Q\\)"):
        probability_transform([0.2, 0.5], np.zeros((4, 2, 3)), np.zeros((4, 2)), rng)
    with pytest.raises(InputError, match="infinity"):
        probability_transform([0.2, 0.5], np.full((4, 2, 2), np.inf), np.zeros((4, 2)), rng)
    with pytest.raises(UsageError, match="one less than a multiple of 16"):
        uniformity(np.zeros((4, 2), dtype=int), 16, draws=100)
    with pytest.raises(InputError, match="expected 0 to 31"):
        uniformity(np.full((4, 2), 32), 16, draws=31)
    with pytest.raises(InputError, match="expected 0 to 1"):
        ecdf_deviation(np.full((4, 2), np.nan), 8)
    with pytest.raises(UsageError, match="level 1"):
        ecdf_band(10, 8, level=1.0)
    with pytest.raises(UsageError, match="at least 2"):
        ecdf_band(10, 1)
