"""What a command was called with, and what it says when it has run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import typer

from betaplus.core.errors import visible

__all__ = ["command_line", "tell", "tell_run"]


class _Run(Protocol):
    @property
    def summary(self) -> list[str]: ...


def command_line(context: typer.Context) -> str:
    """Return the command line, for the record of a run."""
    return shlex.join(["betaplus", *(context.obj or ())])


def tell(lines: Iterable[object], quiet: bool) -> None:
    """Print lines, unless it is to be quiet."""
    if not quiet:
        for line in lines:
            typer.echo(visible(str(line)))


def tell_run(run: _Run | None, out: Path, quiet: bool) -> None:
    """Print what a run found, unless it is to be quiet.

    Args:
        run: The run, or None where `--resume` met one that has finished.
        out: Its folder.
        quiet: Whether to print nothing.
    """
    nothing = [f"{out}: finished already, nothing to do"]
    tell(nothing if run is None else run.summary, quiet)
