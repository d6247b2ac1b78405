"""Slices of denoised images in the report of `betaplus benchmark denoise`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.wording import dose_name
from betaplus.report.benchmark.slice_sheet import slice_sheet
from betaplus.report.figures.canvas import Picture

__all__ = ["body_figure", "sphere_figure"]

_COLUMNS = ("noisy", "gaussian", "nlm", "mmse", "reference")
_METHODS = ("noisy", "gaussian", "nlm", "mmse")
_FREE = "without noise"


def body_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture | None:
    """Return coronal slices at 1/20, a row a group; None where there are none."""
    groups = [name for name in result["groups"] if f"{name}|reference" in images]
    if not groups:
        return None
    rows = [[images[f"{group}|{name}"] for name in _COLUMNS] for group in groups]
    tops = [1.2 * float(np.quantile(row[-1][row[-1] > 0.1], 0.98)) for row in rows]
    return slice_sheet(
        rows, groups, _COLUMNS, tops,
        "Coronal slices through the liver at 1/20 of the dose; reference: without noise",
    )  # fmt: skip


def sphere_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture | None:
    """Return the slice through the spheres, a row a dose; None where there is none."""
    if _FREE not in images:
        return None
    doses = [dose_name(dose) for dose in result["doses"]]
    rows = [[*(images[f"{dose}|{m}"] for m in _METHODS), images[_FREE]] for dose in doses]
    columns = (*_METHODS, _FREE)
    tops = [float(images[_FREE].max())] * len(rows)
    return slice_sheet(rows, doses, columns, tops, "Slice through the spheres, one noise draw")
