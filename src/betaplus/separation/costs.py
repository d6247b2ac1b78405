"""Memory that a separation takes: planned before it begins."""

from __future__ import annotations

import math

from betaplus.core.image import PetImage
from betaplus.engine import Choice, MemoryPlan, memory_plan

__all__ = ["MOST_PIECES", "plan_memory"]

# Bytes a voxel and frame, all voxels in the mask: the mixture, the pair, and copies of both.
_PROGRAM = 600 << 20
_STUDY = 16
_SAMPLE = {
    "inn": 60,
    "inn-published": 40,
    "tissues": 60,
    "linear": 44,
    "compartment": 40,
    "extrapolation": 40,
    "nmf": 44,
    "ced": 40,
    "cnn3d": 40,
}
_VOXEL = {
    "inn": 300,
    "inn-published": 60,
    "tissues": 160,
    "linear": 100,
    "compartment": 180,
    "extrapolation": 140,
    "nmf": 100,
    "ced": 60,
    "cnn3d": 60,
}
_WORKER = {
    "inn": 900 << 20,
    "tissues": 400 << 20,
    "compartment": 120 << 20,
    "extrapolation": 40 << 20,
}
_USUAL_WORKER = 60 << 20
_SPAWNED = 600 << 20  # a worker process with torch
_SENT = 200 << 20  # pieces on the way to a worker, and back

MOST_PIECES = 32
"""Pieces at work at a time on a cluster whose size is not asked for."""


def plan_memory(
    image: PetImage, method: str, workers: int, limit: int | None, engine: Choice | None = None
) -> MemoryPlan:
    """Return how many threads may be at work, so that a run stays within a limit.

    Args:
        image: The dynamic image.
        method: Name of the method.
        workers: Threads to have at work.
        limit: [bytes], or None.
        engine: What they run in; threads if None.

    Raises:
        UsageError: If one thread does not fit.
    """
    voxels = math.prod(image.shape[:3])
    samples = voxels * image.n_frames
    fixed = _PROGRAM + max(_STUDY, _SAMPLE[method]) * samples + _VOXEL[method] * voxels
    piece = _WORKER.get(method, _USUAL_WORKER)
    worker = 0
    if engine is not None and engine.apart:
        worker, piece = (_SPAWNED, piece) if engine.here else (_SENT, 0)
    return memory_plan(
        piece, workers, workers, limit, microbatch=1, fixed_bytes=fixed, worker_bytes=worker
    )
