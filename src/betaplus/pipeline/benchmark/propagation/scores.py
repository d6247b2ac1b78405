"""What intervals of a way are worth: coverage, width, error over SD, as stated and calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm

from betaplus.denoising.intervals import conformal_factor
from betaplus.pipeline.benchmark.propagation.ways import WAYS

__all__ = ["KINDS", "LEVELS", "calibrated", "factors", "scores"]

KINDS = ("region", "voxel")
LEVELS = (0.5, 0.9)
"""Of the intervals."""

Row = Mapping[str, Any]


def scores(rows: Sequence[Row], way: str, kind: str) -> dict[str, Any]:
    """Return how good the Ki of a way is as it stands.

    Args:
        rows: Studies.
        way: Its name.
        kind: ``region`` or ``voxel``.

    Returns:
        ``held``: share of truths inside the mean -+ a normal quantile times the SD, by level, and
        ``held_se``: its standard error over studies; ``width`` of 90 % intervals, ``rmse``, ``sd``
        (root mean square), ``bias`` and ``bias_se`` [mL/cm3/min]; ``ratio``: RMSE over SD.
    """
    errors, sds = zip(*(_pair(row, way, kind) for row in rows), strict=True)
    error, sd = np.concatenate(errors), np.concatenate(sds)
    rmse, mean_sd = (float(np.sqrt(np.mean(np.square(v)))) for v in (error, sd))
    limits = [_normal(level) for level in LEVELS]
    return {
        **_held(errors, sds, limits),
        "width": float(2.0 * limits[1] * sd.mean()),
        "rmse": rmse, "sd": mean_sd, "ratio": rmse / mean_sd,
        "bias": float(error.mean()), "bias_se": _spread([e.mean() for e in errors]),
    }  # fmt: skip


def factors(rows: Sequence[Row]) -> dict[tuple[str, str], list[float]]:
    """Return the half width over SD that intervals of each level need on these studies.

    Split conformal prediction in which every study has one vote
    (`betaplus.denoising.intervals.conformal_factor`), for every way and kind alike.
    """
    found = {}
    for way in WAYS:
        for kind in KINDS:
            ratios, owners = [], []
            for row in rows:
                error, sd = _pair(row, way, kind)
                ratios.append(np.abs(error) / sd)
                owners += [row["seed"]] * error.size
            every = np.concatenate(ratios)
            found[way, kind] = [conformal_factor(every, owners, level).factor for level in LEVELS]
    return found


def calibrated(rows: Sequence[Row], way: str, kind: str, limits: Sequence[float]) -> dict[str, Any]:
    """Return coverage and width of 90 % intervals with half widths of `limits` times the SD."""
    errors, sds = zip(*(_pair(row, way, kind) for row in rows), strict=True)
    return {
        **_held(errors, sds, limits),
        "factor": limits[1] / _normal(LEVELS[1]),
        "width": float(2.0 * limits[1] * np.concatenate(sds).mean()),
    }


def _pair(row: Row, way: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    error = np.array(row[way][kind]) - np.array(row["truth"][kind])
    return error, np.maximum(np.array(row[way][f"{kind}_sd"]), 1e-9)


def _held(
    errors: Sequence[np.ndarray], sds: Sequence[np.ndarray], limits: Sequence[float]
) -> dict[str, list[float]]:
    held, spread = [], []
    for limit in limits:
        inside = [np.abs(e) <= limit * s for e, s in zip(errors, sds, strict=True)]
        held.append(float(np.concatenate(inside).mean()))
        spread.append(_spread([part.mean() for part in inside]))
    return {"held": held, "held_se": spread}


def _spread(values: Sequence[float]) -> float:
    """Return the standard error of a mean over studies."""
    if len(values) < 2:
        return float("nan")
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _normal(level: float) -> float:
    return float(norm.ppf(0.5 + 0.5 * level))
