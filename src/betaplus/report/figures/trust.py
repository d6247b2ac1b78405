"""The trust map: reliability of model probabilities, and how often misfits are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["misfit_panel", "reliability_panel"]

_Z = 1.96
_FEW = 20  # curves below which a bin is not drawn
_HUES = ("blue", "amber", "red", "teal")
_DASHES = (0, (4, 3))
_FALSE, _POWER = 5, 80  # %


def reliability_panel(
    reliability: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]],
    brier: Mapping[str, float],
    labels: Mapping[str, str],
    *,
    limit: float = 5.0,
    caption: object = "",
) -> Picture:
    """Return how often what was called probable was right, a panel for each group of curves.

    Error bars are 1.96 standard errors, on the first line only.

    Args:
        reliability: Way to find probabilities to group to bins with ``predicted``, ``observed``,
            ``standard_error`` and ``count``.
        brier: Way to its Brier score.
        labels: Way to its label; those named are drawn.
        limit: Half the width of the band around the diagonal [points].
        caption: Line above the figure.
    """
    from matplotlib.figure import Figure

    groups = list(next(iter(reliability.values())))
    width, height = 0.75 + 1.72 * len(groups), 2.55
    with style():
        figure = Figure(figsize=(width, height))
        grid = figure.add_gridspec(
            1, len(groups), left=0.6 / width, right=1 - 0.12 / width, top=1 - 0.38 / height,
            bottom=0.5 / height, wspace=0.12,
        )  # fmt: skip
        for i, group in enumerate(groups):
            axes = figure.add_subplot(grid[0, i])
            ends = np.array([0.0, 100.0])
            axes.fill_between(
                ends, ends - limit, ends + limit, color=COLOURS["pale"], alpha=0.5, lw=0, zorder=0
            )
            axes.plot(ends, ends, color=COLOURS["soft"], lw=0.7, ls=_DASHES, zorder=1)
            for k, (way, label) in enumerate(labels.items()):
                bins = [b for b in reliability[way][group] if b["count"] >= _FEW]
                x = [100 * b["predicted"] for b in bins]
                y = [100 * b["observed"] for b in bins]
                error = [100 * _Z * b["standard_error"] for b in bins] if k == 0 else None
                axes.errorbar(
                    x, y, error, color=COLOURS[_HUES[k % len(_HUES)]], fmt="o-", ms=3, lw=1.1,
                    elinewidth=0.8, zorder=4 - k, label=f"{label}, Brier {brier[way]:.3f}",
                )  # fmt: skip
            axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
            axes.text(
                0.05, 0.95, group, ha="left", va="top", transform=axes.transAxes, fontweight="bold"
            )
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_ticks((0, 25, 50, 75, 100))
                plain_numbers(axis)
            axes.tick_params(labelleft=i == 0)
            if i == 0:
                axes.set_ylabel("found right [%]")
                handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="upper center", ncols=len(labels), borderaxespad=0.2)
        figure.text(0.5, 0.06 / height, "probability said [%]", ha="center", fontsize=8.5)
        return picture(figure, "svg", "Reliability of model probabilities", caption)


def misfit_panel(
    late_sd: Sequence[float],
    cases: Mapping[str, Mapping[str, Any]],
    *,
    caption: object = "",
) -> Picture:
    """Return the share of curves that are called misfits, a row for each case.

    Marks are at 5 % for curves that the model describes, and at 80 % for the others; colours are
    noise levels, relative SD of late frames.

    Args:
        late_sd: Relative SD of late frames, shape (L,).
        cases: Name to ``right`` (whether the model is) and ``rate``, shape (L,).
        caption: Line above the figure.
    """
    from matplotlib.figure import Figure

    left, width, height = 2.75, 7.1, 0.8 + 0.24 * len(cases)
    with style():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes(
            (left / width, 0.45 / height, 1 - (left + 0.15) / width, 1 - 0.75 / height)
        )
        for row, case in enumerate(cases.values()):
            axes.axhline(row, color=COLOURS["line"], lw=0.6, zorder=0)
            wanted = _FALSE if case["right"] else _POWER
            axes.plot((wanted, wanted), (row - 0.4, row + 0.4), color=COLOURS["soft"], lw=1.2)
            for k, rate in enumerate(case["rate"]):
                label = f"SD {100 * late_sd[k]:g} %" if row == 0 else None
                axes.plot(
                    100 * rate, row, "o", ms=5, mew=0, color=COLOURS[_HUES[k % len(_HUES)]],
                    alpha=0.85, label=label, zorder=2,
                )  # fmt: skip
        axes.set_yticks(range(len(cases)), list(cases))
        axes.set(xlim=(-1, 101), ylim=(len(cases) - 0.5, -0.5), xlabel="found [%]")
        plain_numbers(axes.xaxis)
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc="upper right", ncols=len(late_sd), borderaxespad=0.1)
        return picture(figure, "svg", "Share of curves that are called misfits", caption)
