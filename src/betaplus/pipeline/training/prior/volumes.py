"""The volumes of a training run: made once, found again on resuming, shared by processes."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Progress
from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["fill_corpus"]

_FIELDS = ("anatomy", "unit", "voxel", "tracers", "paints", "sharpest", "bluntest")
_PATIENCE = 2.0  # seconds between two looks for what the first process makes


def fill_corpus(
    folder: Path,
    plan: PriorPlan,
    *,
    data: Path | None,
    unit: str | None,
    overwrite: bool,
    seed: int,
    workers: int | None,
    progress: Progress,
) -> None:
    """Make the volumes that are not there yet; of several processes the first does.

    Args:
        folder: Where volumes are kept.
        plan: The prior.
        data: A user's images, or None to simulate.
        unit: Of images whose sidecar does not say.
        overwrite: Make all of them again.
        seed: Of the run.
        workers: Processes that simulate; the cores available if None.
        progress: What to report to.

    Raises:
        UsageError: If the folder holds volumes of other settings.
        InputError: If an image cannot be used.
    """
    from betaplus.pipeline.training.prior.own import find_images

    made = {name: getattr(plan, name) for name in _FIELDS} | {"seed": seed, "own": data is not None}
    made["total"] = plan.people if data is None else len(find_images(data))
    made = json.loads(json.dumps(made))
    complete = folder / "complete.json"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and overwrite:
        raise UsageError("--overwrite under torchrun", "expected a new folder", "choose another -o")
    if os.environ.get("RANK", "0") != "0":
        while _read(complete) != made:
            time.sleep(_PATIENCE)
        return
    _prepare(folder, made, overwrite)
    if _read(complete) != made:
        try:
            _make(folder, plan, data, unit, made["total"], seed, workers, progress)
        except InputError:
            _clear(folder)
            with contextlib.suppress(OSError):  # other things are in it
                folder.rmdir()
                folder.parent.rmdir()
            raise
        complete.write_text(json.dumps(made) + "\n", encoding="utf-8")


def _prepare(folder: Path, made: dict[str, Any], overwrite: bool) -> None:
    """Begin a folder, or check that it was begun with these settings."""
    record = folder / "corpus.json"
    if record.exists() and not overwrite:
        before = _read(record)
        for name, value in made.items():
            if name != "total" and before.get(name) != value:
                raise UsageError(
                    f"{folder} was made with {name} {before.get(name)}",
                    f"expected {value}, as asked now",
                    "choose another -o or give --overwrite to start again",
                )
        return
    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def _clear(folder: Path) -> None:
    for path in (*folder.glob("*.npy"), folder / "corpus.json", folder / "complete.json"):
        path.unlink(missing_ok=True)


def _make(
    folder: Path,
    plan: PriorPlan,
    data: Path | None,
    unit: str | None,
    total: int,
    seed: int,
    workers: int | None,
    progress: Progress,
) -> None:
    from betaplus.engine import default_workers
    from betaplus.pipeline.training.prior.corpus import make_corpus
    from betaplus.pipeline.training.prior.own import import_images

    if data is None:
        steps = make_corpus(folder, plan, range(total), seed, workers or default_workers())
    else:
        steps = import_images(folder, data, plan, unit)
    progress.start("volumes", total)
    before = 0
    for now in steps:
        progress.advance(now - before)
        before = now
    progress.finish()


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
