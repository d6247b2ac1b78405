"""Memory and processor time of a process and all its children, sampled while it runs."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from pathlib import Path

__all__ = ["MemoryWatch"]

_PROC = Path("/proc")


class MemoryWatch:
    """Samples a process tree until the process ends; a context manager around waiting for it.

    Pages that several processes share are counted once for each, so the figure is an upper bound.
    A peak shorter than the interval between samples can be missed: the run record holds what the
    kernel counted for the process itself.

    Args:
        process: The process, started.
        interval: Time between samples [s].

    Attributes:
        peak: Largest sum over the tree so far [bytes]; 0 where there is no ``/proc`` (macOS).
        cpu_s: Processor time that each process of the tree was last seen with [s], by its id;
            likewise.
    """

    def __init__(self, process: subprocess.Popen, interval: float = 0.1) -> None:
        self.peak, self.cpu_s = 0, dict[int, float]()
        self._process, self._interval = process, interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, _tree_bytes(self._process.pid, self.cpu_s))
            if self._ended.wait(self._interval):
                return


def _tree_bytes(pid: int, cpu_s: dict[int, float]) -> int:
    """Resident bytes of a process and its descendants; 0 for one that is gone.

    Args:
        pid: Of the process.
        cpu_s: Where the processor time of each is put.
    """
    folder = _PROC / str(pid)
    try:
        spent = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
        cpu_s[pid] = sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")
        match = re.search(r"^VmRSS:\s*(\d+) kB", (folder / "status").read_text(), re.MULTILINE)
        children = [
            int(child)
            for task in (folder / "task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return 0
    own = int(match[1]) * 1024 if match else 0
    return own + sum(_tree_bytes(child, cpu_s) for child in children)
