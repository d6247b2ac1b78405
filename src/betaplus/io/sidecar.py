"""What a PET-BIDS sidecar says about units, tracer, decay correction and injection.

An option fills what the sidecar lacks; one that contradicts it is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from betaplus.core.errors import BetaplusError, InputError, UsageError
from betaplus.core.tracer import HALF_LIVES, Tracer, radionuclide_name
from betaplus.core.units import activity_unit
from betaplus.io.jsons import number

__all__ = [
    "decay_option",
    "read_decay",
    "read_injection",
    "read_tracer",
    "read_unit",
    "time_zero_remarks",
]

_HALF_LIFE_AGREEMENT = 0.05


def read_unit(
    fields: Mapping[str, Any], option: str | None, where: str, flag: str = "--unit"
) -> str:
    """Return the activity unit of an image or table; `flag` is the option's name for messages.

    Raises:
        InputError: If no unit is given or it is unknown.
        UsageError: If the option is unknown or contradicts ``Units``.
    """
    stated = fields.get("Units")
    asked = None if option is None else _option(activity_unit, option, flag)
    if stated is None:
        if asked is None:
            raise InputError(
                f"Units is missing in {where}",
                "expected Bq/mL, kBq/mL, MBq/mL or SUV",
                f"add it or give {flag}",
            )
        return asked
    unit = activity_unit(stated, f"Units of {where}")
    if asked is not None and asked != unit:
        raise _contradiction(flag, option, "Units", stated, where)
    return unit


def read_tracer(
    fields: Mapping[str, Any], option: str | None, where: str
) -> tuple[Tracer | None, list[str]]:
    """Return the tracer, or None where nothing says what decays, and remarks.

    ``RadionuclideHalfLife`` takes precedence over the table but must agree with it within 5 %.

    Raises:
        InputError: If the radionuclide is unknown, or its half-life is not that of the table.
        UsageError: If the option is unknown or contradicts ``TracerRadionuclide``.
    """
    stated = fields.get("TracerRadionuclide")
    stated = None if stated in (None, "", "n/a") else stated
    half_life = number(fields, "RadionuclideHalfLife", where)
    label = str(fields.get("TracerName") or "")
    if half_life is not None and half_life <= 0:
        raise InputError(
            f"RadionuclideHalfLife is {half_life:g} in {where}", "expected seconds above 0"
        )
    asked = None if option is None else _option(radionuclide_name, option, "--radionuclide")
    if stated is None and asked is None:
        remark = f"TracerRadionuclide missing in {where}"
        if half_life is None:
            return None, [remark]
        tracer = Tracer(radionuclide="", half_life=half_life, name=label)
        return tracer, [f"{remark}: RadionuclideHalfLife used without a check"]
    if stated is None:
        nuclide = str(asked)
    else:
        nuclide = radionuclide_name(stated, where)
        if asked is not None and asked != nuclide:
            raise _contradiction("--radionuclide", option, "TracerRadionuclide", stated, where)
    table = HALF_LIVES[nuclide]
    if half_life is not None and abs(half_life / table - 1.0) > _HALF_LIFE_AGREEMENT:
        raise InputError(
            f"RadionuclideHalfLife is {half_life:g} s in {where} but {nuclide} has {table:g} s",
            "expected the half-life in seconds",
            "correct the field that is wrong or remove RadionuclideHalfLife",
        )
    return Tracer(radionuclide=nuclide, half_life=half_life or table, name=label), []


def read_injection(fields: Mapping[str, Any], where: str) -> tuple[float, list[str]]:
    """Return the injection start [s from TimeZero] and remarks; 0 where the sidecar is silent.

    Raises:
        InputError: If ``InjectionStart`` is no number.
    """
    value = number(fields, "InjectionStart", where)
    if value is None:
        return 0.0, [f"InjectionStart missing in {where}: injection taken at TimeZero"]
    return value, []


def time_zero_remarks(fields: Mapping[str, Any], where: str) -> list[str]:
    """Return a remark if ``TimeZero`` is there but no clock time; nothing is computed from it."""
    value = fields.get("TimeZero")
    if value is None or re.fullmatch(r"\d{1,2}:[0-5]\d:[0-5]\d(\.\d+)?", str(value)):
        return []
    return [f"TimeZero is {value!r} in {where}, expected hh:mm:ss"]


def decay_option(option: str | float | None) -> str | float | None:
    """Return ``--decay-corrected-to`` as ``injection``, ``scan``, ``none`` or seconds.

    Raises:
        UsageError: If it is none of these.
    """
    if option is None:
        return None
    text = str(option).strip().lower()
    if text in ("injection", "scan", "none"):
        return text
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise UsageError(
            f"--decay-corrected-to is {option!r}",
            "expected injection, scan, none or seconds from TimeZero",
        )
    return seconds


def read_decay(
    fields: Mapping[str, Any],
    option: str | float | None,
    where: str,
    *,
    scan_start: float | None,
    injection: float,
    required: bool = True,
) -> tuple[float | None, list[str]]:
    """Return the time that values are decay-corrected to [s from TimeZero], None if they are not.

    Args:
        fields: The sidecar.
        option: ``injection``, ``scan``, ``none``, seconds, or None where not given.
        where: Name of the sidecar, for messages.
        scan_start: Start of the first frame [s], where ``ScanStart`` is missing.
        injection: Injection start [s].
        required: Whether silence is an error (frames are there) or a remark (a static image).

    Raises:
        InputError: If the fields contradict each other or leave the time open.
        UsageError: If the option is unknown or contradicts the fields.
    """
    corrected = fields.get("ImageDecayCorrected")
    if corrected is not None and not isinstance(corrected, bool):
        raise InputError(
            f"ImageDecayCorrected is {corrected!r} in {where}", "expected true or false"
        )
    time = number(fields, "ImageDecayCorrectionTime", where)
    asked = decay_option(option)
    if asked == "injection":
        asked = injection
    elif asked == "scan":
        begin = number(fields, "ScanStart", where)
        asked = scan_start if begin is None else begin
        if asked is None:
            raise UsageError(
                "--decay-corrected-to is scan",
                f"expected ScanStart or frame times in {where}",
                "give the time in seconds from TimeZero",
            )
    if corrected is False:
        if asked not in (None, "none"):
            raise _contradiction(
                "--decay-corrected-to", option, "ImageDecayCorrected", "false", where
            )
        if time is not None and asked is None:
            raise InputError(
                f"ImageDecayCorrected is false but ImageDecayCorrectionTime is {time:g} in {where}",
                "expected a time only where the image is decay-corrected",
                "correct one of the two or give --decay-corrected-to none",
            )
        return None, []
    if time is not None:
        if asked is not None and (asked == "none" or abs(float(asked) - time) > 0.5):
            raise _contradiction(
                "--decay-corrected-to", option, "ImageDecayCorrectionTime", f"{time:g}", where
            )
        if corrected is None:
            return time, [
                f"ImageDecayCorrected missing in {where}: taken as true since"
                f" ImageDecayCorrectionTime is {time:g} s"
            ]
        return time, []
    if corrected and asked == "none":
        raise _contradiction("--decay-corrected-to", option, "ImageDecayCorrected", "true", where)
    if asked is not None:
        return (None if asked == "none" else float(asked)), []
    if corrected:
        raise InputError(
            f"ImageDecayCorrected is true but ImageDecayCorrectionTime is missing in {where}",
            "expected seconds from TimeZero",
            "add it or give --decay-corrected-to",
        )
    if required:
        raise InputError(
            f"ImageDecayCorrected is missing in {where}",
            "expected true or false",
            "add it or give --decay-corrected-to",
        )
    return None, [f"ImageDecayCorrected missing in {where}"]


def _option(check: Callable[[str, str], str], option: str, flag: str) -> str:
    try:
        return check(option, flag)
    except BetaplusError as error:
        raise UsageError(f"{flag} is {option!r}", error.expected) from error


def _contradiction(flag: str, option: object, field: str, stated: object, where: str) -> UsageError:
    return UsageError(
        f"{flag} is {option} but {field} is {stated} in {where}",
        "an option only fills what the sidecar lacks",
        "drop the option or correct the sidecar",
    )
