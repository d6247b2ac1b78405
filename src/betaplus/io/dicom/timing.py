"""When a series was scanned and what it is decay-corrected to, by the rules of QIBA.

"Vendor-neutral pseudo-code for SUV calculation" (QIBA FDG-PET/CT technical committee; first version
and the robust one): the time that values are decay-corrected to is the series' time, unless that is
after the acquisition, as it is in series that were processed again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.dicom.elements import called, date_time
from betaplus.io.dicom.header import Slice
from betaplus.io.dicom.injection import read_injection

__all__ = ["SeriesTimes", "acquisition_start", "mean_rate_time", "read_times"]

_ROUNDING = 1.0  # s: of clock times that are cut to seconds
_REFERENCE = 5.0  # s: of scan starts computed slice by slice
_DAY = 86400.0  # s
_SHORT = 1e-6  # of the inverse decay constant: a frame whose decay does not show
_FACTOR = 0.02  # of decay factors


@dataclass(frozen=True, kw_only=True)
class SeriesTimes:
    """The clock of a series.

    Attributes:
        zero: TimeZero: the start of the scan.
        injection: Administration, or None where it is not stated.
        corrected_to: What values are decay-corrected to; None if they are not, or not stated.
        is_corrected: Whether they are; None where nothing says.
        rule: Where `zero` comes from.
        remarks: What leaves a doubt.
    """

    zero: datetime
    injection: datetime | None
    corrected_to: datetime | None
    is_corrected: bool | None
    rule: str
    remarks: tuple[str, ...] = ()

    def seconds(self, when: datetime) -> float:
        """Return a time in seconds from TimeZero."""
        return (when - self.zero).total_seconds()


def acquisition_start(one: Slice) -> datetime:
    """Return when the acquisition of a slice began.

    Raises:
        InputError: If the slice does not say.
    """
    if one.acquired is None:
        raise InputError(
            f"{called('AcquisitionDate')} or {called('AcquisitionTime')} is missing in"
            f" {one.path.name}",
            "expected both in each slice",
        )
    return one.acquired


def mean_rate_time(duration: float, half_life: float) -> float:
    """Return when in a frame the count rate is the mean one [s from its start].

    Args:
        duration: Of the frame [s].
        half_life: Of the radionuclide [s].
    """
    decay = math.log(2.0) * duration / half_life
    if decay < _SHORT:
        return 0.5 * duration
    return math.log(decay / -math.expm1(-decay)) * half_life / math.log(2.0)


def read_times(
    slices: Sequence[Slice], common: Mapping[str, Any], where: str, *, decay_option: bool
) -> SeriesTimes:
    """Return the clock of a series.

    Args:
        slices: All of them.
        common: What they agree on.
        where: Name of the series, for messages.
        decay_option: Whether the user says what values are decay-corrected to.

    Raises:
        InputError: If times are missing or contradict each other; the message names the element.
    """
    begun = min(acquisition_start(one) for one in slices)
    last = max(acquisition_start(one) + timedelta(seconds=one.duration or 0.0) for one in slices)
    decay = (common["DecayCorrection"] or "").upper() or None
    if decay not in ("START", "ADMIN", "NONE", "DATETIME", None):
        raise InputError(
            f"{called('DecayCorrection')} is {decay} in {where}", "expected START, ADMIN or NONE"
        )
    if decay is None and not decay_option:
        raise InputError(
            f"{called('DecayCorrection')} is missing in {where}",
            "expected START, ADMIN or NONE",
            "give --decay-corrected-to",
        )
    done = common["CorrectedImage"]
    if done and decay is not None and ("DECY" in done) != (decay != "NONE"):
        raise InputError(
            f"{called('CorrectedImage')} is {', '.join(done)} but {called('DecayCorrection')} is"
            f" {decay} in {where}",
            "expected DECY exactly where there is decay correction",
            "correct the header that is wrong",
        )
    zero, rule = begun, "acquisition"
    if decay == "START":
        zero, rule = _scan_start(slices, common, begun, where)
    injection = read_injection(common, last, where)
    stated = _stated_time(common, where) if decay == "DATETIME" else None
    if decay == "ADMIN" and injection is None:
        raise InputError(
            f"{called('RadiopharmaceuticalStartTime')} is missing in {where} but"
            f" {called('DecayCorrection')} is ADMIN",
            "expected the time of administration",
        )
    times = SeriesTimes(
        zero=zero,
        injection=injection,
        corrected_to={"START": zero, "ADMIN": injection, "DATETIME": stated}.get(decay or ""),
        is_corrected=None if decay is None else decay != "NONE",
        rule=rule,
        remarks=tuple(_doubt(slices, common, zero, where)) if rule == "SeriesTime" else (),
    )
    if times.corrected_to is not None and common["RadionuclideHalfLife"]:
        _check_factors(slices, times.corrected_to, common["RadionuclideHalfLife"])
    return times


def _stated_time(common: Mapping[str, Any], where: str) -> datetime:
    """Return the time that an enhanced image says it is decay-corrected to."""
    text = common["DecayCorrectionDateTime"] or ""
    found = date_time(text, common["TimezoneOffsetFromUTC"])
    if found is None:
        raise InputError(
            f"{called('DecayCorrectionDateTime')} is {text[:30]!r} in {where}",
            "expected yyyymmddhhmmss",
        )
    return found


def _scan_start(
    slices: Sequence[Slice], common: Mapping[str, Any], begun: datetime, where: str
) -> tuple[datetime, str]:
    """Return what START means, and the rule that says so."""
    series = common["SeriesTime"]
    if series is not None and series <= begun + timedelta(seconds=_ROUNDING):
        _refuse_far(series, begun, called("SeriesTime"), where)
        return series, "SeriesTime"
    stated = date_time(common["GEScanTime"] or "", common["TimezoneOffsetFromUTC"])
    if stated is not None:
        if stated > begun + timedelta(seconds=_ROUNDING):
            raise InputError(
                f"GE's scan time (0009,xx0d) is {stated} but the acquisition began at {begun} in"
                f" {where}",
                "expected it before",
            )
        _refuse_far(stated, begun, "GE's scan time (0009,xx0d)", where)
        return stated, "GE's scan time (0009,xx0d)"
    starts = [start for one in slices if (start := _from_reference(one, common)) is not None]
    if starts:
        first, final = min(starts), max(starts)
        if (final - first).total_seconds() > 2 * _REFERENCE:
            raise InputError(
                f"{called('FrameReferenceTime')} and {called('AcquisitionTime')} put the start of"
                f" the scan at {first} in one slice and at {final} in another of {where}",
                "expected one start",
            )
        return first + (final - first) / 2, "FrameReferenceTime"
    found = "is missing" if series is None else f"is {series}, after the acquisition at {begun},"
    raise InputError(
        f"{called('SeriesTime')} {found} in {where}",
        f"expected the start of the scan in it, in GE's (0009,xx0d) or by"
        f" {called('FrameReferenceTime')}, {called('ActualFrameDuration')} and"
        f" {called('RadionuclideHalfLife')}",
        "take the series as the scanner made it",
    )


def _from_reference(one: Slice, common: Mapping[str, Any]) -> datetime | None:
    """Return the start of the scan from the time at which a frame has its mean count rate."""
    half_life = common["RadionuclideHalfLife"]
    if not half_life or not one.duration or not one.reference_time or one.reference_time <= 0:
        return None
    inside = mean_rate_time(one.duration, half_life)
    return acquisition_start(one) + timedelta(seconds=inside - one.reference_time)


def _refuse_far(start: datetime, begun: datetime, what: str, where: str) -> None:
    if (begun - start).total_seconds() > _DAY:
        raise InputError(
            f"{what} is {start} but the acquisition began at {begun} in {where}",
            "expected them within a day",
            "correct the date that is wrong",
        )


def _doubt(
    slices: Sequence[Slice], common: Mapping[str, Any], zero: datetime, where: str
) -> list[str]:
    """Return a remark where FrameReferenceTime is counted from another time than the scan start."""
    starts = [start for one in slices if (start := _from_reference(one, common)) is not None]
    if not starts:
        return []
    furthest = max(starts, key=lambda start: abs((start - zero).total_seconds()))
    off = (furthest - zero).total_seconds()
    if abs(math.expm1(math.log(2.0) * off / common["RadionuclideHalfLife"])) < _FACTOR:
        return []
    return [
        f"{called('FrameReferenceTime')} puts the start of the scan at {furthest:%H:%M:%S} but"
        f" {called('SeriesTime')} is {zero:%H:%M:%S} in {where}: SeriesTime counts, as QIBA says"
    ]


def _check_factors(slices: Sequence[Slice], corrected_to: datetime, half_life: float) -> None:
    """Compare what the scanner multiplied by (DecayFactor) with what the times make of it."""
    rate = math.log(2.0) / half_life
    for one in slices:
        stated = one.decay_factor
        if stated is None or stated <= 0.0 or stated == 1.0 or one.duration is None:
            continue
        since = (acquisition_start(one) - corrected_to).total_seconds()
        with np.errstate(over="ignore"):
            low, high = np.exp(rate * np.array([since, since + one.duration]))
        if not (1 - _FACTOR) * low <= stated <= (1 + _FACTOR) * high:
            raise InputError(
                f"{called('DecayFactor')} is {stated:.6g} in {one.path.name} but times and"
                f" half-life make it {low:.6g} to {high:.6g}",
                "expected the factor to the time that values are decay-corrected to",
                "correct the date, time or half-life that is wrong",
            )
