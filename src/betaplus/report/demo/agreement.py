"""Figures of posteriors beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.core.posterior import Posterior
from betaplus.core.units import PARAMETER_UNITS
from betaplus.report.elements import format_unit
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["intervals", "truth_scatter"]

_ROBUST = (0.5, 99.5)
_GROUPS = 16
_WIDEST = 2.0  # times the largest truth: where an axis ends at the latest
_METHOD_COLOURS = ("blue", "amber", "teal")


def truth_scatter(
    posterior: Posterior, truth: Mapping[str, np.ndarray], mask: np.ndarray, names: Sequence[str]
) -> Picture:
    """Return posterior medians of voxels against the truth, a panel per parameter.

    Args:
        posterior: Of the voxels.
        truth: Parameter to true values in the mask, shape (N,).
        mask: The voxels, shape (X, Y, Z).
        names: Parameters to draw.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(8.8, 3.1))
        grid = figure.add_gridspec(
            1, len(names), left=0.07, right=0.985, top=0.9, bottom=0.17, wspace=0.34
        )
        for i, name in enumerate(names):
            axes = figure.add_subplot(grid[0, i])
            x, y = truth[name], np.asarray(posterior[name].median)[mask]
            _density(axes, x, y)
            unit = format_unit(PARAMETER_UNITS[name])
            axes.set_title(f"{name} [{unit}]" if unit else name, weight="bold")
            axes.set_xlabel("truth")
            if i == 0:
                axes.set_ylabel("posterior median")
        return picture(figure, "png", f"{', '.join(names)}: posterior median against truth")


def _density(axes: Any, x: np.ndarray, y: np.ndarray) -> None:
    from matplotlib.colors import LogNorm

    both = np.concatenate([x, y])
    low, high = np.percentile(both, _ROBUST)
    pad = 0.03 * (high - low)
    low, high = max(low - pad, 0.0), high + pad
    axes.hist2d(
        x,
        y,
        bins=70,
        range=((low, high), (low, high)),
        cmap="Blues",
        norm=LogNorm(vmin=0.5),
    )
    axes.plot((low, high), (low, high), color=COLOURS["red"], lw=0.8, ls=(0, (5, 3)))
    order = np.argsort(x, kind="stable")
    parts = [part for part in np.array_split(order, _GROUPS) if part.size]
    axes.plot(
        [np.median(x[part]) for part in parts],
        [np.median(y[part]) for part in parts],
        "o",
        color=COLOURS["ink"],
        ms=2.8,
    )
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)


def intervals(
    posteriors: Mapping[str, Posterior],
    truth: Mapping[str, np.ndarray],
    curves: Sequence[str],
    names: Sequence[str],
) -> Picture:
    """Return the 90 % interval of every curve by each method, with the truth.

    Args:
        posteriors: Method to posterior of the curves.
        truth: Parameter to true values, shape (N,).
        curves: Names of the curves.
        names: Parameters to draw, a panel each.
    """
    from matplotlib.figure import Figure

    n = len(curves)
    with style():
        figure = Figure(figsize=(8.8, 0.9 + 0.3 * n))
        grid = figure.add_gridspec(
            1, len(names), left=0.1, right=0.985, top=1 - 0.42 / (0.9 + 0.3 * n), bottom=0.16,
            wspace=0.12,
        )  # fmt: skip
        for i, name in enumerate(names):
            axes = figure.add_subplot(grid[0, i])
            _rows(axes, posteriors, truth[name], name)
            unit = format_unit(PARAMETER_UNITS[name])
            axes.set_title(f"{name} [{unit}]" if unit else name, weight="bold")
            axes.set_yticks(range(n), curves if i == 0 else [""] * n)
            axes.set_ylim(n - 0.4, -0.6)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            plain_numbers(axes.xaxis)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=len(labels))
        return picture(figure, "svg", f"{', '.join(names)}: intervals of each curve and truth")


def _rows(axes: Any, posteriors: Mapping[str, Posterior], truth: np.ndarray, name: str) -> None:
    rows = np.arange(truth.size)
    for r in rows[::2]:
        axes.axhspan(r - 0.5, r + 0.5, color=COLOURS["line"], alpha=0.25, lw=0)
    shift = np.linspace(-0.16, 0.16, len(posteriors)) if len(posteriors) > 1 else [0.0]
    highest = float(np.nanmax(truth))
    for (method, posterior), colour, dy in zip(
        posteriors.items(), _METHOD_COLOURS, shift, strict=False
    ):
        q = posterior[name].quantiles
        low, middle, high = (np.asarray(q[level], dtype=float) for level in (0.05, 0.5, 0.95))
        axes.hlines(rows + dy, low, high, color=COLOURS[colour], lw=1.6)
        axes.plot(middle, rows + dy, "o", color=COLOURS[colour], ms=3.4, label=f"{method}, 90 %")
        highest = max(highest, min(float(np.nanmax(high)), _WIDEST * float(np.nanmax(truth))))
    axes.plot(truth, rows, "|", color=COLOURS["red"], ms=11, mew=1.5, label="truth", zorder=4)
    axes.set_xlim(0, 1.08 * highest)
