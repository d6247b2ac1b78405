"""The frames of a scan in one pass, and what a first pass tells: mask and mean curves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.io.nifti import LazyNifti
from betaplus.io.suv_voxels import ScaledVoxels
from betaplus.io.zarr_images import LazyZarr

__all__ = ["Survey", "stream_planes", "survey"]

_LAYER = 32  # planes: edge of the chunks that the toolkit writes
_AT_A_TIME = 256 << 20  # bytes


@dataclass(frozen=True, eq=False, kw_only=True)
class Survey:
    """What a first pass tells.

    Attributes:
        mask: Voxels wanted, shape (X, Y, Z) bool.
        voxels: Their number in every slice, shape (Z,).
        sums: Sum over them of every frame and slice, shape (T, Z) float64 [unit of the image].
        clean: Whether there are only numbers outside of the mask too.
    """

    mask: np.ndarray
    voxels: np.ndarray
    sums: np.ndarray
    clean: bool

    @property
    def mean(self) -> np.ndarray:
        """Mean of every frame over the mask, shape (T,) [unit of the image]."""
        return self.sums.sum(1) / self.voxels.sum()


def stream_planes(image: PetImage) -> Iterator[tuple[int, slice, np.ndarray]]:
    """Yield (plane, frames, their voxels, shape (frames, X, Y) float32): every voxel once.

    What comes together is what the file holds together (see `betaplus.io.voxels.iterate_slabs`):
    the frames of a NIfTI file one after the other, layers of chunks of a zarr store with all their
    frames. The frames of a plane come in ascending order.

    Raises:
        InputError: If the file is truncated or corrupt.
    """
    data, factor = image.data, np.ones(())
    while isinstance(data, ScaledVoxels):
        data, factor = data.data, factor * data.factor
    scale = np.broadcast_to(factor, (image.n_frames,)).astype(np.float32)
    plain = bool((scale == 1.0).all())
    slabs = data.slabs() if isinstance(data, LazyNifti | LazyZarr) else _layers(data)
    for planes, frames, voxels in slabs:
        for k, plane in enumerate(range(planes.start, planes.stop)):
            part = voxels[:, :, k].transpose(2, 0, 1)
            if not plain:
                part = part * scale[frames, None, None]
            yield plane, frames, np.ascontiguousarray(part)
        del voxels, part  # before the next slab is read


def survey(image: PetImage, mask: np.ndarray | None, progress: Progress | None = None) -> Survey:
    """Return the mask and the mean curves of slices, from one pass.

    Args:
        image: Dynamic image.
        mask: Voxels wanted, shape (X, Y, Z); None for all that are not zero in all frames.
        progress: What to report to.

    Raises:
        InputError: If the mask is empty, or a voxel in it is NaN or infinite.
        UsageError: If the mask is of another shape.
    """
    shape = image.shape[:3]
    where = image.source.name if image.source else "the image"
    if mask is not None:
        mask = np.asarray(mask) != 0
        if mask.shape != shape:
            raise UsageError(
                f"mask of shape {mask.shape} for an image of shape {image.shape}",
                "expected the same grid",
            )
    seen = np.full(shape, mask is not None)  # nothing is looked for where a mask is given
    clean = True
    sums = np.zeros((image.n_frames, shape[2]))
    progress = progress or Silent()
    progress.start("mean curve", sums.size)
    for plane, frames, part in stream_planes(image):
        wanted = None if mask is None else mask[:, :, plane]
        totals = _totals(part, wanted)
        if not np.isfinite(totals).all():
            _refuse(part, wanted, plane, frames, where)
            clean, part = False, np.where(np.isfinite(part), part, 0.0)
            totals = _totals(part, wanted)
        if not seen[:, :, plane].all():
            seen[:, :, plane] |= (part != 0).any(0)
        sums[frames, plane] = totals
        progress.advance(len(part))
    progress.finish()
    if mask is None:
        mask = seen
    if not mask.any():
        raise InputError(
            f"{where} has no voxel that is wanted",
            "expected voxels in the mask and activity in the image",
        )
    return Survey(mask=mask, voxels=mask.sum((0, 1)), sums=sums, clean=clean)


def _totals(part: np.ndarray, wanted: np.ndarray | None) -> np.ndarray:
    """Return the sum of each frame over the voxels wanted, NaN where any voxel is no number."""
    if wanted is None or wanted.all():
        return part.sum((1, 2), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.multiply(part, wanted).sum((1, 2), dtype=np.float64)


def _layers(data: object) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Yield layers of whole chunks with all frames, of anything that slices like an array."""
    x, y, z, t = data.shape  # type: ignore[attr-defined]
    depth = _LAYER
    while depth > 1 and 4 * math.prod((x, y, t)) * depth > _AT_A_TIME:
        depth //= 2
    for low in range(0, z, depth):
        planes = slice(low, min(low + depth, z))
        voxels = np.asarray(data[:, :, planes], dtype=np.float32)  # type: ignore[index]
        yield planes, slice(0, t), voxels


def _refuse(
    part: np.ndarray, wanted: np.ndarray | None, plane: int, frames: slice, where: str
) -> None:
    bad = ~np.isfinite(part)
    if wanted is not None:
        bad &= wanted
    if not bad.any():
        return
    f, x, y = (int(i) for i in np.argwhere(bad)[0])
    raise InputError(
        f"{where} holds {part[f, x, y]} at voxel ({x}, {y}, {plane}) in frame"
        f" {frames.start + f + 1}",
        "expected numbers",
        "give --mask without it or repair the image",
    )
