"""A verb run in a process of its own: how long it takes and how much memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import betaplus
from betaplus.io.jsons import read_json
from betaplus.pipeline.benchmark.memory_watch import MemoryWatch

__all__ = ["VerbRun", "run_verb"]


@dataclass(frozen=True, kw_only=True)
class VerbRun:
    """A run that has ended.

    Attributes:
        wall_s: From the start of the process to its end.
        cpu_s: Of all its threads.
        command_cpu_s: Of the command alone, as it was last seen.
        worker_cpu_s: Of the process that it started which took most; 0 if it started none.
        peak_bytes: The larger of the sampled sum over the process tree and the kernel's count for
            the process.
        record: The run record that it wrote.
    """

    wall_s: float
    cpu_s: float
    command_cpu_s: float = 0.0
    worker_cpu_s: float = 0.0
    peak_bytes: int
    record: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, with ``planned_bytes`` and ``stages_s`` as in the record."""
        return {
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "peak_bytes": self.peak_bytes,
            "planned_bytes": self.record["engine"]["planned_bytes"],
            "stages_s": self.record["timings_s"],
        }


def run_verb(
    verb: str,
    arguments: Sequence[str],
    record: Path,
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> VerbRun:
    """Run ``betaplus VERB`` to its end.

    Args:
        verb: Its name.
        arguments: What follows it.
        record: The run record that it writes.
        log: Where what it says goes; nowhere if None.
        environment: Variables that are set for it.

    Raises:
        RuntimeError: If it fails; the message is the last line that it said.
    """
    paths = [str(Path(betaplus.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, **(environment or {})}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-m", "betaplus", verb, *arguments]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with _opened(log) as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said if log else subprocess.DEVNULL,
            stderr=said, env=variables,
        )  # fmt: skip
        try:
            with MemoryWatch(process) as watch:
                code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        wall = time.perf_counter() - began
        if code:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"betaplus {verb} ended with {code}: {''.join(last)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = read_json(record)
    return VerbRun(
        wall_s=wall,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        command_cpu_s=watch.cpu_s.pop(process.pid, 0.0),
        worker_cpu_s=max(watch.cpu_s.values(), default=0.0),
        peak_bytes=max(watch.peak, run["peak_memory_bytes"]["process"]),
        record=run,
    )


def _opened(log: Path | None) -> AbstractContextManager[Any]:
    return tempfile.TemporaryFile() if log is None else log.open("wb+")
