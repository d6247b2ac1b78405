"""Simulation-based calibration: ranks of the truth among draws, and whether they are uniform.

Where truths come from the prior and curves from the truths, the rank of the truth among S
independent draws of the right posterior is uniform on 0 ... S, whatever the statistic (Talts,
Betancourt, Simpson, Vehtari and Gelman, arXiv 1804.06788). The simultaneous band of the empirical
distribution function is that of Sailynoja, Buerkner and Vehtari, "Graphical test for discrete
uniformity and its applications in goodness-of-fit evaluation and multiple sample comparison",
Stat Comput 2022, 32:32, algorithm 1. Correlated draws are to be thinned first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, chi2

from betaplus.core.errors import InputError, UsageError
from betaplus.core.seeds import generator

__all__ = [
    "EcdfBand",
    "ecdf_band",
    "ecdf_deviation",
    "probability_transform",
    "sbc_ranks",
    "uniformity",
]

_SIMULATIONS = 4000
_CHUNK = 1 << 22  # ranks of simulations at a time


@dataclass(frozen=True, eq=False)
class EcdfBand:
    """What the ECDF of n uniform values minus the identity stays in, all points together.

    Attributes:
        points: Where the ECDF is compared, shape (K - 1,).
        lower: Lower limit of ECDF - point, likewise.
        upper: Upper limit, likewise.
        level: Probability that the whole of it is inside.
        count: Number of values n.
        extremes: Smallest pointwise two-sided p value of each simulation, ascending.
    """

    points: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    level: float
    count: int
    extremes: np.ndarray

    def p_value(self, deviation: np.ndarray) -> np.ndarray:
        """Return the p value of uniformity, shape (...), of deviations (..., K - 1).

        It is the share of simulations of uniform values with a point as unlikely as the
        unlikeliest of these; the smallest possible is 1 / (simulations + 1).
        """
        count = np.rint((deviation + self.points) * self.count)
        found = _smallest_p(count, self.count, self.points)
        below = np.searchsorted(self.extremes, found * (1 + 1e-9), side="right")
        return (1.0 + below) / (1.0 + self.extremes.size)


def sbc_ranks(draws: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rank of each truth among its draws, 0 to S, shape (n, P).

    Ties are broken at random, which keeps ranks uniform for discrete posteriors.

    Args:
        draws: Independent draws of each posterior, shape (n, P, S).
        truth: What each measurement was simulated from, shape (n, P).
        rng: Source of the tie-breaks.

    Raises:
        InputError: If shapes disagree or a value is not a number.
    """
    draws, truth = np.asarray(draws), np.asarray(truth)
    if draws.ndim != 3 or draws.shape[:2] != truth.shape:
        raise InputError(
            f"draws of shape {draws.shape} for truths of shape {truth.shape}",
            "expected (n, P, S) and (n, P)",
        )
    if np.isnan(draws).any() or np.isnan(truth).any():
        raise InputError("draws or truths hold NaN", "expected numbers")
    below = (draws < truth[..., None]).sum(axis=-1)
    equal = (draws == truth[..., None]).sum(axis=-1)
    return below + rng.integers(0, equal + 1)


def probability_transform(
    levels: np.ndarray, quantiles: np.ndarray, truth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the posterior probability below each truth, shape (n, P), from quantiles.

    Between two quantiles it is interpolated; a truth below the lowest or above the highest is only
    known to be in that tail, and is given a uniform value there. For a right posterior the
    probability of every cell between neighbouring levels is then exact, so that bins and points
    should lie on `levels`; where between them a value lies is approximate.

    Args:
        levels: Quantile levels, ascending, shape (Q,).
        quantiles: Shape (n, P, Q).
        truth: Shape (n, P).
        rng: Places truths in the tails, and among equal quantiles.

    Raises:
        InputError: If levels do not ascend within 0 to 1, shapes disagree or a value is not
            finite.
    """
    p, q = np.asarray(levels, dtype=np.float64), np.asarray(quantiles, dtype=np.float64)
    x = np.asarray(truth, dtype=np.float64)
    if p.ndim != 1 or not (p.size and p[0] > 0 and p[-1] < 1 and (np.diff(p) > 0).all()):
        raise InputError(f"quantile levels {p.tolist()}", "expected them to ascend within 0 to 1")
    if q.shape != (*x.shape, p.size):
        raise InputError(
            f"quantiles of shape {q.shape} for truths of shape {x.shape} and {p.size} levels",
            "expected (n, P, Q), (n, P) and Q",
        )
    if not (np.isfinite(q).all() and np.isfinite(x).all()):
        raise InputError("quantiles or truths hold NaN or infinity", "expected numbers")
    edge = np.concatenate([[0.0], p, [1.0]])
    first = (q < x[..., None]).sum(axis=-1)  # quantiles surely below
    last = (q <= x[..., None]).sum(axis=-1)  # and those not above
    low, high = edge[first], edge[last + 1]
    padded = np.concatenate([q[..., :1], q, q[..., -1:]], axis=-1)
    start = np.take_along_axis(padded, first[..., None], axis=-1)[..., 0]
    width = np.take_along_axis(padded, first[..., None] + 1, axis=-1)[..., 0] - start
    inside = (first == last) & (first > 0) & (first < p.size)
    part = np.divide(x - start, width, out=np.zeros_like(x), where=inside)
    return low + (high - low) * np.where(inside, part, rng.random(x.shape))


def uniformity(
    values: np.ndarray, bins: int, *, draws: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return Pearson's chi-square of a histogram of equal bins and its p value, shape (P,) each.

    Args:
        values: Probabilities in [0, 1], or ranks if `draws` is given, shape (n, P).
        bins: Number of bins.
        draws: The S of ranks 0 to S.

    Raises:
        UsageError: If there are fewer than 2 bins, or S + 1 ranks do not fill them evenly.
        InputError: If a value is out of range.
    """
    if bins < 2:
        raise UsageError(f"{bins} bins", "expected at least 2")
    u = _probabilities(values, bins, draws)
    cell = np.minimum((u * bins).astype(np.int64), bins - 1)
    count = np.stack([np.bincount(column, minlength=bins) for column in cell.T])
    expected = len(u) / bins
    statistic = ((count - expected) ** 2).sum(axis=1) / expected
    return statistic, chi2.sf(statistic, bins - 1)


def ecdf_deviation(values: np.ndarray, points: int, *, draws: int | None = None) -> np.ndarray:
    """Return the ECDF minus the identity at 1/K, ..., (K - 1)/K, shape (P, K - 1).

    Args:
        values: Probabilities in [0, 1], or ranks if `draws` is given, shape (n, P).
        points: K; for ranks a divisor of S + 1.
        draws: The S of ranks 0 to S.

    Raises:
        UsageError: If there are fewer than 2 points, or S + 1 is no multiple of them.
        InputError: If a value is out of range.
    """
    at = _points(points)
    ordered = np.sort(_probabilities(values, points, draws), axis=0)
    below = np.stack([np.searchsorted(column, at, side="right") for column in ordered.T])
    return below / len(ordered) - at


def ecdf_band(n: int, points: int, *, level: float = 0.95, seed: int = 0) -> EcdfBand:
    """Return the simultaneous band of `ecdf_deviation` for n uniform values.

    At each point it is a central binomial interval; their common level is such that all points
    together are inside with probability `level`, found from simulated uniform values.

    Raises:
        UsageError: If n is below 1, points below 2, or the level not between 0 and 1.
    """
    if n < 1:
        raise UsageError(f"{n} values", "expected at least 1")
    if not 0 < level < 1:
        raise UsageError(f"level {level:g}", "expected a number between 0 and 1")
    at = _points(points)
    rng = generator(seed)
    size = max(1, _CHUNK // points)
    extremes = np.concatenate(
        [
            _smallest_p(_uniform_counts(n, points, min(size, _SIMULATIONS - start), rng), n, at)
            for start in range(0, _SIMULATIONS, size)
        ]
    )
    extremes.sort()
    gamma = extremes[int((1 - level) * _SIMULATIONS)]
    lower, upper = binom.ppf(gamma / 2, n, at), binom.isf(gamma / 2, n, at)
    return EcdfBand(at, lower / n - at, upper / n - at, level, n, extremes)


def _uniform_counts(n: int, points: int, size: int, rng: np.random.Generator) -> np.ndarray:
    cells = rng.multinomial(n, np.full(points, 1.0 / points), size=size)
    return np.cumsum(cells, axis=1)[:, :-1]


def _smallest_p(count: np.ndarray, n: int, at: np.ndarray) -> np.ndarray:
    """Smallest two-sided binomial p value over the points, shape (...)."""
    tails = np.minimum(binom.cdf(count, n, at), binom.sf(count - 1, n, at))
    return np.minimum(2.0 * tails, 1.0).min(axis=-1)


def _points(points: int) -> np.ndarray:
    if points < 2:
        raise UsageError(f"{points} points", "expected at least 2")
    return np.arange(1, points) / points


def _probabilities(values: np.ndarray, cells: int, draws: int | None) -> np.ndarray:
    """Values as float64 in [0, 1], ranks in the middle of their share."""
    values = np.asarray(values)
    if values.ndim != 2 or not len(values):
        raise InputError(f"values of shape {values.shape}", "expected (n, P)")
    if draws is not None and (draws + 1) % cells:
        raise UsageError(
            f"ranks of {draws} draws in {cells} cells",
            f"expected one less than a multiple of {cells} draws",
        )
    top = 1.0 if draws is None else float(draws)
    if not ((values >= 0) & (values <= top)).all():
        raise InputError("a value out of range", f"expected 0 to {top:g}")
    return values.astype(np.float64) if draws is None else (values + 0.5) / (draws + 1.0)
