"""The two files that a part of a benchmark writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.io.atomic import atomic_path

__all__ = ["part_path", "write_json_item", "write_part_files"]


def part_path(folder: Path, benchmark: str, part: str, kind: str) -> Path:
    """Return where a part's file of a kind is: ``json``, ``md``, ``npz``."""
    return folder / f"benchmark_{benchmark}_{part}.{kind}"


def write_part_files(
    folder: Path, benchmark: str, part: str, result: Mapping[str, Any], table: str
) -> None:
    """Write a result as JSON and its table as Markdown.

    Args:
        folder: Where to; made if it is not there.
        benchmark: Name of the benchmark.
        part: Name of the part.
        result: What it found.
        table: The same, to be read.

    Raises:
        OutputError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json_item(part_path(folder, benchmark, part, "json"), result)
    with atomic_path(part_path(folder, benchmark, part, "md")) as path:
        path.write_text(table.rstrip() + "\n", encoding="utf-8")


def write_json_item(path: Path, item: Mapping[str, Any]) -> None:
    """Write an object as JSON, complete or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(item, indent=1) + "\n", encoding="utf-8")
