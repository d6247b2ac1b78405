"""The voxels of a series, read slice by slice when they are used."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.dicom.header import Slice
from betaplus.io.lazy_voxels import LazyVoxels
from betaplus.io.nifti import full_key

__all__ = ["LazyDicom", "SeriesHeader"]

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, eq=False, kw_only=True)
class SeriesHeader:
    """What is needed of a series beside its voxels.

    Attributes:
        path: The folder.
        affine: Voxel to world matrix, shape (4, 4) [mm].
        remarks: What was untidy.
        scale: Factor from rescaled values to the unit of the image.
    """

    path: Path
    affine: np.ndarray
    remarks: tuple[str, ...] = ()
    scale: float = 1.0


class LazyDicom(LazyVoxels):
    """The voxels of a series: slices like an array, reads float32, holds no open file.

    Args:
        header: The series.
        frames: The slices of every frame, by position.
        four: Whether the frames are an axis, also where there is only one.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, header: SeriesHeader, frames: Sequence[Sequence[Slice]], four: bool = False
    ) -> None:
        self.header = header
        self._frames = frames
        rows, columns = frames[0][0].shape
        space = (columns, rows, len(frames[0]))
        self.shape: tuple[int, ...] = (*space, len(frames)) if four or len(frames) > 1 else space

    def with_frames(self, keep: np.ndarray | None) -> LazyDicom:
        """Return the same series with the frames of an index only; None makes one a volume."""
        if keep is None:
            return LazyDicom(self.header, self._frames[:1])
        return LazyDicom(self.header, [self._frames[i] for i in np.asarray(keep)], four=True)

    def __getitem__(self, key: Any) -> np.ndarray:
        full = full_key(key, self.ndim)
        chosen = np.arange(len(self._frames))[full[3]] if self.ndim == 4 else np.intp(0)
        if np.ndim(chosen) > 1:
            raise IndexError("frames are chosen by a number, a slice or a list")
        depth = np.arange(self.shape[2])[full[2]]
        planes, which = np.atleast_1d(depth), np.atleast_1d(chosen)
        part = np.empty(self.shape[:2], dtype=np.bool_)[full[:2]].shape
        out = np.empty((*part, planes.size, which.size), dtype=np.float32)
        for t, frame in enumerate(which.tolist()):
            for z, plane in enumerate(planes.tolist()):
                out[..., z, t] = self._plane(self._frames[frame][plane])[full[:2]]
        out = out if np.ndim(chosen) else out[..., 0]
        if np.ndim(depth):
            return out
        return out[..., 0, :] if np.ndim(chosen) else out[..., 0]

    def slabs(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield (planes, frames, their voxels of shape (X, Y, planes, frames)): frame by frame.

        Raises:
            InputError: If the voxels of a file are compressed, cut short or damaged.
        """
        for t, frame in enumerate(self._frames):
            planes = [self._plane(one) for one in frame]
            yield slice(0, self.shape[2]), slice(t, t + 1), np.stack(planes, axis=-1)[..., None]

    def _plane(self, one: Slice) -> np.ndarray:
        """Return a slice, shape (X, Y) float32."""
        stored = _stored(one).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            values = (stored * one.slope + one.intercept) * self.header.scale
            return values.astype(np.float32).T


def _stored(one: Slice) -> np.ndarray:
    """Return the stored numbers of a slice, shape (rows, columns)."""
    name, count = one.path.name, one.shape[0] * one.shape[1]
    if one.offset is None:
        found = _decoded(one)
    else:
        try:
            found = np.fromfile(one.path, dtype=one.stored, count=count, offset=one.offset)
        except OSError as error:
            raise InputError(
                f"{name} cannot be read: {error.strerror or error}", "expected a readable file"
            ) from error
    if found.size != count:
        raise InputError(f"{name} holds {found.size} voxels", f"expected {count}")
    return found.reshape(one.shape)


def _decoded(one: Slice) -> np.ndarray:
    """Return the stored numbers of a slice that is run-length encoded."""
    import pydicom
    from pydicom.pixels.utils import pixel_array

    with _ONE_AT_A_TIME, warnings.catch_warnings():  # the filters belong to the whole process
        warnings.simplefilter("ignore")
        try:
            if one.frame is None:
                return np.asarray(pydicom.dcmread(one.path).pixel_array)
            return np.asarray(pixel_array(one.path, index=one.frame))
        except Exception as error:  # pydicom raises whatever the damage causes
            raise InputError(
                f"the voxels of {one.path.name} are damaged",
                f"expected {one.shape[0]} x {one.shape[1]}, run-length encoded",
                "export it again",
            ) from error
