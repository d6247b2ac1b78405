"""Where the frames of a dynamic scan lie against their mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style
from betaplus.report.page import Page

__all__ = ["add_motion", "motion_plot"]

_SIZE = (6.4, 2.7)  # in
_LEAST = 3.0  # mm: half the axis at least
_SERIES = (
    ("right_mm", "blue", "to the right"),
    ("front_mm", "amber", "to the front"),
    ("head_mm", "red", "to the head"),
)
_TEXT = (
    "How far the outlines in each frame lie from those in the mean of all frames. A frame is warned"
    " about when its shift, all three directions together, is longer than the grey band reaches."
    " Frames that look unlike the mean, such as those before the"
    " tracer has arrived, are left out. Uptake that moves within an organ can look like a shift of"
    " some tenths of a millimetre; a patient who moved shows as a step in the same direction that"
    " stays."
)


def add_motion(page: Page, run: Mapping[str, Any]) -> None:
    """Add the section on motion to a report, where the run has looked for it.

    Args:
        page: The report.
        run: The run record; its ``motion`` is from `betaplus.pipeline.motion_check`.
    """
    motion = run.get("motion")
    if motion is not None and any(motion["judged"]):
        page.add_section("Motion between frames", motion_plot(motion), _TEXT)


def motion_plot(motion: Mapping[str, Any]) -> Picture:
    """Return the shift of every frame that was judged, in three directions.

    Args:
        motion: The ``motion`` of a run record.
    """
    from matplotlib.figure import Figure

    judged = np.asarray(motion["judged"], dtype=bool)
    start = np.asarray(motion["start_s"], dtype=float)[judged] / SECONDS_PER_MINUTE
    end = np.asarray(motion["end_s"], dtype=float)[judged] / SECONDS_PER_MINUTE
    limit, largest = float(motion["warned_from_mm"]), 0.0
    with style():
        figure = Figure(figsize=_SIZE)
        axes = figure.add_axes((0.085, 0.17, 0.72, 0.78))
        axes.axhspan(-limit, limit, color=COLOURS["line"], alpha=0.35, lw=0)
        for key, colour, label in _SERIES:
            values = np.asarray(motion[key], dtype=float)[judged]
            largest = max(largest, float(np.abs(values).max()))
            axes.hlines(values, start, end, color=COLOURS[colour], lw=1.6)
            axes.plot(0.5 * (start + end), values, ".", ms=4, color=COLOURS[colour], label=label)
        half = max(1.15 * largest, _LEAST)
        axes.set_ylim(-half, half)
        axes.set_xlabel("time [min]")
        axes.set_ylabel("shift [mm]")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.0)
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
        alt = f"Shift of each frame against the mean; the largest is {largest:.1f} mm"
        return picture(figure, "svg", alt, "Shift of each frame against the mean")
