"""The input function as it was used, with the samples it came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.units import SECONDS_PER_MINUTE, convert_activity
from betaplus.report.elements import Html
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style
from betaplus.report.figures.curves import EARLY, display_unit

__all__ = ["input_panel"]

_DECADES = 1e-4  # of the peak: where the logarithmic axis ends


def input_panel(
    curve: InputCurve, samples: InputFunction | None = None, *, reference: bool = False
) -> Picture:
    """Return the first minutes on a linear axis and the whole curve on a logarithmic one.

    Args:
        curve: Parent plasma and whole blood as the model saw them.
        samples: The blood samples; their parent fraction, where there is one, gets an axis.
        reference: Whether the curve is that of a reference region.
    """
    from matplotlib.figure import Figure

    fraction = None if samples is None else samples.parent_fraction
    if fraction is not None and not np.isfinite(fraction).any():
        fraction = None
    peak = float(np.nanmax(np.concatenate([curve.plasma, curve.whole_blood]), initial=0.0))
    factor, unit = display_unit(peak, curve.unit)
    start = float(curve.time[0]) if samples is None else samples.injection
    first = start / SECONDS_PER_MINUTE
    last = float(curve.time[-1]) / SECONDS_PER_MINUTE
    with style():
        figure = Figure(figsize=(8.8, 2.9))
        ratios = (1, 1.25) if fraction is None else (1, 1.25, 0.75)
        grid = figure.add_gridspec(
            1, len(ratios), width_ratios=ratios, left=0.07, right=0.985, top=0.9, bottom=0.165,
            wspace=0.26,
        )  # fmt: skip
        early, whole = (figure.add_subplot(grid[0, i]) for i in range(2))
        for axes in (early, whole):
            _series(axes, curve, samples, factor, reference)
            axes.set_xlabel("time [min]")
            plain_numbers(axes.xaxis)
        early.set_xlim(first, min(first + EARLY / SECONDS_PER_MINUTE, last))
        early.set_ylim(0, (1.05 * factor * peak) or 1.0)
        early.set_ylabel(f"activity [{unit}]")
        early.set_title("first minutes", loc="left", color=COLOURS["soft"])
        whole.set_xlim(first, last)
        whole.set_title("whole curve, logarithmic", loc="left", color=COLOURS["soft"])
        low = factor * max(_smallest(curve, samples), _DECADES * peak)
        if peak > 0:
            whole.set_yscale("log")
            whole.set_ylim(0.7 * low, 1.6 * factor * peak)
        for axes in (early, whole):
            plain_numbers(axes.yaxis)
        whole.legend(loc="upper right")
        if fraction is not None and samples is not None:
            _fraction(figure.add_subplot(grid[0, 2]), samples.time, fraction, (first, last))
        caption = Html(
            "Lines: as the model used it. Points: blood samples; open points"
            " are total plasma, before the correction for metabolites."
            if samples is not None
            else "As the model used it."
        )
        name = "Reference region" if reference else "Input function"
        return picture(figure, "svg", name, caption)


def _series(
    axes: Any, curve: InputCurve, samples: InputFunction | None, factor: float, reference: bool
) -> None:
    minutes = curve.time / SECONDS_PER_MINUTE
    colours = {"plasma": COLOURS["blue"], "whole_blood": COLOURS["red"]}
    lines = (("plasma", "parent plasma"), ("whole_blood", "whole blood"))
    if reference:
        lines = (("plasma", "reference region"),)
    for name, label in lines:
        values = factor * np.asarray(getattr(curve, name))
        dashed = (0, (5, 2)) if name == "whole_blood" else "-"
        axes.plot(minutes, values, color=colours[name], lw=1.2, ls=dashed, label=label)
    if samples is None:
        return
    times = samples.time / SECONDS_PER_MINUTE
    for name, colour in colours.items():
        series = getattr(samples, name)
        if series is None:
            continue
        total = name == "plasma" and samples.plasma_kind == "total"
        values = factor * convert_activity(series, samples.unit, curve.unit)
        face = "white" if total and samples.parent_fraction is not None else colour
        axes.plot(times, values, "o", ms=2.8, mew=0.7, mec=colour, mfc=face, alpha=0.85)


def _fraction(axes: Any, time: np.ndarray, fraction: np.ndarray, limits: Any) -> None:
    known = np.isfinite(fraction)
    minutes = time[known] / SECONDS_PER_MINUTE
    axes.plot(minutes, fraction[known], "o-", color=COLOURS["teal"], ms=3, lw=0.9)
    axes.set(xlim=limits, ylim=(0, 1.05), xlabel="time [min]")
    axes.set_title("parent fraction", loc="left", color=COLOURS["soft"])
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)


def _smallest(curve: InputCurve, samples: InputFunction | None) -> float:
    after = curve.time > curve.time[0] + EARLY
    values = np.concatenate([curve.plasma[after], curve.whole_blood[after]])
    values = values[values > 0]
    return float(values.min()) if values.size else 0.0
