"""Memory that a frame takes: planned before a run."""

from __future__ import annotations

import math
from typing import Any

from betaplus.core.image import PetImage
from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.method import SAMPLED
from betaplus.denoising.resample import Resampler
from betaplus.engine import Choice, MemoryPlan, memory_plan

__all__ = ["MOST_PIECES", "plan_memory"]

# Bytes, measured on volumes of 5 to 30 million voxels and rounded up.
_PROGRAM = 600 << 20
_VOXEL = 44  # of the image: it, its correction, what the grid cannot hold, what is written
_CLASSICAL_VOXEL = 44
_DRAWN_VOXEL = 24  # mean and squares of draws, in double precision
_CELL = 190  # a voxel of the grid: maps of the noise, what the network sees
_CLASSICAL_CELL = 110
_FILTER = 24  # a voxel of the image and a piece of a filter at work
_PIECE = 8  # a voxel of the grid and a piece: it and its copy
_TILE = 150  # a voxel of a tile: what the network sees
_FEATURE = 24  # a block of voxels of a tile that the stem takes together, and a channel
_BESIDE = 90  # a voxel of the grid: the mean and what draws are shown beside it, for all of them
_DRAW = 50  # a voxel of the grid and a draw at work
_SPAWNED = 600 << 20  # a worker process with torch
_SEEN = 116  # a voxel of a tile, of what is sent to a process
_SENT = 4  # copies of it on the way, and waiting, for every worker

MOST_PIECES = 32
"""Pieces that are thought of at a time, and so the most workers."""


def plan_memory(
    image: PetImage,
    grid_voxel: float,
    method: str,
    settings: Any,
    denoiser: TrainedDenoiser | None,
    workers: int,
    limit: int | None,
    engine: Choice,
) -> MemoryPlan:
    """Return how many pieces may be at work, so that a run stays within a limit.

    Args:
        image: Of one or several frames; one is in memory at a time.
        grid_voxel: Edge of the voxels of the network [mm].
        method: Name of the method.
        settings: Of it.
        denoiser: The network, or None.
        workers: Pieces to have at work.
        limit: [bytes], or None.
        engine: What they run in.

    Raises:
        UsageError: If one worker does not fit.
    """
    shape = image.shape[:3]
    voxels = math.prod(shape)
    cells = math.prod(Resampler(shape, image.voxel_size, grid_voxel).grid_shape)
    if denoiser is None:
        fixed, piece = _CLASSICAL_VOXEL * voxels + _CLASSICAL_CELL * cells, _FILTER * voxels
    else:
        fixed = _VOXEL * voxels + _CELL * cells
        tile = min(settings.tile**3, cells)
        size = denoiser.network.size
        piece = _TILE * tile + _FEATURE * size.widths[0] * tile // size.stem**3
        if method in SAMPLED:
            fixed += (_BESIDE + _PIECE * settings.samples) * cells
            fixed += _DRAWN_VOXEL * voxels if settings.samples > 1 else 0
            piece += _DRAW * cells
        else:
            fixed += 4 * _PIECE * cells  # tiles overlap
    worker = 0
    if engine.apart:
        sent = _FILTER * voxels if denoiser is None else _SEEN * min(settings.tile**3, cells)
        if engine.here:
            worker = _SPAWNED + (fixed if method in SAMPLED else 0) + _SENT * sent
        else:
            piece, worker = 0, _SENT * sent
    return memory_plan(
        piece,
        MOST_PIECES,
        workers,
        limit,
        microbatch=1,
        fixed_bytes=_PROGRAM + fixed,
        worker_bytes=worker,
    )
