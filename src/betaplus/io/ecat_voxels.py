"""The voxels of an ECAT 7 file, read frame by frame when they are used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.ecat_file import EcatFrame
from betaplus.io.lazy_voxels import LazyVoxels
from betaplus.io.nifti import full_key

__all__ = ["EcatHeader", "LazyEcat"]


@dataclass(frozen=True, eq=False, kw_only=True)
class EcatHeader:
    """What is needed of a file beside its voxels.

    Attributes:
        path: The file.
        affine: Voxel to world matrix, shape (4, 4) [mm].
        scale: Factor from scaled values to the unit of the image: the calibration.
        remarks: What was untidy.
    """

    path: Path
    affine: np.ndarray
    scale: float
    remarks: tuple[str, ...] = ()


class LazyEcat(LazyVoxels):
    """The voxels of a file: slices like an array, reads float32, holds no open file.

    Args:
        header: The file.
        frames: Its frames in order.
        four: Whether the frames are an axis, also where there is only one.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, header: EcatHeader, frames: Sequence[EcatFrame], four: bool = False) -> None:
        self.header = header
        self._frames = frames
        space = frames[0].shape
        self.shape: tuple[int, ...] = (*space, len(frames)) if four or len(frames) > 1 else space

    def with_frames(self, keep: np.ndarray | None) -> LazyEcat:
        """Return the same file with the frames of an index only; None makes one a volume."""
        if keep is None:
            return LazyEcat(self.header, self._frames[:1])
        return LazyEcat(self.header, [self._frames[i] for i in np.asarray(keep)], four=True)

    def __getitem__(self, key: Any) -> np.ndarray:
        full = full_key(key, self.ndim)
        if self.ndim == 3:
            return self._volume(self._frames[0], full[:3])
        chosen = np.arange(len(self._frames))[full[3]]
        if np.ndim(chosen) > 1:
            raise IndexError("frames are chosen by a number, a slice or a list")
        parts = [self._volume(self._frames[t], full[:3]) for t in np.atleast_1d(chosen)]
        if np.ndim(chosen) == 0:
            return parts[0]
        if not parts:
            return np.empty((*np.empty(self.shape[:3], np.bool_)[full[:3]].shape, 0), np.float32)
        return np.stack(parts, axis=-1)

    def slabs(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield (planes, frames, their voxels of shape (X, Y, planes, frames)): frame by frame.

        Raises:
            InputError: If the file cannot be read any more.
        """
        for t, frame in enumerate(self._frames):
            volume = self._volume(frame, (slice(None),) * 3)
            yield slice(0, self.shape[2]), slice(t, t + 1), volume[..., None]

    def _volume(self, frame: EcatFrame, key: tuple) -> np.ndarray:
        path = self.header.path
        try:
            stored = np.memmap(
                path, frame.dtype, mode="r", offset=frame.offset, shape=frame.shape, order="F"
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{path.name} cannot be read: {error}", "expected the file") from error
        with np.errstate(over="ignore", invalid="ignore"):
            values = stored[key].astype(np.float64) * (frame.scale * self.header.scale)
            return np.asarray(values.astype(np.float32))
