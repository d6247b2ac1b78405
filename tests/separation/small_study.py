"""Small simulated studies of two tracers, shared by tests."""

from __future__ import annotations

from functools import lru_cache

from betaplus.pipeline.training.separation.studies import study_problem, true_images
from betaplus.simulation.dual_study import (
    STANDARD,
    DualStudy,
    draw_dual_person,
    draw_dual_study,
    dual_protocol,
)


@lru_cache(maxsize=1)
def person():
    """A head in coarse voxels."""
    return draw_dual_person(913_000, STANDARD.replace(voxel=5.0))


@lru_cache(maxsize=4)
def small_study(delay: float = 1200.0, edge: int = 16, level: float = 6.0) -> DualStudy:
    """A box of it with [11C]flumazenil and, later, [18F]FDG."""
    protocol = dual_protocol("FMZ", "FDG", delay, level=level)
    return draw_dual_study(person(), protocol, item=1, shape=(edge,) * 3)


@lru_cache(maxsize=4)
def small_problem(delay: float = 1200.0, edge: int = 16, population: bool = False):
    """Its problem and true images."""
    study = small_study(delay, edge)
    problem = study_problem(study, population=population, subjects=12)
    return problem, true_images(study, problem)
