"""Crops of bodies that no training saw, on which draws of images are judged.

Each is of a body of its own, around another organ. The noise is that of the whole body in the
scanner. Crops are kept on disk, as the bodies take longer than they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.progress import Progress
from betaplus.denoising.volume import Volume
from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.denoise.cases import groups
from betaplus.pipeline.benchmark.denoise.trunk import Box, cut_scan, trunk_in
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static import draw_static, make_anatomy

__all__ = ["DOSE", "FIRST", "PLACES", "Crop", "make_crops", "read_crop"]

DOSE = 1 / 20
"""Fraction of the counts of a usual scan."""
FIRST = FIRST_TEST + 800
"""Number of the first body, and seed of its noise."""
PLACES = ("Liver", "Myocardium", "Bladder", "GreyMatter")
"""Around which organ each crop is, in turn."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Crop:
    """A part of a scan; arrays of shape (X, Y, Z).

    Attributes:
        person: Number of the anatomy, and seed of noise and draws.
        place: Organ in its middle.
        voxel: Edge [mm].
        noisy: With noise, float32 [SUV].
        clean: The same reconstruction without noise, likewise.
        body: Where the body is.
    """

    person: int
    place: str
    voxel: float
    noisy: np.ndarray
    clean: np.ndarray
    body: np.ndarray

    def volume(self, grid_voxel: float) -> Volume:
        """Return the crop as methods get it; the dose is not told.

        Args:
            grid_voxel: Edge of the voxels that the network works on [mm].
        """
        voxel = (self.voxel,) * 3
        return Volume(data=self.noisy, voxel=voxel, grid_voxel=grid_voxel, seed=self.person)


def make_crops(folder: Path, crops: int, edge: int, voxel: float, progress: Progress) -> list[Path]:
    """Simulate the crops that are not in a folder yet; return the files.

    Args:
        folder: Where they are kept.
        crops: How many.
        edge: Of each [voxels].
        voxel: Edge of a voxel [mm].
        progress: What to report to.
    """
    stem = f"{voxel:g}mm-{edge}"
    files = [folder / f"{stem}-person{FIRST + n}.npz" for n in range(crops)]
    if all(file.is_file() for file in files):
        return files
    progress.start("bodies", crops)
    for n, file in enumerate(files):
        if not file.is_file():
            _make_crop(file, FIRST + n, PLACES[n % len(PLACES)], edge, voxel)
        progress.advance()
    progress.finish()
    return files


def read_crop(file: Path) -> Crop:
    """Return a crop that `make_crops` kept."""
    with np.load(file) as kept:
        return Crop(
            person=int(kept["person"]), place=str(kept["place"]), voxel=float(kept["voxel"]),
            noisy=kept["noisy"], clean=kept["clean"], body=kept["body"],
        )  # fmt: skip


def _make_crop(file: Path, person: int, place: str, edge: int, voxel: float) -> None:
    group = groups()[0]
    phantom = make_anatomy("body", person, voxel=voxel)
    whole = draw_static(phantom, group.tracer, person)
    part, low = cut_scan(whole, _box_around(phantom, place, edge))
    scan = trunk_in(group, person, whole, part, low)
    with atomic_path(file) as path:
        np.savez(
            path, person=person, place=place, voxel=voxel, noisy=scan.noisy(DOSE),
            clean=scan.reference, body=scan.body,
        )  # fmt: skip


def _box_around(phantom: Phantom, place: str, edge: int) -> Box:
    """Return a cube around the middle of an organ, as far as the volume goes."""
    (label,) = (label for label, name in phantom.names.items() if name == place)
    sides = []
    for at, n in zip(np.nonzero(phantom.labels == label), phantom.labels.shape, strict=True):
        size = min(edge, n)
        first = min(max(int(np.median(at)) - size // 2, 0), n - size)
        sides.append(slice(first, first + size))
    return sides[0], sides[1], sides[2]
