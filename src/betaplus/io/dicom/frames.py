"""Which slices make up which frame of a series, and when the frames were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.dicom.elements import called
from betaplus.io.dicom.header import Slice
from betaplus.io.dicom.timing import SeriesTimes, acquisition_start, mean_rate_time

__all__ = ["frame_fields", "sort_frames"]

_SAME = 0.01  # s: of starts within a frame of one bed


def sort_frames(
    places: Sequence[Sequence[Slice]], common: Mapping[str, Any], where: str
) -> list[list[Slice]]:
    """Return the slices of every frame, in order of time and then position.

    Every position must have as many slices as the series has frames; beds of a whole-body scan are
    positions of their own.

    Raises:
        InputError: If slices are missing or there more than once, or their time is not known.
    """
    counts = [len(place) for place in places]
    n = max(set(counts), key=counts.count)
    for place, count in zip(places, counts, strict=True):
        if count != n:
            names = ", ".join(one.path.name for one in place[:3])
            raise InputError(
                f"{count} slices of {where} lie at {np.round(place[0].position, 3).tolist()} mm"
                f" ({names}) where other positions have {n}",
                "expected each position once in each frame",
                "take out what is there twice, or export the series again",
            )
    stated = {"NumberOfSlices": len(places), "NumberOfTimeSlices": n}
    for name, found in stated.items():
        said = common[name]
        if said and said not in (found, found * n):  # some count the slices of all frames
            raise InputError(
                f"{called(name)} is {said:g} in {where} but there are {found}",
                "expected all files of the series",
                "export it again",
            )
    if n == 1:
        return [[place[0] for place in places]]
    ordered = [_in_time(place) for place in places]
    return [[place[t] for place in ordered] for t in range(n)]


def frame_fields(frames: Sequence[Sequence[Slice]], times: SeriesTimes) -> dict[str, Any]:
    """Return the PET-BIDS fields of the frames, and of slices that are of different times.

    Raises:
        InputError: If a dynamic series does not say how long its frames are.
    """
    half_life = frames[0][0].common["RadionuclideHalfLife"]
    alike = acquisition_start(frames[0][0]) == acquisition_start(frames[-1][0])
    by_reference = times if alike and len(frames) > 1 else None
    starts: list[list[float]] = []
    lengths: list[list[float]] = []
    for frame in frames:
        for one in frame:
            if one.duration is None or one.duration <= 0.0:
                if len(frames) == 1:
                    return {}
                raise InputError(
                    f"{called('ActualFrameDuration')} is {one.duration or 'missing'} in"
                    f" {one.path.name}",
                    "expected milliseconds above 0",
                )
        starts.append([times.seconds(_start(one, half_life, by_reference)) for one in frame])
        lengths.append([float(one.duration or 0.0) for one in frame])
    begin, length = np.array(starts), np.array(lengths)
    fields: dict[str, Any] = {
        "FrameTimesStart": begin.min(axis=1).tolist(),
        "FrameDuration": ((begin + length).max(axis=1) - begin.min(axis=1)).tolist(),
    }
    if np.ptp(begin, axis=1).max() > _SAME or np.ptp(length, axis=1).max() > _SAME:
        fields["SliceTimesStart"] = (begin if len(frames) > 1 else begin[0]).tolist()
        fields["SliceDuration"] = (length if len(frames) > 1 else length[0]).tolist()
    factors = [{one.decay_factor for one in frame} for frame in frames]
    if all(len(found) == 1 and None not in found for found in factors):
        fields["DecayCorrectionFactor"] = [found.pop() for found in factors]
    return fields


def _in_time(place: Sequence[Slice]) -> list[Slice]:
    """Return the slices of a position in order of time."""
    ordered = sorted(place, key=lambda one: (acquisition_start(one), one.reference_time or 0.0))
    for a, b in pairwise(ordered):
        if acquisition_start(a) == acquisition_start(b) and a.reference_time == b.reference_time:
            raise InputError(
                f"{a.path.name} and {b.path.name} are of one place and one time",
                f"expected another {called('AcquisitionTime')} or {called('FrameReferenceTime')}",
                "take out what is there twice",
            )
    return ordered


def _start(one: Slice, half_life: float | None, times: SeriesTimes | None) -> datetime:
    """Return when a slice was begun.

    That is its acquisition time; or where all frames have the same one (`times` given), it follows
    from its reference time, when the count rate was the mean one of the frame.
    """
    if times is None:
        return acquisition_start(one)
    if one.reference_time is None or not one.duration or not half_life:
        raise InputError(
            f"{called('FrameReferenceTime')} or {called('RadionuclideHalfLife')} is missing in"
            f" {one.path.name}, and all frames have one acquisition time",
            "expected a time of each frame",
        )
    return times.zero + timedelta(
        seconds=one.reference_time - mean_rate_time(one.duration, half_life)
    )
