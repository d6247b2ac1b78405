"""Forked processes, of a parent that has imported what they need: they start fast."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

__all__ = ["Started", "import_verbs", "start"]

_MODULES = (
    "betaplus.cli.main",
    "betaplus.pipeline.{verb}.run",
    "betaplus.report.{verb}",
    "scipy.optimize",
    "scipy.ndimage",
    "torch",
    "zarr",
    "nibabel",
    "matplotlib.pyplot",
)
_FOLDERS = {"separate": "separation"}


def import_verbs(*verbs: str) -> None:
    """Import what verbs need, and compute nothing: a process with threads is not to be forked."""
    for verb in verbs:
        for name in _MODULES:
            importlib.import_module(name.format(verb=_FOLDERS.get(verb, verb)))


class Started:
    """A command in a process group of its own."""

    def __init__(self, pid: int, said: Path) -> None:
        self.pid, self._said = pid, said
        self.began = time.monotonic()
        self._status: int | None = None

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def over(self) -> bool:
        """Whether it has ended."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def wait(self) -> int:
        """Return its exit code, negative where a signal ended it."""
        if self._status is None:
            self._status = os.waitpid(self.pid, 0)[1]
        return os.waitstatus_to_exitcode(self._status)

    def kill(self) -> int:
        """Kill it and all of its children; return its exit code."""
        if not self.over():
            os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # and its workers
        return self.wait()

    def text(self) -> str:
        """Return what it has said."""
        return self._said.read_text()


def start(work: Callable[[], object], said: Path) -> Started:
    """Have work done in a forked process; what it says goes to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        code = 1
        try:
            work()
            code = 0
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return Started(pid, said)
