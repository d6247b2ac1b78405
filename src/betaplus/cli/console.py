"""Progress for people: bars on a terminal, a few plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from betaplus.core.progress import Progress, Silent

__all__ = ["Bars", "Lines", "console"]

_LINE_EVERY = 10.0  # s between lines of one task
_WORTH_A_LINE = 1.0  # s: shorter tasks are not mentioned


def console(quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """Return progress on standard error: rich bars if it is a terminal, plain lines if not."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        return Silent()
    return Bars(stream) if stream.isatty() else Lines(stream)


class Lines:
    """Progress as plain lines, at most one in ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._task, self._total, self._done = "", 0, 0
        self._began = self._last = 0.0

    def start(self, task: str, total: int) -> None:
        """Begin a task of `total` steps."""
        self._task, self._total, self._done = task, total, 0
        self._began = self._last = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """Report that `steps` more are done."""
        self._done += steps
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY and self._done < self._total:
            self._last = now
            self.note(f"{self._task}: {100 * self._done // max(self._total, 1)} %")

    def finish(self) -> None:
        """End the task."""
        seconds = time.monotonic() - self._began
        if seconds >= _WORTH_A_LINE:
            self.note(f"{self._task}: {self._done} of {self._total} in {seconds:.1f} s")

    def note(self, text: str) -> None:
        """Say something once."""
        print(text, file=self._stream, flush=True)


class Bars:
    """Progress as rich bars, one task at a time."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._bar: Any = None
        self._task: Any = None

    def start(self, task: str, total: int) -> None:
        """Begin a task of `total` steps."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.finish()
        self._bar = Progress(
            TextColumn("{task.description:<8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(task, total=total)

    def advance(self, steps: int = 1) -> None:
        """Report that `steps` more are done."""
        if self._bar is not None:
            self._bar.advance(self._task, steps)

    def finish(self) -> None:
        """End the task."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def note(self, text: str) -> None:
        """Say something once."""
        self._console.print(text, markup=False, soft_wrap=True)
