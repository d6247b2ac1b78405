"""Slices of denoised images in the report of `betaplus benchmark denoise`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.report.figures.canvas import Picture, picture, style

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
    return _sheet(
        rows, groups, _COLUMNS, tops,
        "Coronal slices through the liver at 1/20 of the dose; reference: without noise",
    )  # fmt: skip


def sphere_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture | None:
    """Return the slice through the spheres, a row a dose; None where there is none."""
    if _FREE not in images:
        return None
    doses = [f"1/{1 / dose:.0f}" for dose in result["doses"]]
    rows = [[*(images[f"{dose}|{m}"] for m in _METHODS), images[_FREE]] for dose in doses]
    columns = (*_METHODS, _FREE)
    tops = [float(images[_FREE].max())] * len(rows)
    return _sheet(rows, doses, columns, tops, "Slice through the spheres, one noise draw")


def _sheet(
    rows: list[list[np.ndarray]],
    names: list[str],
    columns: tuple[str, ...],
    tops: list[float],
    caption: str,
) -> Picture:
    from matplotlib.figure import Figure

    x, y = rows[0][0].shape
    wide = 1.9
    with style():
        figure = Figure(
            figsize=(wide * len(columns), (wide * y / x + 0.25) * len(rows)), layout="constrained"
        )
        grid = figure.subplots(len(rows), len(columns), squeeze=False)
        for line, row, name, top in zip(grid, rows, names, tops, strict=True):
            for axes, image, column in zip(line, row, columns, strict=True):
                axes.imshow(image.T, origin="lower", cmap="gray_r", vmin=0.0, vmax=top)
                axes.set_xticks([])
                axes.set_yticks([])
                axes.spines[:].set_visible(False)
                if row is rows[0]:
                    axes.set_title(column)
            line[0].set_ylabel(name)
        return picture(figure, "png", caption, caption)
