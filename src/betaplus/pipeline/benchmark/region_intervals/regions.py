"""Regions of a small study, and what of a map tells how far uptake moved across their borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from betaplus.simulation.dual_study import DualStudy
    from betaplus.simulation.dynamic_study.study import PatlakStudy

__all__ = ["KINDS", "Region", "lesion_regions", "structure"]

KINDS = ("organ", "sphere", "lesion")

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


def lesion_regions(study: PatlakStudy | DualStudy, mask: np.ndarray) -> list[Region]:
    """Return the lesions of a study inside a mask, shape (X, Y, Z)."""
    return [
        Region(kind="lesion", name="Lesion", inside=(study.lesion_share(n) > _CORE) & mask)
        for n in range(len(study.lesions))
    ]


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
