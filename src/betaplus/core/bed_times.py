"""When each slice was seen: scans of several bed positions, over which frames are passes.

A pass of a multi-bed scan (Karakatsanis et al., Phys Med Biol 2013, 58:7391-7418: 6 passes over 7
beds of 45 s) has no time of its own: a slice is seen for the 45 s that the bed rests at it, once in
every pass, with gaps of minutes between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming

__all__ = ["Bed", "BedTimes"]

_TOLERANCE = 0.01  # s: rounding of times


class Bed(NamedTuple):
    """Slices that are seen at the same times.

    Attributes:
        slices: Their indices along the third axis, ascending.
        frames: When they are seen.
    """

    slices: np.ndarray
    frames: FrameTiming


@dataclass(frozen=True, eq=False)
class BedTimes:
    """Start and duration of every frame of every slice.

    Args:
        start: Shape (T, Z) [s from TimeZero].
        duration: Shape (T, Z) [s].

    Raises:
        InputError: If the times of a slice do not describe frames (order, overlap; see
            `FrameTiming`).
    """

    start: np.ndarray
    duration: np.ndarray

    def __post_init__(self) -> None:
        start = np.asarray(self.start, dtype=np.float64)
        duration = np.asarray(self.duration, dtype=np.float64)
        if start.ndim != 2 or start.shape != duration.shape or 0 in start.shape:
            raise InputError(
                f"slice starts of shape {start.shape} and durations of shape {duration.shape}",
                "expected one of each for every frame and slice",
            )
        for name, value in (("start", start), ("duration", duration)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        self.beds()

    def __len__(self) -> int:
        return self.start.shape[0]

    @property
    def slices(self) -> int:
        """Number of slices."""
        return self.start.shape[1]

    @property
    def end(self) -> np.ndarray:
        """Shape (T, Z) [s from TimeZero]."""
        return self.start + self.duration

    def beds(self) -> list[Bed]:
        """Return the slices grouped by their times, in the order of their first slice.

        Raises:
            InputError: If the times of a slice do not describe frames.
        """
        both = np.concatenate([self.start, self.duration]).T
        _, first, group = np.unique(both, axis=0, return_index=True, return_inverse=True)
        beds = []
        for k in np.argsort(first):
            slices = np.flatnonzero(group.ravel() == k)
            try:
                frames = FrameTiming(self.start[:, slices[0]], self.duration[:, slices[0]])
            except InputError as error:
                raise InputError(
                    f"slice {slices[0]}: {error.found}", error.expected, error.todo
                ) from error
            beds.append(Bed(slices, frames))
        return beds

    def select(self, keep: np.ndarray) -> BedTimes:
        """Return the frames chosen by a boolean mask or an index array."""
        return BedTimes(self.start[keep], self.duration[keep])

    def decay_factors(self, half_life: float) -> np.ndarray:
        """Return the decay correction factor to TimeZero, shape (T, Z)."""
        out = np.empty_like(self.start)
        for bed in self.beds():
            out[:, bed.slices] = bed.frames.decay_factors(half_life)[:, None]
        return out

    @classmethod
    def at_once(cls, frames: FrameTiming, slices: int) -> BedTimes:
        """Return the times of a field of view that is seen at once."""
        each = np.ones((1, slices))
        return cls(frames.start[:, None] * each, frames.duration[:, None] * each)

    @classmethod
    def of_rows(
        cls,
        first: Sequence[int] | np.ndarray,
        last: Sequence[int] | np.ndarray,
        passes: Sequence[int] | np.ndarray,
        start: Sequence[float] | np.ndarray,
        duration: Sequence[float] | np.ndarray,
        *,
        shape: tuple[int, int],
        where: str = "bed times",
    ) -> BedTimes:
        """Return the times that a table says, one row a bed and pass.

        Args:
            first: First slice of the bed, counted from 0 along the third axis of the image.
            last: Its last slice, included. Where beds overlap, each slice belongs to one.
            passes: Pass, counted from 1: the first frame of the image.
            start: When the bed came to rest [s from TimeZero].
            duration: How long it rested [s].
            shape: Passes and slices of the image (T, Z).
            where: The table, for messages.

        Raises:
            InputError: If a slice is in no bed of a pass or in two, two beds are seen at once, or a
                slice's passes overlap or are not in order.
        """
        count, slices = shape
        rows = list(zip(*(np.asarray(c) for c in (first, last, passes)), strict=True))
        starts, lengths = np.asarray(start, dtype=np.float64), np.asarray(duration, np.float64)
        times = np.full((2, count, slices), np.nan)
        for k, (low, high, number) in enumerate(rows):
            if not (0 <= low <= high < slices and 1 <= number <= count):
                raise InputError(
                    f"row {k + 1} of {where}: slices {low} to {high} of pass {number}",
                    f"expected slices from 0 to {slices - 1} and passes from 1 to {count}",
                )
            place = times[:, int(number) - 1, int(low) : int(high) + 1]
            if not np.isnan(place[0]).all():
                twice = int(low) + int(np.flatnonzero(~np.isnan(place[0]))[0])
                raise InputError(
                    f"slice {twice} is in two beds of pass {number} in {where}",
                    "expected every slice in one",
                    "give a slice where beds overlap to one of them",
                )
            place[0], place[1] = starts[k], lengths[k]
        missing = np.argwhere(np.isnan(times[0]))
        if len(missing):
            number, slice_ = (int(i) for i in missing[0])
            raise InputError(
                f"slice {slice_} is in no bed of pass {number + 1} in {where}"
                f" ({len(missing)} such slices of passes)",
                f"expected all {slices} slices (from 0) in all {count} passes (from 1)",
            )
        _one_bed_at_a_time(starts, starts + lengths, where)
        try:
            return cls(times[0], times[1])
        except InputError as error:
            raise InputError(f"{where}: {error.found}", error.expected, error.todo) from error


def _one_bed_at_a_time(start: np.ndarray, end: np.ndarray, where: str) -> None:
    order = np.argsort(start, kind="stable")
    over = np.flatnonzero(end[order][:-1] > start[order][1:] + _TOLERANCE)
    if len(over):
        one, two = (int(order[over[0] + i]) for i in (0, 1))
        raise InputError(
            f"rows {one + 1} and {two + 1} of {where} overlap: {start[one]:g} to {end[one]:g} s and"
            f" {start[two]:g} to {end[two]:g} s",
            "expected one bed at a time",
            "give the times of each bed, not those of the pass",
        )
