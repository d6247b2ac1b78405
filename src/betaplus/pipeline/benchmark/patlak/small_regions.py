"""Regions of a small study, and what each method says of their means.

A region is an organ, as far as it lies in the box, a sphere cut to the organ that its middle is in
(as one is drawn by hand), or a lesion. Each has the weights of a mean over voxels; all that is kept
of a method's maps are those means and what tells how wrong they may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.seeds import generator
from betaplus.simulation.dynamic_study.kinetics import NOTHING
from betaplus.simulation.dynamic_study.study import PatlakStudy

__all__ = ["KINDS", "LEAST_VOLUME", "Region", "means", "regions_of", "structure"]

KINDS = ("organ", "sphere", "lesion")

LEAST_VOLUME = 1.0
"""Of a region [mL]."""

_DRAW = 74
_SPHERES = 4  # of a study
_RADIUS = 12.0  # mm
_CORE = 0.5  # share of a voxel that is lesion


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """A region.

    Attributes:
        kind: One of `KINDS`.
        name: Of the organ; of a lesion ``Lesion``.
        inside: Its voxels, shape (X, Y, Z) bool.
    """

    kind: str
    name: str
    inside: np.ndarray


def regions_of(study: PatlakStudy, mask: np.ndarray, item: int) -> list[Region]:
    """Return the regions of a study of 1 mL or more; gas is none.

    Args:
        study: The study.
        mask: Voxels that have maps, shape (X, Y, Z) bool.
        item: Number of the study; chooses the spheres.
    """
    voxel = float(np.prod(study.voxel)) / 1000.0
    least = max(2, round(LEAST_VOLUME / voxel))
    ill = np.zeros(study.shape, bool)
    found = []
    for number in range(len(study.lesions)):
        inside = (study.lesion_share(number) > _CORE) & mask
        ill |= inside
        found.append(Region(kind="lesion", name="Lesion", inside=inside))
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


def structure(region: Region, image: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return what of a map tells how far uptake moved across the border of a region.

    Args:
        region: The region.
        image: The map, shape (X, Y, Z) [SUV].
        labels: Organ of each voxel, likewise.

    Returns:
        ``border``, the share of the region next to something else; ``step``, the mean step there
        [SUV]; ``spread``, the SD of the map in the region [SUV].
    """
    inside = region.inside
    other = labels != labels[inside][0]
    if region.kind == "lesion":
        other = ~inside
    edge = np.zeros(inside.shape, bool)
    steps = []
    for axis in range(3):
        for shift in (1, -1):
            near = np.roll(other, shift, axis)
            value = np.roll(image, shift, axis)
            end = [slice(None)] * 3
            end[axis] = slice(0, 1) if shift == 1 else slice(-1, None)
            near[tuple(end)] = False
            here = inside & near
            edge |= here
            steps.append(np.abs(image - value)[here])
    step = np.concatenate(steps)
    return {
        "border": float(edge.sum() / inside.sum()),
        "step": float(step.mean()) if step.size else 0.0,
        "spread": float(image[inside].std()),
    }


def means(u: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
    """Return the mean of each region, shape (N, 2) of maps (2, X, Y, Z)."""
    return np.stack([u[:, r.inside].mean(1, dtype=np.float64) for r in regions])
