"""Tiles that overlap, and windows that blend what was computed on them into a whole.

Along each axis the windows of neighbours fade into each other like sin^2 and cos^2 inside their
overlap, and are 0 within a halo of a tile's inner faces, where a network sees too little. Windows
are products over the axes. Along an axis a weight is a whole number of 512ths, and the weights of a
place sum to 512: in double precision products of the three with a float32 number and their sum are
exact, so that tiles cut from an image and blended are that image to the last bit.

Tiles start at multiples of what the network pools by, so that it pools the same voxels together in
any of them. What a tile has beyond the end of the volume is padding, and is cut off again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from betaplus.core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Padding", "TilePlan", "fuse", "pad_end", "plan_tiles"]

Padding = Literal["zeros", "edge"]
"""What stands beyond the end of a volume."""

_PARTS = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class TilePlan:
    """Where the tiles of a volume are and how they are blended; made by `plan_tiles`.

    Attributes:
        shape: Of the volume, two or three axes.
        size: Of every tile.
        starts: Along each axis, the first voxel of each tile, rising.
        weights: Along each axis, shape (tiles, size), float64: the windows.
    """

    shape: tuple[int, ...]
    size: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]
    weights: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self._places)

    @cached_property
    def _places(self) -> list[tuple[int, ...]]:
        return list(itertools.product(*(range(len(starts)) for starts in self.starts)))

    def box(self, index: int) -> tuple[slice, ...]:
        """Return the part of the volume that a tile covers; tiles are in C order."""
        first = [s[i] for s, i in zip(self.starts, self._places[index], strict=True)]
        return tuple(
            slice(start, min(start + size, end))
            for start, size, end in zip(first, self.size, self.shape, strict=True)
        )

    def window(self, index: int) -> np.ndarray:
        """Return a tile's weights inside the volume, of the shape of its `box`, float64."""
        whole = np.ones(())
        for line in self._lines(index):
            whole = whole[..., None] * line
        return whole

    def cut(self, volume: Tensor, index: int, padding: Padding = "zeros") -> Tensor:
        """Return a tile of a volume (..., X, Y[, Z]), padded to the size of tiles."""
        return pad_end(volume[(..., *self.box(index))], self.size, padding)

    def add(self, total: Tensor, index: int, output: Tensor) -> None:
        """Add the weighted output of a tile to a total (..., X, Y[, Z]), float64, in place."""
        import torch

        lines = self._lines(index)
        inside = (..., *(slice(len(line)) for line in lines))
        part = output[inside].to(total)
        for axis, line in enumerate(lines):
            if line.min() < 1.0:
                weight = torch.from_numpy(line).to(total)
                part = part * weight.reshape(-1, *(1,) * (len(lines) - 1 - axis))
        total[(..., *self.box(index))] += part

    def _lines(self, index: int) -> list[np.ndarray]:
        return [
            weights[i, : box.stop - box.start]
            for weights, i, box in zip(
                self.weights, self._places[index], self.box(index), strict=True
            )
        ]


def plan_tiles(
    shape: Sequence[int],
    tile: int | Sequence[int],
    overlap: int | Sequence[int],
    multiple: int = 1,
    halo: int | None = None,
) -> TilePlan:
    """Return tiles that cover a volume of any shape.

    An axis that is shorter than a tile has one, as long as the axis rounded up to `multiple`.

    Args:
        shape: Of the volume, two or three axes.
        tile: Voxels of a tile along each axis, or along all.
        overlap: Voxels that neighbours share at least.
        multiple: What tiles begin and end at: the network's pooling in all.
        halo: Voxels inside a tile's inner faces whose outputs are not used; a third of the overlap
            by default. The other third, between two halos, is where neighbours are blended.

    Raises:
        UsageError: If these do not make tiles.
    """
    axes = len(shape)
    tiles, overlaps = _along(tile, axes), _along(overlap, axes)
    starts, weights, sizes = [], [], []
    for length, size, shared in zip(shape, tiles, overlaps, strict=True):
        unused = shared // 3 if halo is None else halo
        _check(length, size, shared, multiple, unused)
        padded = -(-length // multiple) * multiple
        size = min(size, padded)
        strides, most = (padded - size) // multiple, (size - shared) // multiple
        last = -(-strides // max(most, 1))
        begins = [i * strides // max(last, 1) * multiple for i in range(last + 1)]
        starts.append(tuple(begins))
        weights.append(_windows(begins, size, unused))
        sizes.append(size)
    return TilePlan(
        shape=tuple(shape), size=tuple(sizes), starts=tuple(starts), weights=tuple(weights)
    )


def fuse(plan: TilePlan, outputs: Iterable[tuple[int, Tensor]]) -> Tensor:
    """Return the volume that the outputs of all tiles blend into, (..., X, Y[, Z]).

    They are added in the order of the plan, in double precision, whatever order they come in; one
    that comes early is kept until its turn.

    Args:
        plan: The tiles.
        outputs: (index, output) of every tile, each output (..., *size).

    Raises:
        ValueError: If one is missing or comes twice.
    """
    import torch

    early: dict[int, Tensor] = {}
    turn, total, dtype = 0, None, None
    for index, output in outputs:
        if index in early or not turn <= index < len(plan):
            raise ValueError(f"tile {index} came twice, or there is no such tile of {len(plan)}")
        early[index] = output
        while turn in early:
            part = early.pop(turn)
            if total is None:
                lead, dtype = part.shape[: part.ndim - len(plan.shape)], part.dtype
                total = torch.zeros(*lead, *plan.shape, dtype=torch.float64, device=part.device)
            plan.add(total, turn, part)
            turn += 1
    if total is None or turn < len(plan):
        raise ValueError(f"tile {turn} of {len(plan)} is missing")
    return total.to(dtype)


def pad_end(x: Tensor, size: Sequence[int], padding: Padding = "zeros") -> Tensor:
    """Return x (..., X, Y[, Z]) with its last axes made longer at their end, to `size`."""
    import torch

    for axis, wanted in zip(range(-len(size), 0), size, strict=True):
        more = wanted - x.shape[axis]
        if more > 0:
            last = x.narrow(axis, x.shape[axis] - 1, 1)
            shape = list(x.shape)
            shape[axis] = more
            filling = last.expand(shape) if padding == "edge" else x.new_zeros(shape)
            x = torch.cat([x, filling], axis)
    return x


def _along(number: int | Sequence[int], axes: int) -> tuple[int, ...]:
    numbers = (number,) * axes if isinstance(number, int) else tuple(number)
    if len(numbers) != axes or axes not in (2, 3):
        raise UsageError(
            f"{len(numbers)} sizes of tiles or overlaps for {axes} axes",
            "expected one, or one for each of 2 or 3 axes",
        )
    return numbers


def _check(length: int, size: int, shared: int, multiple: int, halo: int) -> None:
    if length < 1 or multiple < 1:
        raise UsageError(f"an axis of {length} voxels in multiples of {multiple}", "expected 1")
    if size < 1 or size % multiple or not 0 <= shared <= size - multiple:
        raise UsageError(
            f"tiles of {size} voxels that overlap by {shared}",
            f"expected a multiple of {multiple} and an overlap of at most {size - multiple}",
        )
    if not 0 <= 2 * halo <= shared:
        raise UsageError(
            f"a halo of {halo} voxels", f"expected at most half of the overlap, {shared // 2}"
        )


def _windows(starts: Sequence[int], size: int, halo: int) -> np.ndarray:
    """Return weights (tiles, size), multiples of 1 / 512 that sum to 1 at every place."""
    raw = np.zeros((len(starts), starts[-1] + size))
    for i, start in enumerate(starts):
        raw[i, start : start + size] = 1.0
    for i, start in enumerate(starts[1:], 1):
        first, last = start + halo, starts[i - 1] + size - halo
        angle = (np.arange(last - first) + 0.5) / max(last - first, 1) * np.pi / 2
        raw[i, start:first] = 0.0
        raw[i, first:last] *= np.sin(angle) ** 2
        raw[i - 1, first:last] *= np.cos(angle) ** 2
        raw[i - 1, last : starts[i - 1] + size] = 0.0
    # Rounding sums, not weights, keeps their sum and leaves a weight of 0 what it is.
    share = np.cumsum(raw, 0) / raw.sum(0)
    parts = np.diff(np.rint(_PARTS * share), axis=0, prepend=0.0)
    return np.stack([parts[i, s : s + size] for i, s in enumerate(starts)]) / _PARTS
