"""The two files that a part of the benchmark of `denoise` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.io.atomic import atomic_path

__all__ = ["part_file", "write_part"]


def part_file(folder: Path, part: str, kind: str) -> Path:
    """Return where a part's file of a kind is: ``json``, ``md``, ``npz``."""
    return folder / f"benchmark_denoise_{part}.{kind}"


def write_part(folder: Path, part: str, result: Mapping[str, Any], table: str) -> None:
    """Write a result as JSON and its table as Markdown.

    Args:
        folder: Where to; made if it is not there.
        part: Name of the part.
        result: What it found.
        table: The same, to be read.

    Raises:
        OutputError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for kind, text in (
        ("json", json.dumps(result, indent=1) + "\n"),
        ("md", table.rstrip() + "\n"),
    ):
        with atomic_path(part_file(folder, part, kind)) as path:
            path.write_text(text, encoding="utf-8")
