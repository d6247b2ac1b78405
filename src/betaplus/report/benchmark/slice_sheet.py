"""Slices of images side by side: a row a subject, a column a method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["slice_sheet"]

_WIDE = 1.9  # inches a slice


def slice_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    names: Sequence[str],
    columns: Sequence[str],
    tops: Sequence[float],
    caption: str,
) -> Picture:
    """Return a picture of slices.

    Args:
        rows: Slices of every row, each shape (X, Y).
        names: Of the rows.
        columns: Of the columns.
        tops: Of every row the value that is black, in its images' unit; 0 is white.
        caption: Of the picture.
    """
    from matplotlib.figure import Figure

    x, y = rows[0][0].shape
    with style():
        figure = Figure(
            figsize=(_WIDE * len(columns), (_WIDE * y / x + 0.25) * len(rows)), layout="constrained"
        )
        grid = figure.subplots(len(rows), len(columns), squeeze=False)
        for line, row, name, top in zip(grid, rows, names, tops, strict=True):
            for axes, image in zip(line, row, strict=True):
                axes.imshow(image.T, origin="lower", cmap="gray_r", vmin=0.0, vmax=top)
                axes.set_xticks([])
                axes.set_yticks([])
                axes.spines[:].set_visible(False)
            line[0].set_ylabel(name)
        for axes, column in zip(grid[0], columns, strict=True):
            axes.set_title(column)
        return picture(figure, "png", caption, caption)
