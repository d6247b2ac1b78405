"""Progress whose notes wait until it is known that there is something to do."""

from __future__ import annotations

from betaplus.core.progress import Progress

__all__ = ["HeldNotes"]


class HeldNotes:
    """Progress that keeps notes to itself until it is released.

    Args:
        progress: What is reported to.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._notes: list[str] = []

    def start(self, task: str, total: int) -> None:
        """Begin a task of `total` steps."""
        self._progress.start(task, total)

    def advance(self, steps: int = 1) -> None:
        """Report that `steps` more are done."""
        self._progress.advance(steps)

    def finish(self) -> None:
        """End the task."""
        self._progress.finish()

    def note(self, text: str) -> None:
        """Keep it."""
        self._notes.append(text)

    def release(self) -> None:
        """Say all that was kept."""
        while self._notes:
            self._progress.note(self._notes.pop(0))
