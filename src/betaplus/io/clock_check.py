"""Whether times, decay and half-life of a scan go together.

A time in ms that says s, a date of another day, the half-life of another nuclide: each makes a scan
of which nothing was left to measure, since after 20 half-lives a millionth is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.io.jsons import number_list

__all__ = ["check_clock", "decay_factor_remarks"]

_LONGEST = 30.0  # half-lives, nominal: of a scan
_FURTHEST = 20.0  # half-lives: from injection and decay correction to the first frame
_SPARSE = 0.05  # of the time between the first frame and the last that frames hold
_FACTORS = ("DecayCorrectionFactor", "DecayFactor")
_TOLERANCE = 0.05  # of a decay factor


def check_clock(
    frames: FrameTiming | None,
    tracer: Tracer | None,
    injection: float,
    corrected: float | None,
    where: str,
) -> list[str]:
    """Refuse times that cannot be those of one scan of a tracer; return remarks.

    Args:
        frames: Frame times, or None.
        tracer: Tracer, or None.
        injection: Injection start [s from TimeZero].
        corrected: Time that values are decay-corrected to [s from TimeZero], or None.
        where: Name of the sidecar, for messages.

    Raises:
        InputError: If the scan lasts over 30 half-lives, or injection or decay correction lie over
            20 half-lives from its first frame.
    """
    if frames is None:
        return []
    first, last = float(frames.start[0]), float(frames.end[-1])
    if tracer is not None:
        half_life, name = tracer.half_life, tracer.radionuclide or "the tracer"
        if last - first > _LONGEST * half_life:
            raise InputError(
                f"frame times in {where} (FrameTimesStart, FrameDuration) last {last - first:g} s,"
                f" {(last - first) / half_life:.3g} half-lives of {name}",
                f"expected seconds, and at most {_LONGEST:g} half-lives of {half_life:g} s",
                "correct the times or the radionuclide",
            )
        for field, time in (("InjectionStart", injection), ("ImageDecayCorrectionTime", corrected)):
            away = 0.0 if time is None else abs(first - time)
            if away > _FURTHEST * half_life:
                raise InputError(
                    f"{field} is {time:g} s in {where} and the first frame starts at {first:g} s:"
                    f" {away / half_life:.3g} half-lives of {name}",
                    f"expected both in seconds from TimeZero, at most {_FURTHEST:g} half-lives"
                    " apart",
                    "correct the one that is not",
                )
    held = float(frames.duration.sum()) / (last - first)
    if held < _SPARSE:
        return [
            f"frames in {where} hold {100 * held:.2g} % of the time from the first to the last:"
            " check that FrameDuration is in seconds"
        ]
    return []


def decay_factor_remarks(
    fields: Mapping[str, Any],
    frames: FrameTiming | None,
    tracer: Tracer | None,
    corrected: float | None,
    where: str,
) -> list[str]:
    """Return a remark where decay factors in a sidecar are not those of its times.

    Args:
        fields: The sidecar, with a factor for each frame, or none.
        frames: Frame times, or None.
        tracer: Tracer, or None.
        corrected: Time that values are decay-corrected to [s from TimeZero], None if they are not.
        where: Name of the sidecar, for messages.

    Raises:
        InputError: If the field is there but holds no numbers.
    """
    if frames is None or tracer is None:
        return []
    for field in _FACTORS:
        stated = number_list(fields, field, where)
        if stated is None or stated.size != len(frames):
            continue
        rate = np.log(2.0) / tracer.half_life
        low = high = np.ones(len(frames))
        if corrected is not None:
            low, high = (np.exp(rate * (time - corrected)) for time in (frames.start, frames.end))
        wrong = (stated < (1 - _TOLERANCE) * low) | (stated > (1 + _TOLERANCE) * high)
        if wrong.any():
            worst = int(np.argmax(np.where(wrong, np.abs(stated / low - 1.0), 0.0)))
            usual = "1" if corrected is None else f"{low[worst]:.4g} to {high[worst]:.4g}"
            return [
                f"{field} is {stated[worst]:g} in frame {worst + 1} of {where} where times,"
                f" half-life and ImageDecayCorrected make it {usual}: check ImageDecayCorrected"
            ]
    return []
