"""Parts of a benchmark, each measured by itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress

__all__ = ["check_parts", "run_parts"]


def check_parts(parts: Sequence[str], known: Collection[str]) -> None:
    """Refuse parts that are not known.

    Raises:
        UsageError: If one is not.
    """
    for part in parts:
        if part not in known:
            raise UsageError(f"part {part!r} is unknown", f"expected one of {', '.join(known)}")


def run_parts(
    out: Path,
    parts: Sequence[str],
    known: Mapping[str, str],
    measure: Callable[[str, Callable[..., dict[str, Any]]], dict[str, Any]],
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    """Measure parts, each once; return part to what it found.

    Args:
        out: Folder; made if it is not there.
        parts: Names, see `check_parts`.
        known: Part to its function, ``module:name``, imported on use.
        measure: Calls the function of a part: ``measure(part, function)``.
        progress: What to report to.
    """
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for part in dict.fromkeys(parts):
        progress.note(f"part {part}")
        module, _, function = known[part].partition(":")
        found[part] = measure(part, getattr(import_module(module), function))
    return found
