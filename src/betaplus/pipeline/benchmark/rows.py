"""Rows of a result, one for each image or curve that was judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Row", "select"]

Row = Mapping[str, Any]


def select(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """Return the rows that have all given values and were not skipped.

    Raises:
        KeyError: If a row that was not skipped has no such column.
    """
    return [
        row
        for row in rows
        if "skipped" not in row and all(row[name] == value for name, value in wanted.items())
    ]
