"""One slice of Ki of each person, kept for the figure of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.patlak.cases import Subject
from betaplus.pipeline.benchmark.patlak.scores import Targets
from betaplus.pipeline.benchmark.shelf import Shelf

__all__ = ["SHOWN", "TRUTH", "keep_slice", "shown_plane", "write_slices"]

SHOWN = ("wls", "gaussian", "tv", "hqs")
"""Methods that are shown."""

TRUTH = "truth"
"""Name of the slice without noise."""


def shown_plane(targets: Targets) -> int:
    """Return the coronal plane through the lesion that has the most Ki, or the middle."""
    Ki = targets.truth["Ki"]
    if not targets.lesions:
        return int(Ki.shape[1] // 2)
    flat = Ki.ravel()
    most = max(targets.lesions, key=lambda place: float(flat[place.inside].sum()))
    return round(float(np.unravel_index(most.inside, Ki.shape)[1].mean()))


def keep_slice(
    shelf: Shelf, subject: Subject, targets: Targets, images: Mapping[str, np.ndarray]
) -> None:
    """Write a slice of each image, shape (X, Y, Z), and of the truth.

    Raises:
        OutputError: If a file cannot be written.
    """
    plane = shown_plane(targets)
    for name, image in {TRUTH: targets.truth["Ki"], **images}.items():
        with atomic_path(_path(shelf, subject, name)) as path, path.open("wb") as file:
            np.save(file, np.asarray(image[:, plane], np.float32))


def write_slices(shelf: Shelf, subjects: Sequence[Subject], path: Path) -> None:
    """Gather the slices that were kept in one file: ``person|method`` to shape (X, Z).

    Raises:
        OutputError: If the file cannot be written.
    """
    found = {
        f"{subject.name}|{name}": np.load(_path(shelf, subject, name))
        for subject in subjects
        for name in (TRUTH, *SHOWN)
        if _path(shelf, subject, name).is_file()
    }
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **found)


def _path(shelf: Shelf, subject: Subject, name: str) -> Path:
    return shelf.folder / "slices" / f"{subject.protocol}_{subject.name}_{name}.npy"
