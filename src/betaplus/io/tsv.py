"""Tab-separated tables as BIDS writes them: a header row, ``n/a`` where a value is missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.limits import MOST_CELLS, read_text
from betaplus.io.atomic import atomic_path
from betaplus.io.jsons import sidecar_path, write_json

__all__ = ["column_numbers", "read_table", "write_table"]

_MISSING = "n/a"


def read_table(path: str | Path) -> dict[str, list[str]]:
    """Return the columns of a TSV as text, in the order of the header.

    Raises:
        InputError: If the file cannot be read as a table with unique column names, or is over the
            limits of `betaplus.core.limits`.
    """
    path = Path(path)
    text = read_text(path, "expected a TSV file")
    cells = text.count("\t") + text.count("\n")
    if cells > MOST_CELLS:
        raise InputError(
            f"{path.name} has {cells} cells", f"expected a table of up to {MOST_CELLS}"
        )
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(f"{path.name} is empty", "expected a header row and rows of values")
    names = [name.strip() for name in lines[0].split("\t")]
    times = Counter(names)
    for name in names:
        if not name or times[name] > 1:
            raise InputError(
                f"{path.name} has {'an unnamed column' if not name else f'two columns {name!r}'}",
                "expected tab-separated columns with a name of their own",
            )
    rows = [line.split("\t") for line in lines[1:]]
    if not rows:
        raise InputError(f"{path.name} has a header but no rows", "expected rows of values")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise InputError(
                f"line {line} of {path.name} has {len(row)} values but the header has"
                f" {len(names)} columns",
                "expected tab-separated values, n/a where one is missing",
            )
    return {name: [row[i].strip() for row in rows] for i, name in enumerate(names)}


def column_numbers(column: Sequence[str], name: str, where: str) -> np.ndarray:
    """Return a column as float64, NaN where it says ``n/a``.

    Raises:
        InputError: If a value is empty, not a number, ``nan`` or infinite.
    """
    out = np.empty(len(column))
    for i, text in enumerate(column):
        if text == _MISSING:
            out[i] = math.nan
            continue
        try:
            out[i] = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            out[i] = math.nan
        if not math.isfinite(out[i]):
            raise InputError(
                f"column {name} holds {text[:40]!r} on line {i + 2} of {where}",
                "expected a number, or n/a for a missing sample",
            )
    return out


def write_table(
    path: str | Path,
    columns: Mapping[str, Sequence[Any]],
    sidecar: Mapping[str, Any] | None = None,
) -> None:
    """Write columns of equal length as a TSV; numbers are read back bit-equal, NaN is ``n/a``.

    Args:
        path: The file.
        columns: Name and values of each column, in order.
        sidecar: Fields of the JSON beside it, or None for none.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If the columns differ in length, are infinite or hold tabs or line ends.
    """
    cells = [[_cell(value) for value in column] for column in columns.values()]
    lines = ["\t".join(_cell(name) for name in columns)]
    lines += ["\t".join(row) for row in zip(*cells, strict=True)]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if sidecar is not None:
            write_json(sidecar_path(path), sidecar)


def _cell(value: Any) -> str:
    if value is None:
        return _MISSING
    if isinstance(value, str):
        if any(c in value for c in "\t\r\n"):
            raise ValueError(f"a table cell cannot hold {value!r}")
        return value
    if isinstance(value, (int, np.integer, np.bool_)):
        return str(int(value))
    number = float(value)
    if math.isinf(number):
        raise ValueError("a table cell cannot hold infinity")
    return _MISSING if math.isnan(number) else repr(number)
