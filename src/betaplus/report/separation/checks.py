"""Figures of the checks: chi-square of every frame, and what not knowing which is which costs."""

from __future__ import annotations

import numpy as np

from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.pipeline.separation.result import SeparateRun
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style
from betaplus.separation.study_checks import BAND, HARD

__all__ = ["chi_square_plot", "separability_bars"]

_SIZE = (4.6, 3.0)  # in
_MOST = 20.0  # where a bar ends at the latest


def chi_square_plot(result: SeparateRun) -> Picture:
    """Return chi-square of each frame in all tissue."""
    from matplotlib.figure import Figure

    frames, check = result.fit.study.mixing.frames, result.check
    t, half = frames.mid / SECONDS_PER_MINUTE, 0.5 * frames.duration / SECONDS_PER_MINUTE
    chi, warn = check.chi_square[0], check.warn[0]
    with style():
        figure = Figure(figsize=_SIZE)
        axes = figure.add_axes((0.12, 0.15, 0.86, 0.82))
        axes.axhspan(1.0 / (1.0 + BAND), 1.0 + BAND, color=COLOURS["pale"], alpha=0.5, lw=0)
        axes.axhline(1.0, color=COLOURS["soft"], lw=0.7)
        for which, colour, name in (
            (~warn, "ink", "explained"),
            (warn, "red", "not explained"),
        ):
            if not which.any():
                continue
            axes.hlines(chi[which], (t - half)[which], (t + half)[which], color=COLOURS[colour])
            axes.plot(t[which], chi[which], ".", ms=5, color=COLOURS[colour], label=name)
        top = float(np.nanmax(chi, initial=1.5))
        axes.set_ylim(0, 1.15 * max(top, 2.0))
        axes.set_xlabel("time [min]")
        axes.set_ylabel("chi-square of the mixture")
        axes.legend(loc="best", handlelength=1.2)
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
        return picture(
            figure, "svg", "Chi-square of the mixture by frame", "Chi-square of each frame"
        )


def separability_bars(result: SeparateRun) -> Picture | None:
    """Return the inflation of every parameter's SD; None where kinetics are not known."""
    from matplotlib.figure import Figure

    if result.bounds is None:
        return None
    rows = [
        (f"{one.label}: {name}", value)
        for one, ratio in zip(result.fit.study.tracers, result.bounds.inflation, strict=True)
        for name, value in ratio.items()
    ]
    values = np.array([min(value, _MOST) if value == value else _MOST for _, value in rows])
    height = 0.75 + 0.21 * len(rows)
    with style():
        figure = Figure(figsize=(_SIZE[0], height))
        axes = figure.add_axes((0.2, 0.5 / height, 0.75, 1 - 0.6 / height))
        at = np.arange(len(rows))
        colours = [COLOURS["red"] if value > HARD else COLOURS["blue"] for value in values]
        axes.barh(at, values, color=colours, height=0.62)
        for y, (_, value) in zip(at, rows, strict=True):
            axes.text(
                min(value, _MOST) + 0.08, y, f"{value:.2f}" if np.isfinite(value) else "no limit",
                va="center", fontsize=7,
            )  # fmt: skip
        axes.axvline(1.0, color=COLOURS["soft"], lw=0.7)
        axes.axvline(HARD, color=COLOURS["red"], lw=0.7, ls=(0, (4, 3)))
        axes.set_yticks(at, [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 1.15 * max(float(values.max()), HARD))
        axes.set_xlabel("SD with both tracers over SD with one alone")
        axes.tick_params(axis="y", length=0)
        plain_numbers(axes.xaxis)
        return picture(
            figure, "svg", "Inflation of the SD of every parameter", "Separability in grey matter"
        )
