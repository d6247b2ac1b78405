"""Frame timing: when counts were collected, in seconds from TimeZero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from betaplus.core.errors import InputError

__all__ = ["FrameTiming"]

_TOLERANCE = 0.01  # s: rounding of frame times in real sidecars


@dataclass(frozen=True, eq=False)
class FrameTiming:
    """Start and duration of every frame.

    Args:
        start: Frame starts, shape (T,) [s from TimeZero].
        duration: Frame durations, shape (T,) [s].

    Gaps between frames are allowed; overlaps, empty frames and disorder are not.

    Raises:
        InputError: If the two do not describe frames.
    """

    start: np.ndarray
    duration: np.ndarray

    def __post_init__(self) -> None:
        start = np.atleast_1d(np.asarray(self.start, dtype=np.float64))
        duration = np.atleast_1d(np.asarray(self.duration, dtype=np.float64))
        if start.ndim != 1 or start.shape != duration.shape:
            raise InputError(
                f"{start.size} frame starts and {duration.size} frame durations",
                "expected one of each per frame",
            )
        if start.size == 0:
            raise InputError("no frames", "expected at least one")
        if not (np.isfinite(start).all() and np.isfinite(duration).all()):
            raise InputError("frame times hold NaN or infinity", "expected seconds")
        if (duration <= 0).any():
            bad = int(np.argmax(duration <= 0))
            raise InputError(
                f"frame {bad + 1} lasts {duration[bad]:g} s", "expected positive durations"
            )
        step = np.diff(start)
        if (step <= 0).any():
            bad = int(np.argmax(step <= 0)) + 1
            raise InputError(
                f"frame {bad + 1} starts at {start[bad]:g} s, not after frame {bad}",
                "expected frames in order of time",
            )
        over = start[:-1] + duration[:-1] - start[1:]
        if (over > _TOLERANCE).any():
            bad = int(np.argmax(over > _TOLERANCE))
            raise InputError(
                f"frame {bad + 1} ends at {start[bad] + duration[bad]:g} s, after frame {bad + 2}"
                f" starts at {start[bad + 1]:g} s",
                "expected frames that do not overlap",
                "check that FrameDuration holds durations in seconds, not end times",
            )
        for name, value in (("start", start), ("duration", duration)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return self.start.size

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FrameTiming)
            and np.array_equal(self.start, other.start)
            and np.array_equal(self.duration, other.duration)
        )

    @classmethod
    def from_durations(cls, durations: ArrayLike, start: float = 0.0) -> FrameTiming:
        """Make contiguous frames of the given durations [s] beginning at `start` [s]."""
        duration = np.asarray(durations, dtype=np.float64)
        return cls(start + np.concatenate([[0.0], np.cumsum(duration)[:-1]]), duration)

    @property
    def end(self) -> np.ndarray:
        """Frame ends, shape (T,) [s from TimeZero]."""
        return self.start + self.duration

    @property
    def mid(self) -> np.ndarray:
        """Frame mid-times, shape (T,) [s from TimeZero]; for plots, never for the model."""
        return self.start + 0.5 * self.duration

    @property
    def gaps(self) -> np.ndarray:
        """Time without counts before each frame but the first, shape (T - 1,) [s]."""
        return np.maximum(self.start[1:] - self.end[:-1], 0.0)

    def decay_factors(self, half_life: float) -> np.ndarray:
        """Return the decay correction factor of each frame to TimeZero, shape (T,).

        The reciprocal of exp(-lambda t) averaged over the frame, so that a concentration constant
        after decay correction is recovered exactly.
        """
        rate = np.log(2.0) / half_life
        x = rate * self.duration
        return np.exp(rate * self.start) * x / -np.expm1(-x)

    def select(self, keep: np.ndarray) -> FrameTiming:
        """Return the frames chosen by a boolean mask or an index array."""
        return FrameTiming(self.start[keep], self.duration[keep])
