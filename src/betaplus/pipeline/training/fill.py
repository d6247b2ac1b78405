"""The folder that a training run learns from: made once, found again, shared by processes."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Progress

__all__ = ["fill_folder"]

_PATIENCE = 2.0  # seconds between two looks for what the first process makes


def fill_folder(
    folder: Path,
    record: Mapping[str, Any],
    make: Callable[[], Iterator[int]],
    *,
    what: str,
    overwrite: bool,
    progress: Progress,
) -> None:
    """Make what is not there yet; of several processes the first does.

    Args:
        folder: Where it is kept, in files ``*.npy``.
        record: What it is made with: fields that JSON knows, of them ``total``, how many `make`
            counts to. A folder that was made with other values, but for the total, is refused.
        make: Makes what is not there yet; yields how many are done.
        what: Plural of what is counted.
        overwrite: Make all of it again.
        progress: What to report to.

    Raises:
        UsageError: If the folder was made with other settings.
        InputError: If something it is made of cannot be used.
    """
    made = json.loads(json.dumps(dict(record)))
    complete = folder / "complete.json"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and overwrite:
        raise UsageError("--overwrite under torchrun", "expected a new folder", "choose another -o")
    if os.environ.get("RANK", "0") != "0":
        while _read(complete) != made:
            time.sleep(_PATIENCE)
        return
    _prepare(folder, made, overwrite)
    if _read(complete) == made:
        return
    progress.start(what, made["total"])
    before = 0
    try:
        for now in make():
            progress.advance(now - before)
            before = now
    except InputError:
        _clear(folder)
        with contextlib.suppress(OSError):  # other things are in it
            folder.rmdir()
            folder.parent.rmdir()
        raise
    progress.finish()
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


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
