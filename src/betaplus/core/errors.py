"""Errors that a user can mend, and how they are worded."""

from __future__ import annotations

__all__ = ["BetaplusError", "InputError", "OutputError", "UsageError"]


class BetaplusError(Exception):
    """Something the user can mend: the command line prints it as one line and exits with 2.

    Args:
        found: What was found, with the file or field it was found in.
        expected: What would have been right, or "" where `found` already says it.
        todo: What to do about it, or "".
    """

    def __init__(self, found: str, expected: str = "", todo: str = "") -> None:
        self.found = found
        self.expected = expected
        self.todo = todo
        parts = [part.rstrip(".;, ") for part in (found, expected, todo) if part]
        super().__init__(" ".join("; ".join(parts).split()))


class InputError(BetaplusError):
    """A file, array or field that cannot be used as it is."""


class UsageError(BetaplusError):
    """Options that contradict each other or name something unknown."""


class OutputError(BetaplusError):
    """An output that exists already or cannot be written."""
