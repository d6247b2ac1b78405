"""Curves of regions: what was measured, its two parts, and the tracers by several methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.pipeline.separation.result import SeparateRun
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style
from betaplus.report.figures.curves import display_unit

__all__ = ["mixture_curves", "shown_regions", "tracer_curves"]

_MOST = 6
_WIDE, _TALL = 3.1, 2.35  # in: of a panel
_SUM, _TRACER = "blue", ("amber", "red")  # as in the viewer
_METHOD = ("teal", "amber")


def shown_regions(result: SeparateRun) -> list[int]:
    """Return which regions are drawn: all tissue and the largest ones."""
    curves = result.curves
    order = np.argsort(-curves.voxels[1:], kind="stable")[: _MOST - 1] + 1
    return [0, *sorted(int(i) for i in order)]


def mixture_curves(result: SeparateRun) -> Picture:
    """Return the measured curve of regions with the fit and its two parts."""
    study, curves = result.fit.study, result.curves
    decay = study.problem.decay
    frames = study.mixing.frames
    labels = [one.label for one in study.tracers]
    factor, unit = display_unit(float(curves.mixture[shown_regions(result)].max()), "Bq/mL")

    def draw(axes: Any, r: int) -> None:
        half = 0.5 * frames.duration / SECONDS_PER_MINUTE
        t = frames.mid / SECONDS_PER_MINUTE
        y = factor * curves.mixture[r]
        axes.hlines(y, t - half, t + half, color=COLOURS["ink"], lw=1.2, label="measured", zorder=3)
        parts = factor * decay * curves.pair[:, r]
        axes.plot(t, parts.sum(0), color=COLOURS[_SUM], lw=1.0, label="sum of both")
        for part, seen, name, colour in zip(parts, decay > 0, labels, _TRACER, strict=True):
            axes.plot(t[seen], part[seen], color=COLOURS[colour], lw=1.0, label=name)
        axes.set_ylabel(f"[{unit}]", labelpad=1)

    return _panels(result, draw, "Measured curves of regions, their fit and its two parts")


def tracer_curves(result: SeparateRun, index: int) -> Picture:
    """Return the curve of one tracer in regions, by the method and by others."""
    study, curves = result.fit.study, result.curves
    frames = study.mixing.frames
    seen = study.problem.seen[index]
    t = frames.mid[seen] / SECONDS_PER_MINUTE
    largest = float(curves.pair[index, shown_regions(result)][:, seen].max())
    factor, unit = display_unit(largest, "Bq/mL")

    def draw(axes: Any, r: int) -> None:
        mine = curves.pair[index, r, seen]
        for (name, found), colour in zip(curves.references.items(), _METHOD, strict=False):
            axes.plot(t, factor * found[index, r, seen], color=COLOURS[colour], lw=0.9, label=name)
        axes.plot(
            t,
            factor * mine,
            color=COLOURS["ink"],
            lw=1.2,
            label=result.fit.method,
            marker=".",
            ms=3,
        )
        top = float(mine.max()) * factor
        axes.set_ylim(min(0.0, 1.1 * factor * float(mine.min())), 1.25 * top if top > 0 else 1.0)
        axes.set_ylabel(f"[{unit}]", labelpad=1)

    name = study.tracers[index].label
    return _panels(result, draw, f"{name} in regions by several methods")


def _panels(result: SeparateRun, draw: Any, alt: str) -> Picture:
    from matplotlib.figure import Figure

    shown = shown_regions(result)
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    with style():
        figure = Figure(figsize=(_WIDE * columns, _TALL * rows + 0.3), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, r in zip(grid, shown, strict=False):
            draw(axes, r)
            name = result.curves.names[r]
            axes.set_title("all tissue" if r == 0 else name, weight="bold")
            axes.set_xlabel("time [min]", labelpad=1)
            plain_numbers(axes.xaxis)
            plain_numbers(axes.yaxis)
            axes.axvline(
                result.fit.study.problem.injections[1] / SECONDS_PER_MINUTE,
                color=COLOURS["line"], lw=0.8, zorder=0,
            )  # fmt: skip
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        return picture(figure, "svg", alt, alt)
