"""The files that a part of the benchmark of `separate` writes, and what all tables begin with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from betaplus.pipeline.benchmark.part_files import write_part_files

__all__ = ["finite", "number", "opening", "skip_lines", "write_part"]


def write_part(folder: Path, part: str, result: Mapping[str, Any], table: str) -> None:
    """Write a result as JSON and its table as Markdown.

    Raises:
        OutputError: If a file cannot be written.
    """
    write_part_files(folder, "separate", part, finite(result), table)


def opening(title: str, result: Mapping[str, Any]) -> list[str]:
    """Return the heading of a part, with a warning where a run was a quick one."""
    warning = ["Quick run: too little to judge by.", ""] if result["quick"] else []
    return [f"# {title}", "", *warning]


def skip_lines(reasons: Mapping[str, str]) -> list[str]:
    """Return why methods were left out, as a list; nothing where none was."""
    if not reasons:
        return []
    return ["Left out:", "", *[f"- {name}: {why}" for name, why in reasons.items()], ""]


def number(value: float | None, form: str = "{:.3f}") -> str:
    """Return a number as text; empty where there is none."""
    return "" if value is None or not math.isfinite(value) else form.format(value)


def finite(value: Any) -> Any:
    """Return what JSON knows: None in place of a number that is not finite."""
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
