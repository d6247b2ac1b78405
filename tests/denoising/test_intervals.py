"""Conformal factors against closed forms, and coverage where it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi

from betaplus.core.errors import InputError, UsageError
from betaplus.denoising.intervals import conformal_factor, least_subjects, region_scores


def test_one_region_a_subject_is_the_order_statistic_of_split_conformal() -> None:
    scores = np.random.default_rng(0).exponential(size=57)
    rank = math.ceil(0.9 * 58)
    expected = np.sort(scores)[rank - 1]
    for joint in (False, True):
        assert conformal_factor(scores, range(57), 0.9, joint=joint).factor == expected


def test_least_subjects() -> None:
    assert [least_subjects(v) for v in (0.5, 0.8, 0.9, 0.95)] == [1, 4, 9, 19]
    scores = np.arange(1.0, 10.0)
    assert conformal_factor(scores, range(9), 0.9).factor == 9.0
    with pytest.raises(InputError, match="8 calibration subjects"):
        conformal_factor(scores[:8], range(8), 0.9)


def test_a_subject_has_one_vote() -> None:
    # Nine subjects with one region each, one with a thousand bad ones: it must not rule.
    scores = np.concatenate([np.arange(1.0, 10.0), np.full(1000, 50.0)])
    subjects = [*range(9), *["many"] * 1000]
    assert conformal_factor(scores, subjects, 0.8).factor == 9.0
    repeated = np.repeat(scores[:9], 4), np.repeat(np.arange(9), 4).tolist()
    assert conformal_factor(*repeated, 0.9).factor == conformal_factor(scores[:9], range(9)).factor


def _subjects(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of regions of n subjects, heavily correlated and of unequal number."""
    bad = np.exp(0.5 * rng.standard_normal(n))
    number = np.where(bad > 1.2, 2, 12)
    subject = np.repeat(np.arange(n), number)
    return bad[subject] * np.abs(rng.standard_normal(subject.size)), subject


@pytest.mark.parametrize("joint", [False, True])
def test_coverage_of_new_subjects(joint: bool) -> None:
    rng = np.random.default_rng(3)
    held, runs, calibration = [], 1500, 39
    for _ in range(runs):
        factor = conformal_factor(*_pair(_subjects(rng, calibration)), 0.9, joint=joint).factor
        scores, subject = _subjects(rng, 8)
        if joint:
            held.append(np.mean([scores[subject == s].max() <= factor for s in range(8)]))
        else:
            held.append(np.mean([(scores[subject == s] <= factor).mean() for s in range(8)]))
    # Exactly ceil(0.9 * 40) / 40 = 0.9 for continuous scores of one region; with more at least 0.9
    # and at most 1 / 40 above.
    error = 3 * np.std(held) / runs**0.5
    assert 0.9 - error <= np.mean(held) <= 0.9 + 1 / (calibration + 1) + error


def test_pooled_scores_would_not_cover_here() -> None:
    rng = np.random.default_rng(5)
    found = {True: [], False: []}
    for _ in range(400):
        scores, subject = _subjects(rng, 39)
        for pooled in found:
            groups = range(scores.size) if pooled else subject.tolist()
            factor = conformal_factor(scores, groups, 0.9).factor
            new, of = _subjects(rng, 8)
            found[pooled].append(np.mean([(new[of == s] <= factor).mean() for s in range(8)]))
    assert np.mean(found[True]) < 0.87 < 0.89 < np.mean(found[False])


def test_many_gaussian_subjects_give_the_normal_factor() -> None:
    scores = np.abs(np.random.default_rng(2).standard_normal(40_000))
    assert conformal_factor(scores, range(40_000), 0.9).factor == pytest.approx(1.645, abs=0.02)
    # The largest of 4 absolute normal values is below f with probability (2 Phi(f) - 1)^4.
    joint = conformal_factor(scores, (np.arange(40_000) // 4).tolist(), 0.9, joint=True).factor
    assert joint == pytest.approx(chi(1).ppf(0.9 ** (1 / 4)), abs=0.04)


def test_interval_and_record() -> None:
    found = conformal_factor(np.arange(1.0, 10.0), range(9), 0.5)
    low, high = found.interval(np.array([3.0]), np.array([0.2]))
    assert (low[0], high[0]) == pytest.approx((2.0, 4.0))
    assert found.as_dict() == {
        "factor": 5.0, "level": 0.5, "subjects": 9, "regions": 9, "joint": False,
    }  # fmt: skip


def test_refusals() -> None:
    with pytest.raises(UsageError, match="level of 90"):
        conformal_factor(np.ones(20), range(20), 90)
    with pytest.raises(InputError, match="one finite number"):
        conformal_factor(np.ones(20), range(19))
    with pytest.raises(InputError, match="2 of 3 regions"):
        region_scores(np.ones(3), np.array([1.0, np.nan, 1.0]), np.array([1.0, 1.0, 0.0]))


def _pair(made: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, list[int]]:
    return made[0], made[1].tolist()
