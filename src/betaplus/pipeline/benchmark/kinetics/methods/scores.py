"""How far posteriors are from those that are trusted, in units of the trusted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.evaluation.sliced_wasserstein import sliced_wasserstein
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, QUANTITIES, RATES
from betaplus.pipeline.benchmark.kinetics.coverage import INTERVALS

__all__ = ["TAILS", "accuracy", "coverage_by_level", "held", "sliced"]

TAILS = tuple(sorted([(1 - p) / 2 for p in INTERVALS] + [(1 + p) / 2 for p in INTERVALS]))
"""Quantile levels of the ends of `INTERVALS`."""

_SLICED_SEED = 1


def accuracy(
    mean: np.ndarray, std: np.ndarray, reference_mean: np.ndarray, reference_std: np.ndarray
) -> dict[str, Any]:
    """Return medians over curves, by quantity and over all.

    Args:
        mean: Shape (n, 6); NaN where there is none, which is left out and counted.
        std: Likewise.
        reference_mean: Shape (n, 6).
        reference_std: Shape (n, 6).

    Returns:
        Quantity, or ``all``, to ``error``: |mean - reference| over the reference's SD; ``ratio``:
        SD over the reference's; ``uncertainty``: |ratio - 1|. ``worst``: the largest median error
        of a quantity, and the ratio furthest from 1. ``absent``: share without a number.
    """
    error = np.abs(mean - reference_mean) / reference_std
    ratio = std / reference_std
    there = np.isfinite(error) & np.isfinite(ratio)
    error, ratio = (np.where(there, values, np.nan) for values in (error, ratio))
    out: dict[str, Any] = {}
    for p, name in [*enumerate(QUANTITIES), (slice(None), "all")]:
        out[name] = {
            "error": float(np.nanmedian(error[:, p])),
            "ratio": float(np.nanmedian(ratio[:, p])),
            "uncertainty": float(np.nanmedian(np.abs(ratio[:, p] - 1.0))),
        }
    ratios = [out[name]["ratio"] for name in QUANTITIES]
    out["worst"] = {
        "error": max(out[name]["error"] for name in QUANTITIES),
        "ratio": max(ratios, key=lambda r: abs(r - 1.0)),
    }
    out["absent"] = float(1.0 - there.mean())
    return out


def sliced(samples: np.ndarray, reference: np.ndarray, directions: int) -> float:
    """Return the median sliced Wasserstein distance of the five parameters' draws.

    Args:
        samples: Shape (n, 6, S).
        reference: Shape (n, 6, R).
        directions: How many.
    """
    five = len(RATES)
    return float(
        np.median(
            [
                sliced_wasserstein(a[:five].T, b[:five].T, directions=directions, seed=_SLICED_SEED)
                for a, b in zip(samples, reference, strict=True)
            ]
        )
    )


def held(quantiles: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return whether each interval holds the truth, shape (n, 6, 4).

    Args:
        quantiles: At `TAILS`, shape (n, 6, 8).
        truth: Shape (n, 6).
    """
    half = len(INTERVALS)
    lower, upper = quantiles[..., :half][..., ::-1], quantiles[..., half:]
    return (truth[..., None] >= lower) & (truth[..., None] <= upper)


def coverage_by_level(
    inside: np.ndarray, level: np.ndarray, keep: np.ndarray | None = None
) -> dict[str, Any]:
    """Return coverage of all curves and of each noise level.

    Args:
        inside: Whether an interval holds the truth, shape (n, 6, 4).
        level: Noise level of each curve, shape (n,).
        keep: Curves that count, shape (n,); all if None.

    Returns:
        Group to ``share`` of curves that count, ``count``, ``coverage``: quantity to that of each
        of `INTERVALS`, and ``ends``: the least and the largest at 90 %; these only where any count.
    """
    keep = np.ones(len(inside), dtype=bool) if keep is None else keep
    out: dict[str, Any] = {}
    groups: Mapping[str, np.ndarray] = {
        "all": np.ones(len(inside), dtype=bool),
        **{f"{100 * value:g} %": level == value for value in _levels(level)},
    }
    at = INTERVALS.index(0.90)
    for name, members in groups.items():
        chosen = members & keep
        count = int(chosen.sum())
        out[name] = {"count": count, "share": count / max(int(members.sum()), 1)}
        if not count:
            continue
        found = inside[chosen].mean(axis=0)
        out[name] |= {
            "coverage": {q: found[i].tolist() for i, q in enumerate(QUANTITIES)},
            "ends": [float(found[:, at].min()), float(found[:, at].max())],
        }
    return out


def _levels(level: np.ndarray) -> Sequence[float]:
    known = [value for value in LEVELS if (level == value).any()]
    return known if len(known) > 1 else []
