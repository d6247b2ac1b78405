"""A parameter of all regions and scans in one figure: a row a region, a point a scan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.pipeline.bids.group import Row
from betaplus.report.elements import format_unit
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["strip_panel"]

_MOST_REGIONS = 36
_HUES = ("blue", "red", "teal", "amber", "ink")
_WIDE = 50.0  # largest over smallest value beyond which the axis is logarithmic


def strip_panel(rows: Sequence[Row], parameter: str, *, caption: object = "") -> Picture:
    """Return values of a parameter by region, coloured by session, with the 5 to 95 % interval.

    Args:
        rows: Numbers of all scans.
        parameter: Which to draw.
        caption: Line above the figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    mine = [r for r in rows if r.value.parameter == parameter and np.isfinite(r.value.centre)]
    regions = _spread_out(list(dict.fromkeys(row.value.region for row in mine)))
    mine = [row for row in mine if row.value.region in regions]
    sessions = sorted({row.record.entities.get("ses") or "" for row in mine})
    width, height = 8.4, 0.95 + 0.2 * len(regions)
    unit = format_unit(mine[0].value.unit) if mine else ""
    values = np.array([row.value.centre for row in mine])
    with style():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0.27, 0.5 / height, 0.7, 1 - 0.85 / height))
        for place, region in enumerate(regions):
            axes.axhline(place, color=COLOURS["line"], lw=0.5, zorder=0)
            members = [row for row in mine if row.value.region == region]
            shift = np.linspace(-0.28, 0.28, len(members)) if len(members) > 1 else [0.0]
            for row, dy in zip(members, shift, strict=True):
                session = row.record.entities.get("ses") or ""
                colour = COLOURS[_HUES[sessions.index(session) % len(_HUES)]]
                low, high = row.value.q05, row.value.q95
                if np.isfinite(low) and np.isfinite(high):
                    axes.hlines(place + dy, low, high, color=colour, lw=0.7, alpha=0.45)
                axes.plot(row.value.centre, place + dy, "o", ms=3.2, mew=0, color=colour)
            middle = float(np.median([row.value.centre for row in members]))
            axes.vlines(middle, place - 0.36, place + 0.36, color=COLOURS["ink"], lw=1.2)
        if (values > 0).all() and values.max() > _WIDE * values.min():
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        else:
            _limit(axes, values)
        plain_numbers(axes.xaxis)
        axes.set_ylim(len(regions) - 0.4, -0.6)
        axes.set_yticks(range(len(regions)), regions)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"{parameter} [{unit}]" if unit else parameter)
        if len(sessions) > 1:
            for i, session in enumerate(sessions):
                hue = COLOURS[_HUES[i % len(_HUES)]]
                axes.plot([], [], "o", ms=4, mew=0, color=hue, label=session or "no session")
            figure.legend(loc="upper right", ncols=min(len(sessions), 5), borderaxespad=0.2)
        return picture(figure, "svg", f"{parameter} of each region, a point for each scan", caption)


def _limit(axes: object, values: np.ndarray) -> None:
    """Let the axis hold the values; intervals may go beyond it."""
    low, high = float(values.min()), float(values.max())
    pad = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_xlim(low - pad, high + pad)  # type: ignore[attr-defined]


def _spread_out(regions: list[str]) -> list[str]:
    """Return all of a few regions, else some spread over their list."""
    if len(regions) <= _MOST_REGIONS:
        return regions
    at = np.linspace(0, len(regions) - 1, _MOST_REGIONS)
    return [regions[round(float(i))] for i in at]
