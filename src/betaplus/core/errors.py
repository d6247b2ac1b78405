"""Errors that a user can mend, and how they are worded."""

from __future__ import annotations

__all__ = [
    "BetaplusError",
    "InputError",
    "OutputError",
    "UsageError",
    "WorkerError",
    "printable",
    "visible",
]

_LONGEST = 2000  # characters of a message


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
        super().__init__(printable("; ".join(parts)))


class InputError(BetaplusError):
    """A file, array or field that cannot be used as it is."""


class UsageError(BetaplusError):
    """Options that contradict each other or name something unknown."""


class OutputError(BetaplusError):
    """An output that exists already or cannot be written."""


class WorkerError(BetaplusError):
    """Workers that were lost, or cannot do the work; what they have finished is kept."""


def printable(text: str) -> str:
    """Return a text as one line without control characters, which a file could send to a terminal.

    Of a very long one the beginning and the end are kept.
    """
    line = " ".join(text.split())
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
    return visible(line)


def visible(text: str) -> str:
    """Return a text with a question mark for every control character but line ends."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
