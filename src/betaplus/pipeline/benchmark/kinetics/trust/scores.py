"""How good probabilities are: reliability diagram and Brier score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["ENOUGH", "brier", "paired", "reliability"]

ENOUGH = 300
"""Curves that a bin needs to be judged: the standard error is 2.9 points at most."""

_BINS = 10


def brier(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the Brier score of each curve, 0 for certainty of the right model to 2 of a wrong one.

    The sum of squared differences over all models (Brier, Mon Weather Rev 1950).

    Args:
        probability: Shape (n, M), rows of sum 1.
        truth: Index of the right model, shape (n,).
    """
    right = np.eye(probability.shape[1])[truth]
    return ((probability - right) ** 2).sum(axis=1)


def paired(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Return the mean of `theirs - ours`, shape (n,), and its standard error."""
    difference = theirs - ours
    return {
        "mean": float(difference.mean()),
        "standard_error": float(difference.std(ddof=1) / np.sqrt(len(difference))),
    }


def reliability(
    probability: np.ndarray, truth: np.ndarray, models: Sequence[str]
) -> dict[str, Any]:
    """Return predicted and observed frequencies in bins of even width.

    Args:
        probability: Shape (n, M).
        truth: Index of the right model, shape (n,).
        models: Names of the models.

    Returns:
        ``groups``: ``all`` (every model of every curve) and each model, to bins with ``count``,
        ``predicted`` (mean probability), ``observed`` (share of right ones) and
        ``standard_error``; ``worst``: the same to the largest difference in a bin of `ENOUGH`
        or more; ``calibration_error``: to the mean of differences weighted by counts.
    """
    right = np.eye(probability.shape[1], dtype=bool)[truth]
    pairs = {"all": (probability.ravel(), right.ravel())}
    pairs |= {name: (probability[:, k], right[:, k]) for k, name in enumerate(models)}
    groups = {name: _bins(*pair) for name, pair in pairs.items()}
    return {
        "groups": groups,
        "worst": {name: _worst(bins) for name, bins in groups.items()},
        "calibration_error": {
            name: sum(b["count"] * abs(b["observed"] - b["predicted"]) for b in bins)
            / sum(b["count"] for b in bins)
            for name, bins in groups.items()
        },
    }


def _bins(probability: np.ndarray, right: np.ndarray) -> list[dict[str, float]]:
    place = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    out = []
    for k in range(_BINS):
        p, hit = probability[place == k], right[place == k]
        if p.size:
            spread = float(np.sqrt((p * (1 - p)).sum())) / p.size
            out.append(
                {
                    "low": k / _BINS,
                    "high": (k + 1) / _BINS,
                    "count": int(p.size),
                    "predicted": float(p.mean()),
                    "observed": float(hit.mean()),
                    "standard_error": spread,
                }
            )
    return out


def _worst(bins: list[dict[str, float]]) -> dict[str, float] | None:
    judged = [b for b in bins if b["count"] >= ENOUGH]
    if not judged:
        return None
    at = max(judged, key=lambda b: abs(b["observed"] - b["predicted"]))
    return {**at, "difference": at["observed"] - at["predicted"]}
