"""Memory that a fit takes: planned before it begins."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.engine import Choice, MemoryPlan, memory_plan
from betaplus.generative.bundle_config import BundleConfig
from betaplus.io.zarr_images import LazyZarr
from betaplus.patlak.method import LEARNED

__all__ = ["MOST_PIECES", "plan_memory"]

# Bytes, measured on volumes of 0.9 and 4.3 million voxels, all in the mask, and rounded up.
_PROGRAM = 400 << 20
_VOXEL = {
    "ls": 100,
    "wls": 100,
    "nnls": 105,
    "gaussian": 95,
    "nlm": 100,
    "tv": 130,
    "kernel": 190,
    "red-diff": 230,
    "hqs": 150,
    "gibbs": 260,
}
_TURNED = 24  # a voxel of an image that is not stored in RAS axes: the problem once more
_READ = 60  # a voxel, while frames are read: sums, a frame and its copy
_LAYER = 2 * (256 << 20)  # that is read of a zarr store at a time, and its copy
_DRAW = 24  # a voxel and a draw: it, all of them, and in their units
_CELL = 100  # a voxel of the prior's grid, where that is not the image's
_TILE = 300  # a voxel of a tile of a prior at work
_LARGEST = 96**3  # voxels of such a tile, see `betaplus.generative.volume_denoiser`
_BLOCK = 30  # a voxel of a block of planes at work
_PLANES = 8
_SPAWNED = 600 << 20  # a worker process with torch
_SENT_TILE = 16  # a voxel of a tile, of what is sent to a process
MOST_PIECES = 32
"""Pieces at work at a time on a cluster whose size is not asked for."""

_SENT = 4  # copies of it on the way, and waiting, for every worker


def plan_memory(
    image: PetImage,
    method: str,
    settings: Any,
    prior: BundleConfig | None,
    workers: int,
    limit: int | None,
    engine: Choice | None = None,
) -> MemoryPlan:
    """Return how many threads may be at work, so that a run stays within a limit.

    Args:
        image: The dynamic image; frames are not held, so that their number hardly matters.
        method: Name of the method.
        settings: Of it.
        prior: The prior, where the method needs one and it is known.
        workers: Threads or processes to have at work.
        limit: [bytes], or None.
        engine: What they run in; threads if None.

    Raises:
        UsageError: If one thread does not fit.
    """
    shape = image.shape[:3]
    voxels = math.prod(shape)
    reading = _READ * voxels
    if isinstance(image.data, LazyZarr):
        reading += min(_LAYER, 8 * voxels * image.n_frames)
    fixed = _PROGRAM + max(_VOXEL[method] * voxels, reading)
    if not (np.diag(image.affine)[:3] > 0).all():
        fixed += _TURNED * voxels
    cells = 0 if prior is None else _cells(image, prior)
    fixed += _CELL * cells
    if method == "gibbs":
        fixed += _DRAW * voxels * settings.samples
    if method in LEARNED:
        piece = _TILE * min(cells or voxels, _LARGEST)
    else:
        piece = _BLOCK * voxels * _PLANES // max(shape[0], _PLANES)
    worker = 0
    if engine is not None and engine.apart:
        sent = _SENT * (_SENT_TILE * min(cells or voxels, _LARGEST) if method in LEARNED else piece)
        worker, piece = (_SPAWNED + sent, piece) if engine.here else (sent, 0)
    return memory_plan(
        piece, workers, workers, limit, microbatch=1, fixed_bytes=fixed, worker_bytes=worker
    )


def _cells(image: PetImage, config: BundleConfig) -> int:
    """Return the voxels of a prior's grid, 0 where it works on those of the image."""
    known: Any = config.validity.get("voxel size [mm]", [0.0, math.inf])
    edges = image.voxel_size
    if all(float(known[0]) <= edge <= float(known[1]) for edge in edges):
        return 0
    size = [n * edge for n, edge in zip(image.shape[:3], edges, strict=True)]
    return math.prod(max(1, round(s / float(config.settings["voxel"]))) for s in size)
