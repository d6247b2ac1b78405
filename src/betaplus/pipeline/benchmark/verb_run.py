"""A verb run in a process of its own: how long it takes and how much memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import betaplus
from betaplus.io.jsons import read_json
from betaplus.pipeline.benchmark.memory_watch import MemoryWatch

__all__ = ["run_verb"]


def run_verb(verb: str, arguments: Sequence[str], record: Path) -> dict[str, Any]:
    """Run ``betaplus VERB`` to its end.

    Args:
        verb: Its name.
        arguments: What follows it.
        record: The run record that it writes.

    Returns:
        ``wall_s`` from the start of the process to its end, ``cpu_s`` of all its threads,
        ``peak_bytes`` (the larger of the sampled sum over the process tree and the kernel's count
        for the process), ``planned_bytes``, and ``stages_s``, ``found``, ``fitted`` as in the
        record.

    Raises:
        RuntimeError: If it fails; the message is the last line that it said.
    """
    paths = [str(Path(betaplus.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "betaplus", verb, *arguments]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=environment,
    )  # fmt: skip
    try:
        with MemoryWatch(process) as watch:
            _, said = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(f"betaplus {verb} ended with {process.returncode}: {''.join(last)}")
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = read_json(record)
    return {
        "wall_s": wall,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_bytes": max(watch.peak, run["peak_memory_bytes"]["process"]),
        "planned_bytes": run["engine"]["planned_bytes"],
        "stages_s": run["timings_s"],
        "found": run.get("found", {}),
        "fitted": run.get("fitted"),
    }
