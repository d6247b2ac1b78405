"""Heads as raw data are simulated from them, to learn from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.grid import ImageGrid
from betaplus.pipeline.training.prior.plan import PriorPlan
from betaplus.simulation.tracers import TracerProfile, find_profile

__all__ = ["counted_head", "profile_of"]

_EXTENT = (192.0, 240.0, 192.0)  # mm, along x, y, z
_CENTRE = (0.0, -2.0, 4.0)  # mm, of that box, on the scanner's axes
_LIKE = {"DPA-714": "PBR28", "amyloid": "MET", "raclopride": "DTBZ"}


def counted_head(plan: PriorPlan, person: int) -> Callable[[str, int], np.ndarray]:
    """Return what draws scans of a head, shape (X, Y, Z) RAS in voxels of the simulation [Bq/mL].

    Tissues, their borders and how K1 differs inside a region are those of
    `betaplus.simulation.raw`; what the scans differ in is the kinetics. Where those of a tracer are
    not known, another's stand for them.

    Args:
        plan: The prior.
        person: Number of the head.
    """
    from betaplus.simulation.raw.activity import STATIC_FRAME, draw_subject
    from betaplus.simulation.raw.head import make_head

    edge = plan.voxel / plan.averaged
    shape = tuple(plan.averaged * round(length / plan.voxel) for length in _EXTENT)
    grid = ImageGrid(shape=shape, voxel_size=(edge,) * 3, centre=_CENTRE)
    head = make_head(grid, person, threads=1)
    start, duration = STATIC_FRAME
    frames = FrameTiming(np.array([start]), np.array([duration]))

    def draw(tracer: str, seed: int) -> np.ndarray:
        image = draw_subject(profile_of(tracer), frames, seed).image(head, 0)
        return np.ascontiguousarray(image[::-1, ::-1, ::-1])  # a scanner's axes run against RAS

    return draw


def profile_of(tracer: str) -> TracerProfile:
    """Return the profile of a tracer, or of one that stands for it."""
    return find_profile(_LIKE.get(tracer, tracer))
