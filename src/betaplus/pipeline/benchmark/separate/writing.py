"""The files that a part of the benchmark of `separate` writes, and what its tables leave out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from betaplus.pipeline.benchmark.result_files import write_result

__all__ = ["finite", "skip_lines", "write_part"]


def write_part(folder: Path, part: str, result: Mapping[str, Any], table: str) -> None:
    """Write a result as JSON and its table as Markdown.

    Raises:
        OutputError: If a file cannot be written.
    """
    write_result(folder, f"separate_{part}", finite(result), table)


def skip_lines(reasons: Mapping[str, str]) -> list[str]:
    """Return why methods were left out, as a list; nothing where none was."""
    if not reasons:
        return []
    return ["Left out:", "", *[f"- {name}: {why}" for name, why in reasons.items()], ""]


def finite(value: Any) -> Any:
    """Return what JSON knows: None in place of a number that is not finite."""
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
