"""Frames of a scan of two tracers: as many as are wanted, and one begins at the second injection.

A tracer changes fastest after its injection, so that frames grow from there on by a constant
factor up to a longest one, once for each injection. The published separation network has 18 frames;
how long each of them is was chosen here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming

__all__ = ["SCHEDULES", "Schedule", "even_frames", "find_schedule", "growing_frames"]

Schedule = Callable[[float, float], FrameTiming]
"""From the delay and the time after it [s] to frames."""

_FEWEST = 3  # frames before the second injection, where it is later than the first
_ROOM = 1.5  # the longest frame over the mean one, at least
_SHORT = 60.0  # s: a delay below it has one frame


def growing_frames(count: int, first: float, longest: float) -> Schedule:
    """Return the schedule of `count` frames that grow from `first` to `longest` [s].

    They are shared out as the root of the time before and after the second injection; frames are
    longer where they are too few.
    """

    def frames(delay: float, after: float) -> FrameTiming:
        before = 0
        if delay > 0:
            weights = np.sqrt([delay, after])
            before = round(count * float(weights[0] / weights.sum()))
            before = 1 if delay < _SHORT else min(max(before, _FEWEST), count - _FEWEST)
        parts = [_growing(delay, before, first, longest)] if before else []
        parts.append(_growing(after, count - before, first, longest))
        return FrameTiming.from_durations(np.concatenate(parts))

    return frames


def even_frames(length: float) -> Schedule:
    """Return the schedule of frames of about equal length [s], from each injection on."""

    def frames(delay: float, after: float) -> FrameTiming:
        parts = [
            np.full(max(round(span / length), 1), span / max(round(span / length), 1))
            for span in (delay, after)
            if span > 0
        ]
        return FrameTiming.from_durations(np.concatenate(parts))

    return frames


def _growing(total: float, count: int, first: float, longest: float) -> np.ndarray:
    """Return durations that add up to `total`; whole seconds but for the last."""
    if count == 1 or total <= first * count:
        return np.full(count, total / count)
    longest = max(longest, _ROOM * total / count)
    low, high = 1.0, longest / first
    for _ in range(60):
        middle = 0.5 * (low + high)
        if np.minimum(first * middle ** np.arange(count), longest).sum() < total:
            low = middle
        else:
            high = middle
    ends = np.rint(np.cumsum(np.minimum(first * low ** np.arange(count), longest)))
    ends[-1] = total
    return np.diff(ends, prepend=0.0)


SCHEDULES: Mapping[str, Schedule] = {
    "18": growing_frames(18, 30.0, 600.0),
    "12": growing_frames(12, 60.0, 900.0),
    "28": growing_frames(28, 15.0, 300.0),
    "even": even_frames(180.0),
}
"""Name to schedule."""


def find_schedule(name: str) -> Schedule:
    """Return a schedule by its name.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in SCHEDULES:
        raise UsageError(f"frames {name!r} are unknown", f"expected {' or '.join(SCHEDULES)}")
    return SCHEDULES[name]
