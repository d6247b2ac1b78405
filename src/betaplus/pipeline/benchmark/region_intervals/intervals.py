"""Intervals of region means from what methods say, calibrated on some people, judged on others.

Two kinds of intervals. *Plain*: the mean and the SD that the method gives, times a conformal factor
of each dose. *Modelled*: the error model of `betaplus.denoising.region_model`, fitted to the
method's own means: how much of the mean without the method to mix in, and how wrong the mixture may
be, by the features that the model knows; one model and one conformal factor for all doses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from betaplus.denoising.intervals import conformal_factor, region_scores
from betaplus.denoising.region_model import RegionModel
from betaplus.evaluation.interval_score import interval_score
from betaplus.pipeline.benchmark.region_intervals.cases import LESIONS, LEVEL, Case
from betaplus.pipeline.benchmark.region_intervals.measured import own_sd

__all__ = ["NORMAL", "modelled", "plain"]

NORMAL = 1.6449
"""Half width of a 90 % interval of a normal distribution of SD 1."""


def modelled(model: RegionModel, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return a row for each region with the interval of a model; lengths in SUV."""
    rows = []
    for case in cases:
        found = model.estimate(case.table)
        half = model.conformal.factor * found.sd
        rows += _rows(case, found.estimate, half, found.low, found.high)
    return rows


def plain(known: Sequence[Case], judged: Sequence[Case]) -> list[dict[str, Any]]:
    """Return a row for each judged region: mean -+ factor x SD, the factor of each dose.

    Args:
        known: Cases that factors are from.
        judged: Cases of other people.
    """
    rows = []
    for dose in dict.fromkeys(case.dose for case in judged):
        scores, owners = [], []
        for case in (c.some(~c.lesions) for c in known if c.dose == dose):
            if case.truth.size:
                scores.append(region_scores(case.truth, case.table.denoised, own_sd(case)))
                owners += [(case.person, case.box)] * case.truth.size
        factor = conformal_factor(np.concatenate(scores), owners, LEVEL).factor
        for case in judged:
            if case.dose == dose:
                mean, half = case.table.denoised, factor * own_sd(case)
                rows += _rows(case, mean, half, np.maximum(mean - half, 0.0), mean + half)
    return rows


def _rows(
    case: Case, estimate: np.ndarray, half: np.ndarray, low: np.ndarray, high: np.ndarray
) -> list[dict[str, Any]]:
    # An upper end below 0 is one of a mean that is far below: the interval is then empty at 0.
    high = np.maximum(high, low)
    score = interval_score(low, high, case.truth, LEVEL)
    own = own_sd(case)
    return [
        {
            "person": case.person, "box": case.box, "dose": case.dose,
            "region": int(case.table.labels[n]) % LESIONS, "lesion": bool(case.lesions[n]),
            "volume": float(case.table.volume[n]), "truth": float(case.truth[n]),
            "mean": float(case.table.denoised[n]), "own": float(own[n]),
            "estimate": float(estimate[n]), "sd": float(half[n]) / NORMAL,
            "low": float(low[n]), "high": float(high[n]), "score": float(score[n]),
        }
        for n in range(case.truth.size)
    ]  # fmt: skip
