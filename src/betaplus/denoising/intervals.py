r"""Intervals of region means that hold the truth as often as they say, whatever the network.

A region's score is |truth - estimate| / SD. Split conformal prediction (Vovk, Gammerman and
Shafer, Algorithmic Learning in a Random World, 2005; Lei et al., JASA 113, 1094, 2018) takes a
quantile of the scores of calibration subjects as the factor on the SD of a new one. Regions of one
subject share its noise, its size and the network's errors on it, so subjects are exchangeable and
regions are not. Two kinds of factor follow:

- one region of a new subject, whichever it is, is held with the level (hierarchical conformal
  prediction: Lee, Barber and Willett, arXiv 2306.06342): the quantile is taken over

  .. math:: \sum_k \frac{1}{K + 1} \frac{1}{N_k} \sum_i \delta_{s_{ki}}
            + \frac{1}{K + 1} \delta_\infty ,

  so that each of K subjects has one vote, however many regions N_k it has. Pooling all scores as if
  they were independent would let subjects with many regions rule, and promise more than K subjects
  can. This is the default, because coverage is counted so: one indicator per subject and region;
- all regions of a new subject are held at once (`joint`): split conformal prediction of the largest
  score of each subject, which is one number a subject and exchangeable. Wider.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from betaplus.core.errors import InputError, UsageError

__all__ = ["ConformalFactor", "conformal_factor", "least_subjects", "region_scores"]


@dataclass(frozen=True, kw_only=True)
class ConformalFactor:
    """What the SD of a region is multiplied by.

    Attributes:
        factor: Half width of an interval over the SD.
        level: Probability that it holds the truth, at least.
        subjects: Calibration subjects.
        regions: Scores of all of them.
        joint: Whether all regions of a subject are held at once.
    """

    factor: float
    level: float
    subjects: int
    regions: int
    joint: bool

    def interval(
        self, estimate: np.ndarray | float, sd: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and upper ends of intervals, float64, of the shape of the estimates."""
        centre, half = np.asarray(estimate, np.float64), self.factor * np.asarray(sd, np.float64)
        return centre - half, centre + half

    def as_dict(self) -> dict[str, float | int | bool]:
        """Return the fields, for records."""
        return asdict(self)


def region_scores(truth: np.ndarray, estimate: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Return |truth - estimate| / SD, shape (n,) float64.

    Args:
        truth: Of regions, shape (n,).
        estimate: Likewise.
        sd: Likewise, above 0.

    Raises:
        InputError: If shapes differ, a number is not finite, or an SD is not above 0.
    """
    t, e, s = (np.asarray(v, np.float64) for v in (truth, estimate, sd))
    if t.ndim != 1 or not t.shape == e.shape == s.shape:
        raise InputError(
            f"truths {t.shape}, estimates {e.shape} and SDs {s.shape}", "expected one shape (n,)"
        )
    bad = ~(np.isfinite(t) & np.isfinite(e) & np.isfinite(s) & (s > 0))
    if bad.any():
        raise InputError(
            f"{int(bad.sum())} of {t.size} regions lack a finite truth, estimate or SD above 0",
            "expected numbers",
        )
    return np.abs(t - e) / s


def least_subjects(level: float) -> int:
    """Return the fewest calibration subjects that a finite factor of a level needs."""
    return math.ceil(_checked(level) / (1.0 - level) - 1e-9)


def conformal_factor(
    scores: np.ndarray, subjects: Sequence[Hashable], level: float = 0.9, *, joint: bool = False
) -> ConformalFactor:
    """Return the factor on SDs that makes intervals of a level.

    Args:
        scores: Of calibration regions (`region_scores`), shape (n,).
        subjects: Whose region each is, likewise.
        level: Of the intervals.
        joint: Hold all regions of a subject at once, in place of one of them.

    Raises:
        InputError: If there are too few subjects for the level, or shapes differ.
        UsageError: If the level is not between 0 and 1.
    """
    least = least_subjects(level)
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or len(subjects) != values.size or not np.isfinite(values).all():
        raise InputError(
            f"{np.shape(scores)} scores of {len(subjects)} subjects",
            "expected one finite number for each",
        )
    number: dict[Hashable, int] = {}
    group = np.array([number.setdefault(subject, len(number)) for subject in subjects], np.int64)
    if len(number) < least:
        raise InputError(
            f"{len(number)} calibration subjects",
            f"intervals of {level:g} need at least {least}",
        )
    if joint:
        largest = np.full(len(number), -np.inf)
        np.maximum.at(largest, group, values)
        factor = _weighted_quantile(largest, np.ones(len(number)), level)
    else:
        factor = _weighted_quantile(values, 1.0 / np.bincount(group)[group], level)
    return ConformalFactor(
        factor=factor, level=level, subjects=len(number), regions=values.size, joint=joint
    )


def _weighted_quantile(scores: np.ndarray, votes: np.ndarray, level: float) -> float:
    """Return the least score that a share of the votes reaches; one vote is for infinity."""
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(votes[order])
    wanted = level * (votes.sum() + 1.0)
    at = int(np.searchsorted(reached, wanted * (1.0 - 1e-9)))
    return float(scores[order[min(at, scores.size - 1)]])


def _checked(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise UsageError(f"a level of {level:g}", "expected a number between 0 and 1")
    return level
