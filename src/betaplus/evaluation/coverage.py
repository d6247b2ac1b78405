"""How often intervals hold the truth, and how far off means are in their own standard deviations.

Both need truths that are draws of the prior (or a prior that does not matter): then the central
interval of the right posterior holds the truth as often as it says. That is so within any group
that is chosen by the data, but not within one chosen by the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError

__all__ = ["INTERVALS", "Coverage", "ZScores", "interval_coverage", "interval_levels", "z_scores"]

INTERVALS = (0.50, 0.80, 0.90, 0.95)
"""Central intervals whose coverage is usually counted."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """Coverage of central intervals.

    Attributes:
        intervals: Nominal probabilities, shape (I,).
        share: Share of truths inside, shape (P, I).
        standard_error: Binomial standard error of a share that is nominal, shape (I,).
        held: Whether each interval holds the truth, shape (n, P, I).
    """

    intervals: np.ndarray
    share: np.ndarray
    standard_error: np.ndarray
    held: np.ndarray


@dataclass(frozen=True, eq=False)
class ZScores:
    """Moments of z = (posterior mean - truth) / posterior SD; arrays of shape (P,).

    For the right posterior z has mean 0 and, where posteriors are Gaussian, SD 1 and 4.55 % and
    .27 % beyond 2 and 3.

    Attributes:
        mean: Mean of z.
        sd: SD of z.
        beyond_2: Share of |z| > 2.
        beyond_3: Share of |z| > 3.
        contraction: Median of 1 - posterior variance / prior variance.
        count: Posteriors with a finite mean and an SD above 0; the others are left out.
    """

    mean: np.ndarray
    sd: np.ndarray
    beyond_2: np.ndarray
    beyond_3: np.ndarray
    contraction: np.ndarray
    count: np.ndarray


def interval_levels(intervals: Sequence[float] = INTERVALS) -> tuple[float, ...]:
    """Return the quantile levels, ascending, that central intervals need."""
    return tuple(sorted({round((1 + sign * v) / 2, 12) for v in intervals for sign in (-1, 1)}))


def interval_coverage(
    levels: Sequence[float],
    quantiles: np.ndarray,
    truth: np.ndarray,
    intervals: Sequence[float] = INTERVALS,
) -> Coverage:
    """Count how often central intervals hold the truth.

    Limits belong to the interval; one that is NaN holds nothing.

    Args:
        levels: Quantile levels, shape (Q,).
        quantiles: Shape (n, P, Q).
        truth: Shape (n, P).
        intervals: Nominal probabilities; both (1 +- interval) / 2 must be among the levels.

    Raises:
        InputError: If shapes disagree or a level is missing.
    """
    p, q, x = np.asarray(levels, dtype=np.float64), np.asarray(quantiles), np.asarray(truth)
    if x.ndim != 2 or not len(x) or q.shape != (*x.shape, p.size):
        raise InputError(
            f"quantiles of shape {q.shape} for truths of shape {x.shape} and {p.size} levels",
            "expected (n, P, Q), (n, P) and Q",
        )
    nominal = np.asarray(intervals, dtype=np.float64)
    low = [_column(p, (1 - interval) / 2) for interval in nominal]
    high = [_column(p, (1 + interval) / 2) for interval in nominal]
    held = (x[..., None] >= q[..., low]) & (x[..., None] <= q[..., high])
    error = np.sqrt(nominal * (1 - nominal) / len(x))
    return Coverage(nominal, held.mean(axis=0), error, held)


def z_scores(
    mean: np.ndarray, std: np.ndarray, truth: np.ndarray, prior_std: np.ndarray | None = None
) -> ZScores:
    """Summarise how far posterior means are from the truth in posterior SDs.

    Args:
        mean: Posterior means, shape (n, P).
        std: Posterior standard deviations, likewise.
        truth: Likewise.
        prior_std: SDs of the prior, shape (P,); those of the truths if None.

    Raises:
        InputError: If shapes disagree.
    """
    m, s, x = (np.asarray(v, dtype=np.float64) for v in (mean, std, truth))
    if x.ndim != 2 or not m.shape == s.shape == x.shape:
        raise InputError(
            f"means {m.shape}, SDs {s.shape} and truths {x.shape}", "expected one shape (n, P)"
        )
    prior = x.std(axis=0) if prior_std is None else np.asarray(prior_std, dtype=np.float64)
    columns = []
    for p in range(x.shape[1]):
        good = np.isfinite(m[:, p]) & np.isfinite(s[:, p]) & (s[:, p] > 0)
        if not good.any():
            columns.append((np.nan,) * 5 + (0,))
            continue
        z = (m[good, p] - x[good, p]) / s[good, p]
        shrunk = np.median(1.0 - (s[good, p] / prior[p]) ** 2)
        far = np.abs(z)
        columns.append((z.mean(), z.std(), (far > 2).mean(), (far > 3).mean(), shrunk, good.sum()))
    return ZScores(*np.array(columns).T)


def _column(levels: np.ndarray, level: float) -> int:
    near = int(np.argmin(np.abs(levels - level))) if levels.size else 0
    if not levels.size or abs(levels[near] - level) > 1e-9:
        raise InputError(f"no quantile of level {level:g}", "expected both ends of every interval")
    return near
