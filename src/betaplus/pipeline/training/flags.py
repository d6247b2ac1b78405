"""What every training command refuses before it begins."""

from __future__ import annotations

import math
from pathlib import Path

from betaplus.core.errors import UsageError

__all__ = ["check_flags", "refuse_earlier_run"]


def check_flags(
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    max_minutes: float | None = None,
    workers: int | None = None,
) -> None:
    """Refuse options of a training command that cannot be followed; nothing is written.

    Args:
        out: Folder to write to.
        resume: Go on where an earlier run stopped.
        overwrite: Begin again.
        max_minutes: Minutes of training at most.
        workers: Processes that simulate.

    Raises:
        UsageError: If two options exclude each other, a number is out of range, or `out` is a file.
    """
    if resume and overwrite:
        raise UsageError("--resume and --overwrite", "expected one of the two")
    if max_minutes is not None and not 0 < max_minutes < math.inf:
        raise UsageError(f"--max-minutes {max_minutes:g}", "expected a number above 0")
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers}", "expected 1 or more")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "expected a folder to write to")


def refuse_earlier_run(
    out: Path, part: str, *, resume: bool = False, overwrite: bool = False
) -> None:
    """Refuse to write over an earlier run unasked.

    Args:
        out: Folder to write to.
        part: Name in it that only a run that has begun leaves there.
        resume: Go on where it stopped.
        overwrite: Begin again.

    Raises:
        UsageError: If `part` is there and neither flag is given.
    """
    if (out / part).exists() and not (resume or overwrite):
        raise UsageError(
            f"{out} holds an earlier training run",
            todo="give --resume to continue it or --overwrite to start again",
        )
