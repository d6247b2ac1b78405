"""Methods side by side: their accuracy, and their posteriors of real voxels overlaid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from betaplus.core.units import PARAMETER_UNITS
from betaplus.report.elements import format_unit
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["accuracy_panel", "voxel_panel"]

_LINES: Mapping[str, tuple[str, Any, float]] = {
    "NUTS": (COLOURS["ink"], "-", 1.5),
    "consistency, raw": (COLOURS["red"], "-", 1.1),
    "consistency, re-weighted": (COLOURS["red"], (0, (1, 1)), 1.3),
    "flow, raw": (COLOURS["amber"], "-", 1.0),
    "flow, re-weighted": (COLOURS["amber"], (0, (1, 1)), 1.3),
    "ddpm": (COLOURS["teal"], "-", 1.0),
    "score": (COLOURS["teal"], (0, (1, 1)), 1.3),
    "abc, smc": ("#7a5aa6", "-", 1.0),
    "abc, rejection": ("#7a5aa6", (0, (1, 1)), 1.3),
    "consistency-published": ("#5a8f3c", (0, (5, 2)), 1.1),
}
_SMOOTH = 1.1  # width of the smoothing [bins]
_TALLEST = 1.6  # of the panel, in heights of the trusted curve


def accuracy_panel(
    rows: Sequence[Mapping[str, Any]], quantities: Sequence[str], *, caption: object = ""
) -> Picture:
    """Return error of the mean and of the SD by method, a mark for each quantity.

    Args:
        rows: ``label`` and ``accuracy`` of each method.
        quantities: What is marked.
        caption: Line above the figure.
    """
    from matplotlib.figure import Figure

    hues = [*(COLOURS[name] for name in ("blue", "red", "teal", "amber")), "#7a5aa6", "#1d2327"]
    left, width, height = 1.75, 7.4, 0.85 + 0.24 * len(rows)
    with style():
        figure = Figure(figsize=(width, height))
        grid = figure.add_gridspec(
            1, 2, left=left / width, right=1 - 0.15 / width, top=1 - 0.35 / height,
            bottom=0.5 / height, wspace=0.1,
        )  # fmt: skip
        for column, (key, title) in enumerate(
            (("error", "error of mean [reference SD]"), ("uncertainty", "|SD ratio \u2212 1|"))
        ):
            axes = figure.add_subplot(grid[0, column])
            for row, method in enumerate(rows):
                axes.axhline(row, color=COLOURS["line"], lw=0.6, zorder=0)
                for q, name in enumerate(quantities):
                    axes.plot(
                        max(method["accuracy"][name][key], 1e-4), row, "o", ms=4.5, mew=0,
                        color=hues[q % len(hues)], alpha=0.85, label=name if row == 0 else None,
                    )  # fmt: skip
            axes.set_xscale("log")
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_xlabel(title)
            plain_numbers(axes.xaxis)
            axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
            axes.tick_params(labelleft=column == 0)
            if column == 0:
                handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="upper right", ncols=len(quantities), borderaxespad=0.2)
        return picture(figure, "svg", "Errors of means and of SDs by method", caption)


def voxel_panel(
    quantities: Mapping[str, Mapping[str, Any]],
    *,
    kind: Literal["svg", "png"] = "svg",
    title: str = "",
    caption: object = "",
) -> Picture:
    """Return the marginal posteriors of one voxel by all methods, smoothed histograms.

    Args:
        quantities: Name to ``edges``, shape (B + 1,), and ``methods``: label to ``density``,
            shape (B,). The first method is filled.
        kind: Format.
        title: Line inside the figure.
        caption: Line above the figure.
    """
    from matplotlib.figure import Figure

    columns, rows = 3, -(-len(quantities) // 3)
    width, height = 9.0, 0.75 + 1.75 * rows
    with style():
        figure = Figure(figsize=(width, height))
        grid = figure.add_gridspec(
            rows, columns, left=0.015, right=0.985, top=1 - 0.62 / height, bottom=0.45 / height,
            hspace=0.42, wspace=0.06,
        )  # fmt: skip
        handles: Any = ([], [])
        for i, (name, part) in enumerate(quantities.items()):
            axes = figure.add_subplot(grid[i // columns, i % columns])
            edges = np.asarray(part["edges"])
            middle = 0.5 * (edges[1:] + edges[:-1])
            top = 0.0
            for k, (label, method) in enumerate(part["methods"].items()):
                density = _smoothed(np.asarray(method["density"]))
                if k == 0:
                    axes.fill_between(
                        middle, density, color=COLOURS["pale"], lw=0, label=label, zorder=0
                    )
                    top = density.max()
                    continue
                colour, dashes, thick = _LINES.get(label, (COLOURS["soft"], "-", 1.0))
                axes.plot(middle, density, color=colour, ls=dashes, lw=thick, label=label)
            tallest = max((line.get_ydata().max() for line in axes.lines), default=top)
            axes.set_ylim(0, 1.04 * min(max(tallest, top), _TALLEST * top))
            axes.set_xlim(edges[0], edges[-1])
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            unit = format_unit(PARAMETER_UNITS.get(name, ""))
            axes.set_xlabel(f"{name} [{unit}]" if unit else name, labelpad=1)
            axes.locator_params(axis="x", nbins=5)
            plain_numbers(axes.xaxis)
            handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="upper center", ncols=6, borderaxespad=0.2, columnspacing=1.2)
        figure.text(0.015, 1 - 0.5 / height, title, ha="left", va="top", fontsize=9)
        return picture(figure, kind, "Marginal posteriors of a voxel by all methods", caption)


def _smoothed(density: np.ndarray) -> np.ndarray:
    reach = np.arange(-4, 5)
    kernel = np.exp(-0.5 * (reach / _SMOOTH) ** 2)
    return np.convolve(density, kernel / kernel.sum(), mode="same")
