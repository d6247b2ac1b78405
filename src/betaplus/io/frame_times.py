"""Frame timing from PET-BIDS fields, and what is often wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.io.jsons import number, number_list

__all__ = ["make_frames", "read_frames", "refuse_minute_units", "refuse_minutes"]

_FIELDS = ("FrameTimesStart", "FrameDuration")
_MINUTE_SCAN = 180.0  # s: many frames in less than this, with a long-lived tracer, are minutes
_MINUTE_FRAME = 15.0
_MINUTE_FRAMES = 10
_MINUTE_HALF_LIFE = 1200.0  # s


def read_frames(
    fields: Mapping[str, Any], n_frames: int, where: str
) -> tuple[FrameTiming | None, np.ndarray | None, list[str]]:
    """Return the timing that a sidecar gives an image of `n_frames` frames.

    Args:
        fields: The sidecar.
        n_frames: Frames in the image.
        where: Name of the sidecar, for messages.

    Returns:
        The timing (None for a single frame without times), the index of the frames kept (None if
        all are), and remarks.

    Raises:
        InputError: If the times are missing, contradict the image or cannot be frame times.
    """
    refuse_minute_units(fields, (*_FIELDS, "FrameTimes", "Time"), where)
    lists = {name: number_list(fields, name, where) for name in _FIELDS}
    missing = [name for name, values in lists.items() if values is None]
    if missing:
        if n_frames == 1:
            return None, None, [f"{' and '.join(missing)} missing in {where}: no frame times"]
        raise InputError(
            f"{' and '.join(missing)} missing in {where} but the image has {n_frames} frames",
            "expected a start and a duration of every frame in seconds",
        )
    start, duration = lists["FrameTimesStart"], lists["FrameDuration"]
    assert start is not None and duration is not None
    if start.size != duration.size:
        for name, values in (("FrameTimesStart", start), ("FrameDuration", duration)):
            _check_count(name, values.size, n_frames, where)
    frames, keep, remarks = make_frames(start, duration, where)
    _check_count("FrameDuration", duration.size, n_frames, where)
    scan_start = number(fields, "ScanStart", where)
    if scan_start is not None and scan_start > start[0] + 1.0:
        raise InputError(
            f"ScanStart is {scan_start:g} s but the first frame starts at {start[0]:g} s"
            f" in {where}",
            "expected both in seconds from TimeZero",
            "correct the one that is not",
        )
    return frames, keep, remarks


def make_frames(
    start: np.ndarray, duration: np.ndarray, where: str
) -> tuple[FrameTiming, np.ndarray | None, list[str]]:
    """Return frame timing without its zero-duration frames, the index kept, and remarks.

    Raises:
        InputError: If the times cannot be frame times; the message names the file.
    """
    keep, remarks = None, []
    empty = duration == 0
    if empty.any() and not empty.all():
        keep = np.flatnonzero(~empty)
        listed = ", ".join(str(i + 1) for i in np.flatnonzero(empty))
        remarks.append(f"frame {listed} lasts 0 s in {where} and was left out")
        start, duration = start[keep], duration[keep]
    try:
        return FrameTiming(start, duration), keep, remarks
    except InputError as error:
        raise InputError(f"{where}: {error.found}", error.expected, error.todo) from error


def refuse_minute_units(fields: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    """Refuse times whose unit is stated and is not the second, in ``<name>Units`` or an object.

    Raises:
        InputError: If a unit other than the second is stated.
    """
    for name in names:
        value = fields.get(name)
        stated = value.get("Units") if isinstance(value, Mapping) else fields.get(f"{name}Units")
        if stated is None:
            continue
        if not re.fullmatch(r"s|secs?|seconds?", str(stated).strip().lower()):
            raise InputError(
                f"{name} is in {stated!r} in {where}",
                "expected seconds, as PET-BIDS requires",
                "convert the times to seconds",
            )


def refuse_minutes(frames: FrameTiming | None, tracer: Tracer | None, where: str) -> None:
    """Refuse frame times that look like minutes: a dynamic scan over before anything happened.

    Raises:
        InputError: If 10 or more frames of at most 15 "s" last less than 3 min together although
            the tracer has a half-life of 20 min or more.
    """
    if frames is None or tracer is None:
        return
    length = float(frames.end[-1] - frames.start[0])
    if (
        len(frames) >= _MINUTE_FRAMES
        and length < _MINUTE_SCAN
        and float(frames.duration.max()) <= _MINUTE_FRAME
        and tracer.half_life >= _MINUTE_HALF_LIFE
    ):
        raise InputError(
            f"frame times in {where} look like minutes: {len(frames)} frames in {length:g} s",
            "expected seconds",
            "multiply the frame times by 60",
        )


def _check_count(name: str, found: int, n_frames: int, where: str) -> None:
    if found != n_frames:
        raise InputError(
            f"{name} has {found} values but the image has {n_frames}"
            f" frame{'s' if n_frames > 1 else ''} ({where})"
        )
