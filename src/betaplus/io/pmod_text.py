"""Headings, rows and numbers of PMOD's text files.

The first line holds the headings, parted by tabs, or by blanks where there is no tab. A unit stands
in brackets behind its heading. Numbers are kept as written until their unit is known.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from betaplus.core.errors import InputError
from betaplus.core.limits import MOST_CELLS, read_text
from betaplus.io.atomic import atomic_path

__all__ = ["PmodText", "split_heading", "time_scale", "write_columns"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST_HEADING = 1000  # characters
_LONGEST_NUMBER = 800  # characters: a float64 written out exactly has at most 767 digits
_HEADING = re.compile(r"(.*?)\s*(?:\[([^\[\]]*)\])?")
_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60),
}


@dataclass(frozen=True)
class PmodText:
    """The cells of a file.

    Attributes:
        name: Name of the file.
        headings: The first line.
        rows: Cells of the others.
        lines: Their line numbers.
    """

    name: str
    headings: list[str]
    rows: list[list[str]]
    lines: list[int]

    @classmethod
    def read(cls, path: Path) -> PmodText:
        """Read a file.

        Raises:
            InputError: If it is no text with headings of their own and rows of as many cells.
        """
        text = read_text(path, "expected a PMOD file")
        cells = len(text.split(None, MOST_CELLS))
        if cells > MOST_CELLS:
            raise InputError(
                f"{path.name} has over {MOST_CELLS} cells", "expected a smaller PMOD file"
            )
        lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), start=1)]
        lines = [(i, line) for i, line in lines if line]
        if len(lines) < 2:
            raise InputError(f"{path.name} has {len(lines)} lines", "expected headings and rows")
        by = "\t" if "\t" in lines[0][1] else None
        headings = [cell.strip() for cell in lines[0][1].split(by)]
        times = Counter(headings)
        for heading in headings:
            if not heading or times[heading] > 1:
                raise InputError(
                    f"{path.name} has {f'two {heading}' if heading else 'an empty heading'}",
                    "expected headings of their own, parted by tabs",
                )
            if len(heading) > _LONGEST_HEADING:
                raise InputError(
                    f"{path.name} has a heading of {len(heading)} characters",
                    f"expected up to {_LONGEST_HEADING}",
                )
        rows = [[cell.strip() for cell in line.split(by)] for _, line in lines[1:]]
        for (i, _), row in zip(lines[1:], rows, strict=True):
            if len(row) != len(headings):
                raise InputError(
                    f"line {i} of {path.name} has {len(row)} values for {len(headings)} headings",
                    "expected one each, parted as the headings are",
                )
        return cls(path.name, headings, rows, [i for i, _ in lines[1:]])

    def numbers(self, column: int) -> list[Fraction]:
        """Return a column exactly as written.

        Raises:
            InputError: If a cell is no number.
        """
        out = []
        for line, row in zip(self.lines, self.rows, strict=True):
            cell = row[column]
            known = len(cell) <= _LONGEST_NUMBER and _NUMBER.fullmatch(cell)
            if not known or math.isinf(float(cell)):
                raise InputError(
                    f"{self.headings[column]} holds {cell[:40]!r} on line {line} of {self.name}",
                    "expected a number with a decimal point",
                )
            out.append(Fraction(cell))
        return out


def split_heading(text: str) -> tuple[str, str | None]:
    """Split ``end[kBq/cc]`` into its name and what is in brackets, None where nothing is."""
    match = _HEADING.fullmatch(text)
    if match is None:
        return text, None
    return match.group(1), (match.group(2) or "").strip() or None


def time_scale(heading: str, where: str) -> int:
    """Return the seconds in the unit of a heading.

    Raises:
        InputError: If it has none, or one that is neither seconds nor minutes.
    """
    scale = _SECONDS.get((split_heading(heading)[1] or "").lower())
    if scale is None:
        raise InputError(
            f"heading {heading} in {where} has no known unit of time",
            "expected [seconds] or [minutes]",
            "add it",
        )
    return scale


def write_columns(
    path: str | Path, headings: Sequence[str], columns: Sequence[Sequence[str]]
) -> None:
    """Write cells, tab-separated.

    Raises:
        OutputError: If the file cannot be written.
    """
    lines = ["\t".join(headings), *("\t".join(row) for row in zip(*columns, strict=True))]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
