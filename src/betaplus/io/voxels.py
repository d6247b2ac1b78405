"""Voxels as curves: masks and one pass through the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.io.nifti import LazyNifti, open_nifti
from betaplus.io.zarr_images import LazyZarr

__all__ = [
    "check_grid",
    "default_mask",
    "iterate_frames",
    "iterate_slabs",
    "load_mask",
    "voxel_curves",
]

_MISALIGNED = 0.1  # of a voxel edge: masks further off than this are of another grid


def iterate_frames(image: PetImage) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame, voxels of shape (X, Y, Z) float32); a file is read in one pass.

    Raises:
        InputError: If the file is truncated or corrupt.
    """
    if isinstance(image.data, LazyNifti | LazyZarr):
        yield from image.data.stream()
    elif len(image.shape) == 3:
        yield 0, np.asarray(image.data[...], dtype=np.float32)
    else:
        for t in range(image.n_frames):
            yield t, np.asarray(image.data[..., t], dtype=np.float32)


def iterate_slabs(image: PetImage) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Yield (planes, frames, their voxels of shape (X, Y, planes, frames) float32) in one pass.

    What comes at a time is what the file holds together: a frame of a NIfTI file, a layer of chunks
    of a zarr store. The planes of a frame come in ascending order, and so do the frames of a plane:
    sums taken plane by plane are the same to the last bit for both.

    Raises:
        InputError: If the file is truncated or corrupt.
    """
    if isinstance(image.data, LazyNifti | LazyZarr):
        yield from image.data.slabs()
        return
    planes = slice(0, image.shape[2])
    for t, frame in iterate_frames(image):
        yield planes, slice(t, t + 1), frame[..., None]


def default_mask(image: PetImage) -> np.ndarray:
    """Return every voxel that is not zero in all frames, shape (X, Y, Z) bool.

    Raises:
        InputError: If there is none, or the file is truncated or corrupt.
    """
    mask = np.zeros(image.shape[:3], dtype=np.bool_, order="F")
    for planes, _, voxels in iterate_slabs(image):
        mask[:, :, planes] |= (voxels != 0).any(axis=-1)
    if not mask.any():
        raise InputError(f"{_name(image)} is zero everywhere", "expected an image with activity")
    return np.ascontiguousarray(mask)


def voxel_curves(image: PetImage, mask: np.ndarray) -> np.ndarray:
    """Return the curves of the voxels in a mask, shape (N, T) float32, in the order of the mask.

    Args:
        image: The image; read once, frame by frame or chunk by chunk.
        mask: Voxels to read, shape (X, Y, Z) bool.

    Raises:
        InputError: If a voxel in the mask is NaN or infinite, or the file is truncated or corrupt.
    """
    if mask.shape != image.shape[:3]:
        raise InputError(
            f"mask of shape {mask.shape} for an image of shape {image.shape}",
            "expected the same grid",
        )
    where = np.nonzero(mask)
    curves = np.empty((where[0].size, image.n_frames), dtype=np.float32)
    if isinstance(image.data, LazyZarr):
        x, y, z = where
        for planes, frames, voxels in image.data.slabs():
            inside = np.flatnonzero((z >= planes.start) & (z < planes.stop))
            at = (x[inside], y[inside], z[inside] - planes.start)
            curves[inside, frames] = voxels[at]
    else:
        fortran = np.ravel_multi_index(where, mask.shape, order="F")
        for t, frame in iterate_frames(image):
            curves[:, t] = frame.ravel(order="F")[fortran]
    bad = ~np.isfinite(curves)
    if bad.any():
        first, t = (int(i) for i in np.argwhere(bad)[0])
        voxel = tuple(int(axis[first]) for axis in where)
        raise InputError(
            f"{_name(image)} holds {curves[first, t]} at voxel {voxel} in frame {t + 1}"
            f" ({int(bad.any(axis=1).sum())} voxels with such values)",
            "expected numbers",
            "give --mask without them or repair the image",
        )
    return curves


def load_mask(path: str | Path, like: PetImage) -> np.ndarray:
    """Return a mask on the grid of an image, shape (X, Y, Z) bool: every voxel that is not 0.

    Raises:
        InputError: If the file is no mask (fractions, NaN, empty) or on another grid.
    """
    path = Path(path)
    file = open_nifti(path)
    check_grid(file, like, "mask")
    values = file.read().reshape(like.shape[:3])
    distinct = np.unique(values)
    nonzero = distinct[distinct != 0]
    if not np.isfinite(nonzero).all() or (nonzero.size > 1 and (nonzero % 1 != 0).any()):
        raise InputError(
            f"{path.name} holds fractions or NaN", "expected 0 outside and 1 inside", "threshold it"
        )
    if not nonzero.size:
        raise InputError(f"{path.name} is 0 everywhere", "expected voxels inside the mask")
    return values != 0


def check_grid(file: LazyNifti, like: PetImage, what: str) -> None:
    """Refuse a mask or label image that is not 3-D or not on the grid of an image.

    Args:
        file: The mask or label image.
        like: The image.
        what: What it is called in messages.

    Raises:
        InputError: If it is 4-D, of another shape, or lies elsewhere.
    """
    name, shape = file.header.path.name, file.shape[:3]
    if file.ndim == 4 and file.shape[3] != 1:
        raise InputError(f"{name} has {file.shape[3]} frames", f"expected a 3-D {what}")
    if shape != like.shape[:3]:
        raise InputError(
            f"{name} has shape {shape} but the image has {like.shape[:3]}",
            f"expected a {what} on the grid of the image",
            f"resample the {what}",
        )
    off = _misalignment(file.header.affine, np.asarray(like.affine), shape)
    if off > _MISALIGNED * min(like.voxel_size):
        raise InputError(
            f"{name} lies {off:.3g} mm away from the image",
            f"expected a {what} with the affine of the image",
            f"resample the {what}",
        )


def _misalignment(a: np.ndarray, b: np.ndarray, shape: tuple[int, ...]) -> float:
    """Largest distance between where two affines put a corner of the grid [mm]."""
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in shape], [1]), axis=-1).reshape(-1, 4)
    return float(np.linalg.norm(corners @ (a - b).T[:, :3], axis=1).max())


def _name(image: PetImage) -> str:
    return image.source.name if image.source else "the image"
