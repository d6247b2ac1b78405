"""The files that a part of the benchmark of `patlak` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.pipeline.benchmark.part_files import part_path, write_part_files

__all__ = ["part_file", "write_part"]


def part_file(folder: Path, part: str, kind: str) -> Path:
    """Return where a part's file of a kind is: ``json``, ``md``, ``npz``."""
    return part_path(folder, "patlak", part, kind)


def write_part(folder: Path, part: str, result: Mapping[str, Any], table: str) -> None:
    """Write a result as JSON and its table as Markdown.

    Raises:
        OutputError: If a file cannot be written.
    """
    write_part_files(folder, "patlak", part, result, table)
