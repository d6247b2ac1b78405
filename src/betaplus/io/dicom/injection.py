"""When the tracer of a series was given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from betaplus.core.errors import InputError
from betaplus.io.dicom.elements import called, date_time

__all__ = ["read_injection"]

_ROUNDING = 1.0  # s: of clock times that are cut to seconds
_DAY = 86400.0  # s
_DAY_CLEAR = 6 * 3600.0  # s: a longer-lived tracer may have been injected days before
_HALF_LIVES = 20.0
_EVENING = 6.0  # half-lives, nominal: over midnight, where the header gives no date of injection


def read_injection(common: Mapping[str, Any], last: datetime, where: str) -> datetime | None:
    """Return when the tracer was given, on the day before where the clock demands it.

    Args:
        common: What the slices of a series agree on.
        last: End of the scan.
        where: Name of the series, for messages.

    Returns:
        The time, None where it is not stated.

    Raises:
        InputError: If what is stated contradicts itself or the scan.
    """
    full, clock = (
        common[name]
        for name in ("RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime")
    )
    half_life = common["RadionuclideHalfLife"]
    found = None
    if full is not None:
        found = date_time(full, common["TimezoneOffsetFromUTC"])
        if found is None:
            raise InputError(
                f"{called('RadiopharmaceuticalStartDateTime')} is {full[:30]!r} in {where}",
                "expected yyyymmddhhmmss",
            )
    if clock is not None:
        on_last_day = date_time(last.strftime("%Y%m%d") + clock.replace(":", ""))
        if on_last_day is None:
            raise InputError(
                f"{called('RadiopharmaceuticalStartTime')} is {clock[:20]!r} in {where}",
                "expected hhmmss",
            )
        if found is None:
            if half_life and half_life > _DAY_CLEAR:
                raise InputError(
                    f"{called('RadiopharmaceuticalStartDateTime')} is missing in {where} and the"
                    f" half-life is {half_life / 3600:.3g} h: the day of injection is not known",
                    "expected date and time",
                )
            found = on_last_day
            if found > last:
                found = _day_before(found, last, half_life, where)
        elif abs(((found - on_last_day).total_seconds() + _DAY / 2) % _DAY - _DAY / 2) > _ROUNDING:
            raise InputError(
                f"{called('RadiopharmaceuticalStartDateTime')} is {full} but"
                f" {called('RadiopharmaceuticalStartTime')} is {clock} in {where}",
                "expected the same time of day",
                "correct the one that is wrong",
            )
    if found is None:
        return None
    if found > last:
        raise InputError(
            f"{called('RadiopharmaceuticalStartDateTime')} is {found}, after the scan ended at"
            f" {last} in {where}",
            "expected the injection before",
        )
    if half_life and (last - found).total_seconds() > _HALF_LIVES * half_life:
        raise InputError(
            f"injection at {found} lies over {_HALF_LIVES:g} half-lives of {half_life:g} s before"
            f" the scan at {last} in {where}",
            f"expected {called('RadiopharmaceuticalStartDateTime')} of the same scan",
            "correct the date that is wrong",
        )
    return found


def _day_before(found: datetime, last: datetime, half_life: float | None, where: str) -> datetime:
    """Return an injection that is later than the end of the scan as one of the day before."""
    earlier = found - timedelta(days=1)
    longest = _EVENING * half_life if half_life else _DAY / 2
    if (last - earlier).total_seconds() > longest:
        raise InputError(
            f"{called('RadiopharmaceuticalStartTime')} is {found:%H:%M:%S} but the scan ended at"
            f" {last:%H:%M:%S} in {where}",
            f"expected the injection before, by at most {longest / 3600:.3g} h where it was on the"
            " day before",
            "correct the time that is wrong or add RadiopharmaceuticalStartDateTime",
        )
    return earlier
