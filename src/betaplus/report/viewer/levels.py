"""Voxel values as a byte each: fine steps where the colours are, coarse ones outside."""

from __future__ import annotations

import numpy as np

__all__ = ["OUTSIDE", "to_levels"]

OUTSIDE = 0
"""Code of voxels that are not drawn."""

_LEVELS = 255
_WITHIN = 200  # levels between the ends of the colours
_BELOW = 20  # levels under the lower end, where any voxel is


def to_levels(
    values: np.ndarray, keep: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return codes and the values that codes 1, 2, ... stand for.

    Between the ends of the colours a value is off by at most 1/398 of their distance; above and
    below levels widen towards the largest and the smallest value.

    Args:
        values: Of any shape.
        keep: Which of them are drawn, likewise bool.
        low: Where the colours begin.
        high: Where they end; above `low`.

    Returns:
        Codes of the shape of `values`, uint8 with `OUTSIDE` for what is not drawn or no number,
        and the levels, ascending, shape (L,) with L at most 255.
    """
    drawn = keep & np.isfinite(values)
    kept = np.asarray(values, dtype=np.float64)[drawn]
    least, most = (kept.min(), kept.max()) if kept.size else (low, high)
    parts = [np.linspace(low, high, _WITHIN)]
    if least < low:
        parts.insert(0, low - (low - least) * (np.arange(_BELOW, 0, -1) / _BELOW) ** 2)
    if most > high:
        above = _LEVELS - sum(part.size for part in parts)
        parts.append(high + (most - high) * (np.arange(1, above + 1) / above) ** 2)
    levels = np.concatenate(parts)
    codes = np.zeros(drawn.shape, dtype=np.uint8)
    middle = 0.5 * (levels[1:] + levels[:-1])
    codes[drawn] = np.searchsorted(middle, kept).astype(np.uint8) + 1
    return codes, levels
