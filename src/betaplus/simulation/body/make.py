"""The body phantom on a voxel grid: labels, names and the affine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.simulation.body.body import BodyAnatomy
from betaplus.simulation.body.regions import BODY_LABELS
from betaplus.simulation.body.shapes import Block
from betaplus.simulation.phantom import Phantom

__all__ = ["body_on_grid", "make_body"]

_FINER = 2  # sub-voxels along an edge that vote for the voxel's label
_POINTS = 2_000_000  # sub-voxels labelled at a time


def make_body(
    seed: int = 0,
    *,
    voxel: float = 4.0,
    arms: Literal["up", "down"] | None = None,
    sex: Literal["female", "male"] | None = None,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    threads: int | None = None,
) -> Phantom:
    """Return the body of a seed, vertex to mid-thigh; all grids show the same body.

    Voxels lie on one lattice, whatever the box: a part of the body has the labels that it has in
    the whole. A voxel takes the label that most of its eight sub-voxels have.

    Args:
        seed: Chooses what is not given, and every size and shape.
        voxel: Edge of a voxel [mm].
        arms: "up" or "down"; drawn if None.
        sex: "female" or "male"; drawn if None.
        low: Lower corner of the box to label [mm]; just below the body if None.
        high: Upper corner [mm].
        threads: Threads that label slabs; 1 if None. The result does not depend on it.

    Raises:
        UsageError: If an argument is out of range.
    """
    if not (np.isfinite(voxel) and 0.5 <= voxel <= 20.0):
        raise UsageError(f"voxel is {voxel:g} mm", "expected an edge from 0.5 to 20 mm")
    for name, value, known in (
        ("arms", arms, ("up", "down")),
        ("sex", sex, ("female", "male")),
    ):
        if value is not None and value not in known:
            raise UsageError(f"{name} is {value!r}", f"expected one of {', '.join(known)}")
    body = BodyAnatomy(seed, sex, arms)
    box = [body.low if low is None else low, body.high if high is None else high]
    first, last = (np.round(np.asarray(c, dtype=float) / voxel).astype(int) for c in box)
    if first.shape != (3,) or last.shape != (3,) or not (last > first).all():
        raise UsageError(
            f"box from {box[0]} to {box[1]} holds no voxel",
            "expected three corners, low < high",
        )
    return body_on_grid(body, first, last - first, voxel, threads)


def body_on_grid(
    body: BodyAnatomy,
    first: Sequence[int] | np.ndarray,
    shape: Sequence[int] | np.ndarray,
    voxel: float,
    threads: int | None = None,
) -> Phantom:
    """Return a body on the voxels `first` to `first + shape` of the lattice of `voxel` mm.

    Voxel i reaches from i to i + 1 times `voxel`.
    """
    nx, ny, nz = (int(n) for n in shape)
    step = voxel / _FINER
    axes = [
        ((np.arange(_FINER * int(a), _FINER * (int(a) + n)) + 0.5) * step).astype(np.float32)
        for a, n in zip(first, (nx, ny, nz), strict=True)
    ]
    labels = np.empty((nz, ny, nx), dtype=np.uint8)
    slab = max(1, _POINTS // (_FINER**3 * nx * ny))

    def label(low: int) -> None:
        high = min(low + slab, nz)
        block = Block(axes[0], axes[1], axes[2][_FINER * low : _FINER * high])
        labels[low:high] = _vote(body.labels(block))

    with ThreadPoolExecutor(max_workers=threads or 1) as pool:
        list(pool.map(label, range(0, nz, slab)))
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = [(int(a) + 0.5) * voxel for a in first]
    present = set(np.unique(labels).tolist())
    names = {i: name for i, name in BODY_LABELS.items() if i in present}
    return Phantom(np.ascontiguousarray(labels.transpose(2, 1, 0)), affine, names)


def _vote(fine: np.ndarray) -> np.ndarray:
    """Most frequent label of each 2 x 2 x 2 sub-voxels; the lower label where two are equal."""
    z, y, x = (n // _FINER for n in fine.shape)
    blocks = fine.reshape(z, _FINER, y, _FINER, x, _FINER)
    out = blocks[:, 0, :, 0, :, 0].copy()
    mixed = (blocks.min(axis=(1, 3, 5)) != blocks.max(axis=(1, 3, 5))).nonzero()
    votes = blocks.transpose(0, 2, 4, 1, 3, 5)[mixed].reshape(-1, _FINER**3)
    count = np.zeros(votes.shape, dtype=np.int16)
    for i in range(votes.shape[1]):
        count += votes == votes[:, i : i + 1]
    score = count * np.int16(256) - votes
    out[mixed] = np.take_along_axis(votes, score.argmax(axis=1)[:, None], axis=1)[:, 0]
    return out
