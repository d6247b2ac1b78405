r"""The curve behind frame means: piecewise linear, and exact in what the frames saw.

An image gives frame *means*. A curve drawn through them at mid-times is biased wherever activity
bends within a frame. Here the knots' values are moved until the means of the piecewise-linear
curve, decay inside the frame included, are those measured.
"""

from __future__ import annotations

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve

__all__ = ["curve_through_means"]

_SWEEPS = 25
_TOLERANCE = 1e-6  # of the largest mean


def curve_through_means(
    frames: FrameTiming,
    means: np.ndarray,
    half_life: float,
    *,
    unit: str = "Bq/mL",
    start: float = 0.0,
) -> InputCurve:
    """Return a piecewise-linear curve with the given frame means.

    Knots lie at the injection, in the middle of every frame and at the end of the last; values
    never fall below 0, and the curve is 0 before `start`. Where noise or gaps keep means from being
    met the nearest curve found is returned: the last remark says by how much it is off.

    Args:
        frames: Frame timing.
        means: Frame means, decay-corrected to TimeZero, shape (T,) [unit].
        half_life: Half-life [s].
        unit: Activity unit.
        start: Injection [s from TimeZero].

    Raises:
        InputError: If the means are not numbers, one per frame, or nowhere above 0.
    """
    from betaplus.physics.response import InputResponse

    means = np.asarray(means, dtype=np.float64)
    if means.shape != (len(frames),) or not np.isfinite(means).all():
        raise InputError("frame means that are not one number per frame", "expected a curve")
    if means.max() <= 0:
        raise InputError("frame means are nowhere above 0", "expected a curve with activity")
    used = frames.mid > start
    goal = np.maximum(means, 0.0)
    knots = np.concatenate([[start], frames.mid[used], [frames.end[-1]]])
    values = goal[used].copy()
    best, least, at = values, np.inf, -1

    def curve(v: np.ndarray, remarks: tuple[str, ...] = ()) -> InputCurve:
        slope = (v[-1] - v[-2]) / (knots[-2] - knots[-3]) if v.size > 1 else 0.0
        last = max(v[-1] + slope * (knots[-1] - knots[-2]), 0.0)
        series = np.concatenate([[0.0], v, [last]])
        return InputCurve(knots, series, series, unit, remarks)

    for sweep in range(_SWEEPS):
        found = InputResponse(curve(values), frames, half_life).plasma_mean().numpy()
        error = (goal - found)[used]
        off = float(np.abs(error).max()) / float(goal.max())
        if off < least:
            best, least, at = values, off, sweep
        if off < _TOLERANCE or sweep - at > 5:
            break
        values = np.maximum(values + error, 0.0)
    remarks = (f"curve through frame means, met within {100 * least:.2g} % of the peak",)
    return curve(best, remarks)
