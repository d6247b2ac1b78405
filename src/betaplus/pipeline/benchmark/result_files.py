"""The files that benchmarks write: what was found as JSON, its table as Markdown, arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.io.atomic import atomic_path

__all__ = ["read_arrays", "result_file", "write_arrays", "write_json", "write_result"]


def result_file(folder: Path, name: str, kind: str) -> Path:
    """Return where a file is.

    Args:
        folder: Of the results.
        name: Of the benchmark, and of its part or of what is in the file: ``denoise_images``.
        kind: ``json``, ``md``, ``npz``, ``png``.
    """
    return folder / f"benchmark_{name}.{kind}"


def write_result(folder: Path, name: str, result: Mapping[str, Any], table: str) -> None:
    """Write a result as JSON and its table as Markdown.

    Args:
        folder: Where to; made if it is not there.
        name: Of the benchmark and its part, as for `result_file`.
        result: What was found.
        table: The same, to be read.

    Raises:
        OutputError: If a file cannot be written.
    """
    write_json(result_file(folder, name, "json"), result)
    with atomic_path(result_file(folder, name, "md")) as path:
        path.write_text(table.rstrip() + "\n", encoding="utf-8")


def write_json(path: Path, item: Mapping[str, Any]) -> None:
    """Write an object as JSON, complete or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(item, indent=1) + "\n", encoding="utf-8")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name (npz), complete or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **dict(arrays))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return arrays by name; none where there is no such file."""
    if not path.is_file():
        return {}
    with np.load(path) as file:
        return {name: file[name] for name in file.files}
