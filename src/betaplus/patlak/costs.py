"""Memory that a fit takes: planned before it begins."""

from __future__ import annotations

import math
from typing import Any

from betaplus.core.image import PetImage
from betaplus.engine import MemoryPlan, memory_plan
from betaplus.patlak.method import LEARNED

__all__ = ["plan_memory"]

# Bytes, measured on volumes of 0.9 and 7 million voxels and rounded up.
_PROGRAM = 600 << 20
_READ = 24  # a voxel, while frames are read: sums, mask and a frame with its copy
_STUDY = 40  # a voxel: sums, maps of least squares, what is written and drawn
_METHOD = {
    "ls": 60,
    "wls": 60,
    "nnls": 120,
    "gaussian": 80,
    "nlm": 120,
    "tv": 160,
    "kernel": 160,
    "red-diff": 260,
    "hqs": 260,
    "gibbs": 320,
}
_DRAW = 16  # a voxel and a draw: it, and all of them stacked
_CELL = 60  # a voxel of the prior's grid, where that is not the image's
_PIECE = {"nlm": 1 << 20, "kernel": 1 << 20, "tv": 1 << 20}
_TILE = 300 << 20  # a tile of a prior at work
_LAYER = 512 << 20  # the most that is read of a zarr store at a time, and its copy


def plan_memory(
    image: PetImage, method: str, settings: Any, workers: int, limit: int | None
) -> MemoryPlan:
    """Return how many threads may be at work, so that a run stays within a limit.

    Args:
        image: The dynamic image; frames are not held, so that their number does not matter much.
        method: Name of the method.
        settings: Of it.
        workers: Threads to have at work.
        limit: [bytes], or None.

    Raises:
        UsageError: If one thread does not fit.
    """
    shape = image.shape[:3]
    voxels = math.prod(shape)
    layer = min(_LAYER, 8 * voxels * image.n_frames)
    fixed = _PROGRAM + _STUDY * voxels + max(_READ * voxels + layer, _METHOD[method] * voxels)
    piece = _PIECE.get(method, 0)
    if method in LEARNED:
        fixed += _CELL * math.prod(
            max(1, round(n * v / 4.0)) for n, v in zip(shape, image.voxel_size, strict=True)
        )
        piece = _TILE
        if method == "gibbs":
            fixed += _DRAW * voxels * settings.samples
    return memory_plan(piece, workers, workers, limit, microbatch=1, fixed_bytes=fixed)
