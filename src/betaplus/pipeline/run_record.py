"""What every run writes down about itself."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from betaplus import __version__
from betaplus.engine import MemoryPlan, peak_memory

__all__ = ["RESULT_VERSIONS", "Stopwatch", "engine_record", "file_name", "run_record", "versions"]

RESULT_VERSIONS = ("numpy", "scipy", "numba", "torch")
"""Packages whose arithmetic a result depends on."""

_ALSO = ("nibabel", "zarr", "matplotlib")


class Stopwatch:
    """Wall-clock time of the stages of a run [s].

    Attributes:
        seconds: Stage to seconds, in order.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is inside; a stage met twice adds up."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 3)

    @property
    def total(self) -> float:
        """Seconds since it was made."""
        return round(time.perf_counter() - self._began, 3)


def versions(packages: tuple[str, ...] = (*RESULT_VERSIONS, *_ALSO)) -> dict[str, str]:
    """Return the version of betaplus and of installed packages."""
    found = {"betaplus": __version__}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def run_record(verb: str, command: str, seed: int, watch: Stopwatch) -> dict[str, Any]:
    """Return the fields of ``<src>_<verb>_run.json`` that all verbs share."""
    memory = peak_memory()
    return {
        "verb": verb,
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command,
        "versions": {"python": platform.python_version(), **versions()},
        "platform": platform.platform(),
        "seed": seed,
        "timings_s": {**watch.seconds, "total": watch.total},
        "peak_memory_bytes": {"process": memory.process, "largest_child": memory.largest_child},
    }


def engine_record(executor: str, memory: MemoryPlan, lost: int) -> dict[str, Any]:
    """Return the record's field ``engine``: what blocks ran in, within what memory.

    Args:
        executor: Its name.
        memory: As planned.
        lost: Workers that were lost in the middle of their work.
    """
    return {
        "executor": executor,
        "workers": memory.workers,
        "max_memory_bytes": memory.limit,
        "planned_bytes": memory.bytes_total,
        "workers_lost": lost,
    }


def file_name(path: Path | str | None) -> str | None:
    """Return the name of a file; None where there is none."""
    return None if path is None else Path(path).name
