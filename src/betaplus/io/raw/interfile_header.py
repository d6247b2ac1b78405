"""Interfile headers: lines of ``name := value``, as STIR and Siemens write them.

Interfile 3.3 (Todd-Pokropek, Cradduck and Deconinck, Nucl Med Commun 1992, 13:673-699), with the
extensions for PET of STIR and of Siemens, whose own fields begin with a per cent sign.
"""

from __future__ import annotations

import datetime
import math
import re
from pathlib import Path

from betaplus.core.errors import InputError

__all__ = ["InterfileHeader"]

_LARGEST = 1 << 20  # bytes


class InterfileHeader:
    """Fields of a header by name.

    Names are compared without their case, marks (``!``, ``%``) and superfluous spaces. Of a name
    that comes twice the last value counts. All line ends are taken, mixed too.

    Attributes:
        path: The file.
        fields: Name as compared to value, in the order of the file.

    Raises:
        InputError: If it cannot be read or is no Interfile header.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.fields: dict[str, str] = {}
        for line in re.split(r"\r\n|\r|\n", _text(self.path)):
            name, mark, value = line.partition(":=")
            if not mark or name.lstrip().startswith(";"):
                continue
            key = _key(name)
            if not self.fields and key != "interfile":
                break
            self.fields[key] = value.strip()
            if key == "end of interfile":
                break
        if not self.fields:
            raise InputError(f"{self.path.name} is no Interfile header", "expected !INTERFILE :=")

    def wrong(self, found: str, expected: str = "", todo: str = "") -> InputError:
        """Return an error about this header."""
        return InputError(f"{found} in {self.path.name}", expected, todo)

    def text(self, *names: str) -> str | None:
        """Return the value of the first name that has one, or None."""
        for name in names:
            value = self.fields.get(_key(name))
            if value:
                return value
        return None

    def required(self, *names: str) -> str:
        """Return the value of the first name that has one.

        Raises:
            InputError: If none has.
        """
        value = self.text(*names)
        if value is None:
            raise self.wrong(f"{names[0]!r} is missing", "expected that field")
        return value

    def number(self, *names: str) -> float | None:
        """Return a field as a number, or None where it is missing.

        Raises:
            InputError: If it is no finite number.
        """
        value = self.text(*names)
        return None if value is None else self._float(names[0], value)

    def whole(self, *names: str) -> int | None:
        """Return a field as a whole number, or None where it is missing.

        Raises:
            InputError: If it is none.
        """
        value = self.number(*names)
        if value is not None and value != round(value):
            raise self.wrong(f"{names[0]!r} is {value:g}", "expected a whole number")
        return None if value is None else round(value)

    def required_whole(self, *names: str) -> int:
        """Return a field as a whole number.

        Raises:
            InputError: If it is missing or none.
        """
        self.required(*names)
        value = self.whole(*names)
        assert value is not None
        return value

    def texts(self, *names: str) -> list[str] | None:
        """Return a list in braces, or one value as a list of one; None where it is missing."""
        value = self.text(*names)
        if value is None:
            return None
        return [item.strip() for item in value.strip("{} \t").split(",")]

    def wholes(self, *names: str) -> list[int] | None:
        """Return a list of whole numbers, or None where it is missing.

        Raises:
            InputError: If anything else is in it.
        """
        items = self.texts(*names)
        if items is None:
            return None
        values = [self._float(names[0], item) for item in items]
        if any(value != round(value) for value in values):
            raise self.wrong(f"{names[0]!r} is {self.text(*names)}", "expected whole numbers")
        return [round(value) for value in values]

    def moment(self, name: str) -> datetime.datetime | None:
        """Return the time of ``<name> date`` and ``<name> time``, or None where one is missing."""
        date = time = None
        for key, value in self.fields.items():
            if key.startswith(f"{name} date"):
                date = re.fullmatch(r"(\d{4})[:.-](\d{1,2})[:.-](\d{1,2})", value)
            elif key.startswith(f"{name} time"):
                time = re.fullmatch(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d*)?", value)
        if not date or not time:
            return None
        try:
            year, month, day = map(int, date.groups())
            hour, minute, second = map(int, time.groups())
            return datetime.datetime(year, month, day, hour, minute, second)
        except ValueError:
            return None

    def _float(self, name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.wrong(f"{name!r} is {text[:40]!r}", "expected a number")
        return value


def _key(name: str) -> str:
    words = " ".join(name.strip().lstrip("!%").lower().split())
    return re.sub(r"\s*\[\s*(\d+)\s*\]", r"[\1]", words)


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise InputError(f"{path} does not exist", "expected an Interfile header")
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(raw) > _LARGEST or b"\0" in raw:
        raise InputError(f"{path.name} is no Interfile header", "expected a text of up to 1 MiB")
    return raw.decode("latin-1")
