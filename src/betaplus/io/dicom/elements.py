"""Elements of a DICOM header as plain values; what cannot be read is an error that names it."""

from __future__ import annotations

import math
import re
from collections.abc import MutableSequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from betaplus.core.errors import InputError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "called",
    "date_time",
    "decimal_string",
    "items",
    "moment",
    "numbers",
    "one_number",
    "private_number",
    "private_text",
    "text",
    "texts",
]

_FIRST_YEAR, _LAST_YEAR = 1900, 2999  # of a scan


def called(keyword: str) -> str:
    """Return a keyword with its tag: ``PatientWeight (0010,1030)``."""
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    return keyword if tag is None else f"{keyword} ({tag >> 16:04x},{tag & 0xFFFF:04x})"


def _value(data: Dataset, keyword: str, where: str) -> Any:
    """Return the value of an element, or None where it is missing or empty."""
    try:
        value = data.get(keyword)
    except Exception as error:  # pydicom converts on use and raises whatever the junk causes
        raise InputError(f"{called(keyword)} cannot be read in {where}") from error
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return value


def text(data: Dataset, keyword: str, where: str) -> str | None:
    """Return an element as text, without blanks and padding at its ends; None where missing."""
    value = _value(data, keyword, where)
    return None if value is None else str(value).strip(" \0")[:1024] or None


def texts(data: Dataset, keyword: str, where: str) -> list[str]:
    """Return an element of several values as texts; none where it is missing."""
    value = _value(data, keyword, where)
    if value is None:
        return []
    if isinstance(value, (str, bytes)):
        return [str(value).strip(" \0")]
    try:
        return [str(part).strip(" \0") for part in list(value)[:64]]
    except TypeError:
        return [str(value).strip(" \0")]


def numbers(data: Dataset, keyword: str, count: int, where: str) -> tuple[float, ...] | None:
    """Return an element as so many numbers, None where it is missing.

    Raises:
        InputError: If it holds another count, or anything but finite numbers.
    """
    value = _value(data, keyword, where)
    if value is None:
        return None
    parts = value if isinstance(value, (list, tuple, MutableSequence)) else [value]
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        found = ()
    if not len(parts):
        return None
    if len(found) != count or not all(math.isfinite(number) for number in found):
        expected = "a number" if count == 1 else f"{count} numbers"
        raise InputError(
            f"{called(keyword)} is {str(value)[:40]!r} in {where}", f"expected {expected}"
        )
    return found


def one_number(data: Dataset, keyword: str, where: str) -> float | None:
    """Return an element as a number, None where it is missing.

    Raises:
        InputError: If it holds anything but one finite number.
    """
    found = numbers(data, keyword, 1, where)
    return None if found is None else found[0]


def items(data: Dataset, keyword: str, where: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is missing or no sequence."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    value = _value(data, keyword, where)
    if not isinstance(value, Sequence):
        return []
    return [item for item in value if isinstance(item, Dataset)]


def moment(data: Dataset, date: str, time: str, where: str) -> datetime | None:
    """Return what a date and a time element say together, None where one is missing.

    Raises:
        InputError: If one of the two is no date or time.
    """
    day, clock = text(data, date, where), text(data, time, where)
    if day is None or clock is None:
        return None
    found = date_time(day.replace(".", "") + clock.replace(":", ""))
    if found is None:
        raise InputError(
            f"{called(date)} is {day[:20]!r} and {called(time)} {clock[:20]!r} in {where}",
            "expected yyyymmdd and hhmmss",
        )
    return found


def date_time(value: str, zone: str | None = None) -> datetime | None:
    """Return a DICOM date and time (VR DT) without its offset, None where it is none.

    Args:
        value: ``yyyymmddhhmmss.ffffff&zzxx``, from minutes on optional.
        zone: The offset ``&zzxx`` that the other times of the file have; a time with another one
            is brought to it.
    """
    found = re.fullmatch(
        r"(\d{8})(\d{2})(\d{2})?(\d{2})?(\.\d{1,6})?\d*([+-]\d{4})?", value.strip()
    )
    if found is None:
        return None
    day, hour, minute, second, fraction, offset = found.groups()
    leap = second == "60"
    if not _FIRST_YEAR <= int(day[:4]) <= _LAST_YEAR:
        return None
    try:
        when = datetime.strptime(day, "%Y%m%d").replace(
            hour=int(hour), minute=int(minute or 0), second=59 if leap else int(second or 0)
        )
    except ValueError:
        return None
    when += timedelta(seconds=float(fraction or 0) + leap)
    if offset and zone and re.fullmatch(r"[+-]\d{4}", zone):
        when += _offset(zone) - _offset(offset)
    return when


def _offset(text: str) -> timedelta:
    sign = -1 if text[0] == "-" else 1
    return sign * timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))


def private_text(data: Dataset, group: int, creator: str, element: int) -> str | None:
    """Return a private element as text, None where it is missing or junk.

    It is looked for in the block that the creator has reserved, wherever that is.
    """
    try:
        value = data.private_block(group, creator)[element].value
    except Exception:  # absent, or a private header that another program has mangled
        return None
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    return str(value).strip(" \0")[:64] or None


def private_number(data: Dataset, group: int, creator: str, element: int) -> float | None:
    """Return a private element as a number above 0, None where it is missing, 0 or junk."""
    try:
        value = float(private_text(data, group, creator, element) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0.0 else None


def decimal_string(value: float) -> str:
    """Return a number as DICOM writes it: a decimal string (DS) of at most 16 characters."""
    from pydicom.valuerep import format_number_as_ds

    return str(format_number_as_ds(float(value)))
