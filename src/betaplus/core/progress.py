"""Progress as plain calls, so that no floor below the command line knows about terminals."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """What long computations report to."""

    def start(self, task: str, total: int) -> None:
        """Begin a task of `total` steps."""

    def advance(self, steps: int = 1) -> None:
        """Report that `steps` more are done."""

    def finish(self) -> None:
        """End the task."""

    def note(self, text: str) -> None:
        """Say something once."""


class Silent:
    """Progress that nobody watches."""

    def start(self, task: str, total: int) -> None:
        """Do nothing."""

    def advance(self, steps: int = 1) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
