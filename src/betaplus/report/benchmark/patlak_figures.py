"""Slices of Ki, and Ki NRMSE against dose, in the report of `betaplus benchmark patlak`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.patlak.slices import SHOWN, TRUTH
from betaplus.pipeline.benchmark.patlak.summary import summarise
from betaplus.pipeline.benchmark.rows import select
from betaplus.report.benchmark.slice_sheet import slice_sheet
from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["dose_figure", "slices_figure"]

_COLUMNS = (TRUTH, *SHOWN)
_TITLES = {TRUTH: "without noise"}
_CURVES = {
    "gaussian": "#56B4E9", "nlm": "#d08a1d", "kernel": "#8a6fb0", "tv": "#3c8d5a",
    "red-diff": "#5b666d", "hqs": "#b2402f",
}  # fmt: skip
_TOP = 0.995  # quantile of the truth that is black


def slices_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture | None:
    """Return coronal slices of Ki at 1/10, a row a person; None where there are none."""
    people = [
        person["name"]
        for person in result["people"]
        if all(f"{person['name']}|{column}" in images for column in _COLUMNS)
    ]
    if not people:
        return None
    rows = [[images[f"{name}|{column}"] for column in _COLUMNS] for name in people]
    tops = [float(np.quantile(row[0][row[0] > 0.0], _TOP)) for row in rows]
    return slice_sheet(
        rows, people, [_TITLES.get(column, column) for column in _COLUMNS], tops,
        "Ki at 1/10 of the dose, coronal slices through the lesion with the most Ki",
    )  # fmt: skip


def dose_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture | None:
    """Return Ki NRMSE against dose, a panel an anatomy; None for a single dose."""
    from matplotlib.figure import Figure

    doses = result["doses"]
    if len(doses) < 2:
        return None
    anatomies = list(dict.fromkeys(row["anatomy"] for row in result["rows"]))
    fractions = [1.0 / dose for dose in doses]
    with style():
        figure = Figure(figsize=(3.0 * len(anatomies) + 0.6, 3.0), layout="constrained")
        panels = figure.subplots(1, len(anatomies), squeeze=False)[0]
        for axes, anatomy in zip(panels, anatomies, strict=True):
            for method, colour in _CURVES.items():
                rows = select(result["rows"], anatomy=anatomy, method=method)
                if rows:
                    values = [summarise(select(rows, dose=dose)).Ki for dose in doses]
                    axes.loglog(
                        fractions, values, color=colour, marker="o", markersize=3, label=method
                    )
            axes.set_title(anatomy)
            axes.set_xlabel("dose reduction factor")
            axes.set_xticks(fractions, [f"{f:.0f}" for f in fractions])
            axes.minorticks_off()
        panels[0].set_ylabel("Ki NRMSE in the body")
        panels[0].legend()
        caption = "Ki NRMSE in the body against dose, each method tuned on other people"
        return picture(figure, "png", caption, caption)
