"""Slices of real images with noise added, in the report of `betaplus benchmark denoise`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.report.benchmark.slice_sheet import slice_sheet
from betaplus.report.figures.canvas import Picture

__all__ = ["real_figure"]

_COLUMNS = ("reference", "noisy", "gaussian", "nlm", "mmse")
_EVERY = "templates"  # of crops the first is enough


def real_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture | None:
    """Return a slice before and after, a row for each kind of image and noise; None without any."""
    rows, names, tops, known = [], [], [], set()
    for key in images:
        group, number, case, column = key.split("|")
        if column != "reference" or (group != _EVERY and (group, number) in known):
            continue
        known.add((group, number))
        row = [images[f"{group}|{number}|{case}|{name}"] for name in _COLUMNS]
        rows.append(row)
        names.append(f"{case}, {float(number):g}")
        tops.append(float(np.quantile(row[0][row[0] > 0.1], 0.99)))
    if not rows:
        return None
    return slice_sheet(
        rows, names, _COLUMNS, tops,
        "Real images; L of the noise that was added, of BrainWeb 06 the dose; the first column is"
        " the image that noise was added to",
    )  # fmt: skip
