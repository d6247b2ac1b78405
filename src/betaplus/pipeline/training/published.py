"""The published consistency model trained anew, from its own simulator to a weight bundle."""

from __future__ import annotations

import math
from pathlib import Path

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent

__all__ = ["train_published_model"]


def train_published_model(
    out: str | Path,
    *,
    max_minutes: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    command: str = "betaplus train kinetics-published",
    progress: Progress | None = None,
) -> Path:
    """Train PET-TRACER's network on its own simulator and write its bundle.

    Args:
        out: Folder: ``published/`` with ``metrics.jsonl`` and a checkpoint, and ``bundles/``.
        max_minutes: Minutes of training at most; the paper's 100,000 iterations if None.
        resume: Go on where an earlier run stopped.
        overwrite: Begin again.
        seed: Seed.
        command: The command line, for the record.
        progress: What to report to.

    Returns:
        The bundle, measured on 512 curves that no training sees.

    Raises:
        UsageError: If the folder holds an earlier run and neither flag is given.
    """
    from betaplus.kinetics.published.publishing import publish
    from betaplus.kinetics.published.training import train_published

    out, progress = Path(out), progress or Silent()
    if max_minutes is not None and not 0 < max_minutes < math.inf:
        raise UsageError(f"--max-minutes {max_minutes:g}", "expected a number above 0")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "expected a folder to write to")
    train_published(
        out / "published",
        max_minutes=max_minutes,
        seed=seed,
        device="auto",
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )
    progress.note("measuring the network on curves of its own simulator")
    return publish(out / "published", out / "bundles", command, seed=seed, overwrite=True)
