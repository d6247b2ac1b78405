"""Interval scores and coverage against closed forms and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from betaplus.core.errors import InputError, UsageError
from betaplus.evaluation.interval_score import (
    held_share,
    interval_score,
    next_draw_share,
    wilson_interval,
)


@pytest.mark.parametrize(("held", "n"), [(0, 7), (361, 400), (400, 400), (3, 9)])
def test_wilson_as_scipy(held: int, n: int) -> None:
    expected = binomtest(held, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(held, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_score_of_known_cases() -> None:
    low, high = np.zeros(3), np.full(3, 2.0)
    score = interval_score(low, high, np.array([1.0, -0.5, 2.25]), 0.9)
    np.testing.assert_allclose(score, [2.0, 2.0 + 20 * 0.5, 2.0 + 20 * 0.25])


def test_expected_score_of_normal_intervals_in_closed_form_and_least_at_the_quantile() -> None:
    # E = 2 z + (4 / a) (phi(z) - z (1 - Phi(z))) for symmetric intervals of a standard normal.
    x = np.random.default_rng(1).standard_normal(400_000)
    means = {}
    for z in (1.2, norm.ppf(0.95), 2.2):
        score = interval_score(np.full(x.size, -z), np.full(x.size, z), x, 0.9)
        expected = 2 * z + 40 * (norm.pdf(z) - z * norm.sf(z))
        means[z] = float(score.mean())
        assert means[z] == pytest.approx(expected, abs=4 * score.std() / x.size**0.5)
    assert min(means, key=lambda z: means[z]) == norm.ppf(0.95)


def test_share_counts_ends_as_held() -> None:
    found = held_share(np.zeros(4), np.ones(4), np.array([0.0, 1.0, 0.5, 1.01]))
    assert (found.share, found.count) == (0.75, 4)
    assert found.low < 0.75 < found.high


@pytest.mark.parametrize("draws", [2, 5, 40])
def test_another_draw_is_held_as_often_as_said(draws: int) -> None:
    rng = np.random.default_rng(draws)
    seen = rng.normal(3.0, 2.0, (draws, 200_000))
    more = rng.normal(3.0, 2.0, 200_000)
    mean, sd = seen.mean(0), seen.std(0, ddof=1)
    for level in (0.5, 0.9):
        found = next_draw_share(more, mean, sd, draws, level)
        assert found == pytest.approx(level, abs=0.005)
    assert next_draw_share(mean, mean, sd, draws, 0.1) == 1.0


def test_one_draw_says_nothing_of_the_next() -> None:
    with pytest.raises(UsageError, match="expected two or more"):
        next_draw_share(np.zeros(3), np.zeros(3), np.zeros(3), 1, 0.9)


def test_refusals() -> None:
    with pytest.raises(InputError, match="below the lower"):
        interval_score(np.ones(2), np.zeros(2), np.zeros(2), 0.9)
    with pytest.raises(UsageError, match="level of 90"):
        interval_score(np.zeros(2), np.ones(2), np.zeros(2), 90)
    with pytest.raises(InputError, match="at least one trial"):
        held_share(np.zeros(0), np.zeros(0), np.zeros(0))
