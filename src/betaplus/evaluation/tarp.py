r"""Tests of accuracy with random points: calibration of a posterior in all dimensions at once.

Lemos, Coogan, Hezaveh and Perreault-Levasseur, "Sampling-based accuracy testing of posterior
estimators for general inference", ICML 2023 (arXiv 2302.03026). The ball around a reference point
that reaches to the truth has posterior mass f; f is uniform for the right posterior, whatever the
reference, as long as it does not know the truth. Coverage at a level is the share of f below it.
Marginal coverage cannot see a wrong correlation; this can, best with references near the posterior:
seen from afar a ball is a half-space, and too wide one way cancels too narrow another way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kstest

from betaplus.core.errors import InputError
from betaplus.core.seeds import generator

__all__ = ["Tarp", "tarp_coverage"]


@dataclass(frozen=True, eq=False)
class Tarp:
    """Expected coverage of balls around random points.

    Attributes:
        levels: Credibility levels, shape (L,).
        coverage: Share of truths within the ball of that mass, shape (L,).
        standard_error: Its bootstrap standard error, shape (L,).
        area: Area between coverage and level, counted negative below level 1/2: the mean of
            min(f, 1 - f) minus 1/4. Below 0 for overconfident or biased posteriors, above 0 for
            timid ones.
        area_error: Its bootstrap standard error; for the right posterior about 1 / sqrt(48 n).
        p_value: Of f being uniform, by Kolmogorov and Smirnov; it also sees what cancels in
            the area.
    """

    levels: np.ndarray
    coverage: np.ndarray
    standard_error: np.ndarray
    area: float
    area_error: float
    p_value: float


def tarp_coverage(
    draws: np.ndarray,
    truth: np.ndarray,
    references: np.ndarray,
    *,
    scale: np.ndarray | None = None,
    levels: int = 50,
    bootstraps: int = 200,
    seed: int = 0,
) -> Tarp:
    """Return the expected coverage of posteriors given as draws.

    With S draws the mass f is (rank + uniform) / (S + 1), which is exactly uniform for independent
    draws of the right posterior, however few.

    Args:
        draws: Shape (n, S, P).
        truth: Shape (n, P).
        references: Centres of the balls, shape (n, P), chosen without the truth: draws of the
            prior, or one draw of each posterior that is not among `draws`.
        scale: What distances are divided by along each axis, shape (P,) or (n, P), known without
            the truth and without `draws`: the SD of the prior, for example. That of all truths
            if None.
        levels: Number L of levels, even between 0 and 1, both left out.
        bootstraps: Resamplings of the n posteriors.
        seed: Seed of tie-breaks and resampling.

    Raises:
        InputError: If shapes disagree, a value is not finite or a scale is not above 0.
    """
    q, x, r = (np.asarray(v, dtype=np.float64) for v in (draws, truth, references))
    if q.ndim != 3 or not x.shape == r.shape == (q.shape[0], q.shape[2]) or 0 in q.shape:
        raise InputError(
            f"draws {q.shape}, truths {x.shape} and references {r.shape}",
            "expected (n, S, P), (n, P) and (n, P)",
        )
    if not (np.isfinite(q).all() and np.isfinite(x).all() and np.isfinite(r).all()):
        raise InputError("draws, truths or references hold NaN or infinity", "expected numbers")
    unit = np.broadcast_to(x.std(axis=0) if scale is None else scale, x.shape)
    if not (unit > 0).all():
        raise InputError("a scale that is not above 0", "expected one above 0 for every parameter")
    rng = generator(seed)
    mass = _mass(q, x, r, unit, rng)
    at = np.arange(1, levels + 1) / (levels + 1.0)
    coverage, area = np.empty((bootstraps, levels)), np.empty(bootstraps)
    for i in range(bootstraps):
        again = mass[rng.integers(0, mass.size, mass.size)]
        coverage[i], area[i] = _ecdf(again, at), _area(again)
    return Tarp(
        levels=at,
        coverage=_ecdf(mass, at),
        standard_error=coverage.std(axis=0, ddof=1),
        area=_area(mass),
        area_error=float(area.std(ddof=1)),
        p_value=float(kstest(mass, "uniform").pvalue),
    )


def _mass(
    q: np.ndarray, x: np.ndarray, r: np.ndarray, unit: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    to_truth = (((x - r) / unit) ** 2).sum(axis=1)
    to_draws = (((q - r[:, None]) / unit[:, None]) ** 2).sum(axis=2)
    below = (to_draws < to_truth[:, None]).sum(axis=1)
    equal = (to_draws == to_truth[:, None]).sum(axis=1)
    rank = below + rng.integers(0, equal + 1)
    return (rank + rng.random(rank.size)) / (q.shape[1] + 1.0)


def _ecdf(mass: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(mass), at, side="right") / mass.size


def _area(mass: np.ndarray) -> float:
    return float(np.minimum(mass, 1.0 - mass).mean() - 0.25)
