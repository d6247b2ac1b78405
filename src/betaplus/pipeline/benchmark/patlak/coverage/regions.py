"""Regions of a small study, and what each method says of their means.

A region is an organ, as far as it lies in the box, a sphere cut to the organ that its middle is in
(as one is drawn by hand), or a lesion. Each has the weights of a mean over voxels; all that is kept
of a method's maps are those means and what tells how wrong they may be.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.core.seeds import generator
from betaplus.pipeline.benchmark.region_intervals.cases import LEAST_VOLUME
from betaplus.pipeline.benchmark.region_intervals.regions import Region, lesion_regions
from betaplus.simulation.dynamic_study.kinetics import NOTHING
from betaplus.simulation.dynamic_study.study import PatlakStudy

__all__ = ["means", "regions_of"]

_DRAW = 74
_SPHERES = 4  # of a study
_RADIUS = 12.0  # mm


def regions_of(study: PatlakStudy, mask: np.ndarray, item: int) -> list[Region]:
    """Return the regions of a study of 1 mL or more; gas is none.

    Args:
        study: The study.
        mask: Voxels that have maps, shape (X, Y, Z) bool.
        item: Number of the study; chooses the spheres.
    """
    voxel = float(np.prod(study.voxel)) / 1000.0
    least = max(2, round(LEAST_VOLUME / voxel))
    found = lesion_regions(study, mask)
    ill = np.any([region.inside for region in found], axis=0)
    organs = {
        i: name
        for i, name in study.names.items()
        if i > 0 and name not in NOTHING and not name.startswith("Lesion")
    }
    healthy = mask & ~ill & np.isin(study.labels, list(organs))
    for label, name in organs.items():
        inside = healthy & (study.labels == label)
        found.append(Region(kind="organ", name=name, inside=inside))
    rng = generator(study.person.seed, item=item, draw=_DRAW)
    places = np.argwhere(healthy)
    grid = np.indices(study.shape)
    for _ in range(_SPHERES if len(places) else 0):
        middle = places[rng.integers(len(places))]
        label = int(study.labels[tuple(middle)])
        away = sum(
            ((axis - m) * edge) ** 2
            for axis, m, edge in zip(grid, middle, study.voxel, strict=True)
        )
        inside = healthy & (study.labels == label) & (away <= _RADIUS**2)
        found.append(Region(kind="sphere", name=organs[label], inside=inside))
    return [region for region in found if region.inside.sum() >= least]


def means(u: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
    """Return the mean of each region, shape (N, 2) of maps (2, X, Y, Z)."""
    return np.stack([u[:, r.inside].mean(1, dtype=np.float64) for r in regions])
