"""Curves of small cubes of a dynamic scan, few enough for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.io.voxels import iterate_slabs
from betaplus.report.figures.curves import display_unit
from betaplus.report.figures.volumes import bounding_box, canonical
from betaplus.report.viewer.encoding import packed, rounded
from betaplus.report.viewer.reduction import Reduction

__all__ = ["VoxelCurves", "curves_from", "curves_of"]

_BUDGET = 2_000_000  # values of a set of curves
_MOST = 400_000_000  # values of a scan that is read once more for them
_STEPS = 255


@dataclass(frozen=True, eq=False, kw_only=True)
class VoxelCurves:
    """Mean curves of the blocks of a volume.

    Attributes:
        lines: Name to means, shape (X, Y, Z, T) in blocks; NaN where a frame has none.
        inside: Blocks that hold voxels of the mask, shape (X, Y, Z) bool.
        frames: Timing of the frames.
        unit: Of the means.
        affine: Block to world matrix, shape (4, 4) [mm].
    """

    lines: Mapping[str, np.ndarray]
    inside: np.ndarray
    frames: FrameTiming
    unit: str
    affine: np.ndarray

    def as_data(self, affine: np.ndarray) -> dict[str, Any]:
        """Return what the viewer needs.

        Args:
            affine: Voxel to world matrix of the viewer's volumes, shape (4, 4) [mm].
        """
        most = max(float(np.nanmax(np.abs(v), initial=0.0)) for v in self.lines.values())
        factor, unit = display_unit(most, self.unit)
        return {
            "shape": list(self.inside.shape),
            "from": rounded((np.linalg.inv(self.affine) @ affine)[:3]),
            "edge": rounded(np.linalg.norm(self.affine[:3, :3], axis=0)),
            "inside": packed(self.inside.astype(np.uint8)),
            "mid": rounded(self.frames.mid / SECONDS_PER_MINUTE),
            "unit": unit,
            "lines": [_line(name, factor * values) for name, values in self.lines.items()],
        }


def curves_of(image: PetImage, mask: np.ndarray | None = None) -> VoxelCurves | None:
    """Return the curves of a dynamic scan, read in one pass; None where it is large or static.

    Args:
        image: The scan.
        mask: Voxels that count, shape (X, Y, Z); by default all.

    Raises:
        InputError: If the file is truncated or corrupt.
    """
    if image.frames is None or len(image.shape) < 4 or np.prod(image.shape) > _MOST:
        return None
    keep = np.ones(image.shape[:3], bool) if mask is None else np.asarray(mask, bool)
    blocks = _Blocks.of(keep, image.affine, image.n_frames)
    count = blocks.inside.size
    places = blocks.places()
    total = np.zeros((count, image.n_frames))
    for planes, frames, voxels in iterate_slabs(image):
        where = places[:, :, planes]
        kept = where >= 0
        for i, t in enumerate(range(frames.start, frames.stop)):
            total[:, t] += np.bincount(where[kept], voxels[..., i][kept], minlength=count)
    voxels_of = np.bincount(places[places >= 0], minlength=count)[:, None]
    means = np.divide(total, voxels_of, out=np.full_like(total, np.nan), where=voxels_of > 0)
    lines = {"measured": means.reshape(*blocks.inside.shape, image.n_frames)}
    return blocks.curves(lines, image.frames, image.unit)


def curves_from(
    lines: Mapping[str, Sequence[np.ndarray | None]],
    mask: np.ndarray,
    affine: np.ndarray,
    frames: FrameTiming,
    unit: str,
) -> VoxelCurves:
    """Return curves of what is in memory.

    Args:
        lines: Name to a volume for each frame, shape (X, Y, Z), or None where there is none.
        mask: Voxels that count, shape (X, Y, Z) bool.
        affine: Voxel to world matrix, shape (4, 4) [mm].
        frames: Timing of the frames.
        unit: Of the volumes.
    """
    blocks = _Blocks.of(mask, affine, len(frames) * len(lines))
    found = {}
    for name, volumes in lines.items():
        total = np.full((*blocks.inside.shape, len(frames)), np.nan)
        for t, volume in enumerate(volumes):
            if volume is not None:
                total[..., t] = blocks.means(volume)
        found[name] = total
    return blocks.curves(found, frames, unit)


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The blocks of a mask, in the axes of the subject."""

    smaller: Reduction
    keep: np.ndarray
    inside: np.ndarray
    affine: np.ndarray
    shape: tuple[int, ...]

    @classmethod
    def of(cls, mask: np.ndarray, affine: np.ndarray, values: int) -> _Blocks:
        keep, axes = canonical(mask, affine)
        smaller = Reduction.of(bounding_box(keep), axes, _BUDGET // values)
        return cls(smaller, keep, smaller.fractions(keep)[1], affine, mask.shape)

    def means(self, volume: np.ndarray) -> np.ndarray:
        return self.smaller.means(canonical(volume, self.affine)[0], self.keep)[0]

    def places(self) -> np.ndarray:
        """Return the block of each voxel in the axes of the file, -1 for none, shape (X, Y, Z)."""
        index = np.zeros(self.keep.shape, dtype=np.int32)
        for axis, (part, step) in enumerate(
            zip(self.smaller.box, self.smaller.factor, strict=True)
        ):
            line = np.full(self.keep.shape[axis], -1, dtype=np.int32)
            line[part] = np.arange(part.stop - part.start, dtype=np.int32) // step
            line = line.reshape([-1 if a == axis else 1 for a in range(3)])
            size = self.inside.shape[axis]
            index = np.where((index < 0) | (line < 0), -1, index * size + line)
        index = np.where(self.keep, index, -1)
        shape = self.shape
        order = canonical(np.arange(np.prod(shape)).reshape(shape), self.affine)[0]
        found = np.empty(shape, dtype=np.int32)
        found.flat[order.ravel()] = index.ravel()
        return found

    def curves(
        self, lines: Mapping[str, np.ndarray], frames: FrameTiming, unit: str
    ) -> VoxelCurves:
        return VoxelCurves(
            lines=lines, inside=self.inside, frames=frames, unit=unit, affine=self.smaller.affine
        )


def _line(name: str, values: np.ndarray) -> dict[str, Any]:
    """Return curves as bytes between the smallest and the largest value of each.

    Code 0 stands for what is no number.
    """
    drawn = np.isfinite(values)
    low = np.where(drawn, values, np.inf).min(axis=-1)
    high = np.where(drawn, values, -np.inf).max(axis=-1)
    low, high = (np.where(np.isfinite(v), v, 0.0) for v in (low, high))
    span = np.where(high > low, high - low, 1.0)
    share = (np.nan_to_num(values) - low[..., None]) / span[..., None]
    codes = np.where(drawn, 1 + np.rint((_STEPS - 1) * np.clip(share, 0, 1)), 0).astype(np.uint8)
    ends = np.stack([low, span], axis=-1).astype("<f4")
    return {"label": name, "codes": packed(codes), "ends": packed(ends)}
