"""Time-activity curves with what the posterior predicts for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.units import SECONDS_PER_MINUTE, activity_factor
from betaplus.report.elements import Html, to_html
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["EARLY", "curve_panel", "display_unit", "split_time"]

EARLY = 180.0
"""The first part of a scan that is drawn on a time axis of its own [s]."""

_FEWEST = 4  # frames in the early part that are worth an axis
_BAND = 1.96


def display_unit(largest: float, unit: str) -> tuple[float, str]:
    """Return a factor and the unit it leads to, for numbers that are easy to read."""
    if unit == "Bq/mL" and largest >= 2000:
        return activity_factor("Bq/mL", "kBq/mL"), "kBq/mL"
    return 1.0, unit


def split_time(frames: FrameTiming) -> float | None:
    """Return the end of the early part [s], or None where one axis shows it all."""
    start, end = float(frames.start[0]), float(frames.end[-1])
    edges = frames.end[frames.end <= start + EARLY + 1e-6]
    late = end - start - EARLY
    return float(edges[-1]) if edges.size >= _FEWEST and late > EARLY else None


def curve_panel(
    frames: FrameTiming,
    tac: np.ndarray,
    mean: np.ndarray | None,
    std: np.ndarray | None,
    sigma: np.ndarray | None,
    name: str,
    unit: str,
    *,
    caption: str = "",
) -> Picture:
    """Return a curve with its predictive bands, and the standardised residuals beneath.

    A bar is as wide as its frame, its error bar one noise SD. The dark band is the noise-free
    curve (mean +- 1.96 std), the light band what a new measurement would give
    (mean +- 1.96 sqrt(std^2 + sigma^2)). Residuals are (measured - mean) / sigma.

    Args:
        frames: Timing of the T frames.
        tac: Measured frame means, shape (T,) [unit].
        mean: Posterior mean of the noise-free curve, likewise; None draws the curve alone.
        std: Its posterior SD, likewise, or None.
        sigma: SD of the noise, likewise, or None.
        name: Name of the region.
        unit: Activity unit.
        caption: What to say beside the name.
    """
    from matplotlib.figure import Figure

    nothing = np.full(len(frames), np.nan)
    y, m, s, e = (
        nothing if v is None else np.asarray(v, dtype=np.float64) for v in (tac, mean, std, sigma)
    )
    tops = np.concatenate([y, m + _BAND * np.hypot(np.nan_to_num(s), np.nan_to_num(e))])
    factor, unit = display_unit(float(np.nanmax(tops, initial=0.0)), unit)
    y, m, s, e = factor * y, factor * m, factor * s, factor * e
    residual = np.divide(y - m, e, out=np.full_like(y, np.nan), where=e > 0)
    split = split_time(frames)
    has_residual = bool(np.isfinite(residual).any())
    with style():
        figure = Figure(figsize=(5.1, 3.9 if has_residual else 3.0))
        grid = figure.add_gridspec(
            2 if has_residual else 1,
            2 if split else 1,
            height_ratios=(3.2, 1) if has_residual else None,
            width_ratios=(1, 1.35) if split else None,
            left=0.125, right=0.985, top=0.975, bottom=0.125, wspace=0.05, hspace=0.12,
        )  # fmt: skip
        columns = grid.ncols
        upper = [figure.add_subplot(grid[0, c]) for c in range(columns)]
        lower = [figure.add_subplot(grid[1, c]) for c in range(columns)] if has_residual else []
        for axes in upper:
            _curve(axes, frames, y, m, s, e)
        for axes in lower:
            _residuals(axes, frames, residual)
        _limits(upper, _extent(y, m, s, e))
        worst = float(np.nanmax(np.abs(residual[np.isfinite(residual)]), initial=3.0))
        _limits(lower, (-1.12 * worst, 1.12 * worst))
        _time_axes(upper, frames, split, labelled=not lower)
        _time_axes(lower, frames, split, labelled=True)
        upper[0].set_ylabel(f"activity [{unit}]")
        if lower:
            lower[0].set_ylabel("residual [SD]")
        figure.align_ylabels([row[0] for row in (upper, lower) if row])
        figure.text(0.555, 0.012, "time [min]", ha="center", va="bottom", fontsize=8.5)
        if np.isfinite(m).any():
            upper[-1].legend(loc="best", handlelength=1.6)
        line = Html(f"<b>{to_html(name)}</b> {to_html(caption)}".strip())
        return picture(figure, "svg", f"Time-activity curve of {name}", line)


def _curve(axes: Any, frames: FrameTiming, y: Any, m: Any, s: Any, e: Any) -> None:
    t = frames.mid / SECONDS_PER_MINUTE
    half = 0.5 * frames.duration / SECONDS_PER_MINUTE
    wide = _BAND * np.hypot(np.nan_to_num(s), e)
    axes.fill_between(
        t, m - wide, m + wide, color=COLOURS["pale"], alpha=0.55, lw=0, label="95 % of measurements"
    )
    axes.fill_between(
        t, m - _BAND * s, m + _BAND * s, color=COLOURS["blue"], alpha=0.38, lw=0,
        label="95 % of the curve",
    )  # fmt: skip
    axes.plot(t, m, color=COLOURS["blue"], lw=1.1, label="posterior mean")
    axes.errorbar(t, y, yerr=np.nan_to_num(e), fmt="none", ecolor=COLOURS["soft"], elinewidth=0.6)
    axes.hlines(y, t - half, t + half, color=COLOURS["ink"], lw=1.3, zorder=3, label="measured")
    axes.plot(t, y, ".", color=COLOURS["ink"], ms=3, zorder=3)


def _residuals(axes: Any, frames: FrameTiming, residual: np.ndarray) -> None:
    t = frames.mid / SECONDS_PER_MINUTE
    axes.axhspan(-2, 2, color=COLOURS["pale"], alpha=0.4, lw=0)
    for level in (-2, 2):
        axes.axhline(level, color=COLOURS["blue"], lw=0.6, ls=(0, (4, 3)))
    axes.axhline(0, color=COLOURS["soft"], lw=0.6)
    axes.vlines(t, 0, residual, color=COLOURS["ink"], lw=0.7)
    axes.plot(t, residual, ".", color=COLOURS["ink"], ms=3.2)
    axes.set_yticks((-2, 0, 2))
    plain_numbers(axes.yaxis)


def _extent(y: Any, m: Any, s: Any, e: Any) -> tuple[float, float]:
    wide = _BAND * np.hypot(np.nan_to_num(s), np.nan_to_num(e))
    bar = np.nan_to_num(e)
    values = np.concatenate([y - bar, y + bar, m - wide, m + wide])
    values = values[np.isfinite(values)]
    low, high = min(values.min(initial=0.0), 0.0), values.max(initial=0.0)
    span = (high - low) or 1.0
    return low - (0.04 * span if low < 0 else 0.015 * span), high + 0.05 * span


def _limits(row: list[Any], limits: tuple[float, float]) -> None:
    for axes in row:
        axes.set_ylim(*limits)


def _time_axes(row: list[Any], frames: FrameTiming, split: float | None, labelled: bool) -> None:
    """Set the time axes of a row; the second column goes on where the first ends."""
    from matplotlib.ticker import MaxNLocator

    first, last = min(frames.start[0], 0.0), frames.end[-1]
    edges = [first, last] if split is None else [first, split, last]
    for column, axes in enumerate(row):
        low, high = edges[column] / SECONDS_PER_MINUTE, edges[column + 1] / SECONDS_PER_MINUTE
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
        plain_numbers(axes.xaxis)
        axes.tick_params(labelbottom=labelled)
        if column == 0:
            plain_numbers(axes.yaxis)
        else:
            axes.spines["left"].set(linestyle=(0, (2, 2)), color=COLOURS["line"])
            axes.tick_params(axis="y", left=False, labelleft=False)
            ticks = axes.get_xticks()
            axes.set_xticks([t for t in ticks if low + 0.04 * (high - low) < t <= high + 1e-9])
