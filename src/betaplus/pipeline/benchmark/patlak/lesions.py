"""Lesions of a study, and the tissue around each.

A lesion is the voxels that it fills half or more of. Its background is a shell in the tissue that
it lies in: from 8 mm beyond what any lesion reaches, since blur of the scanner carries a lesion
about as far, to 24 mm (nominal). Where the tissue has too little of that, all that is around will
do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.simulation.dynamic_study.study import MARGIN, PatlakStudy

__all__ = ["LesionPlace", "lesion_places"]

_INNER, _OUTER = 8.0, 24.0  # mm from the border
_HALF = 0.5
_LEAST, _LEAST_AROUND = 3, 20  # voxels
_TOUCHED = 0.02  # of a voxel


@dataclass(frozen=True, eq=False, kw_only=True)
class LesionPlace:
    """Where a lesion and its background are.

    Attributes:
        number: Of the lesion.
        site: Kind of place.
        diameter: Of the lesion [mm].
        inside: Its voxels, flat indices.
        around: Those of its background, likewise.
        same_tissue: Whether the background is the tissue that it lies in.
    """

    number: int
    site: str
    diameter: float
    inside: np.ndarray
    around: np.ndarray
    same_tissue: bool


def lesion_places(simulated: PatlakStudy) -> list[LesionPlace]:
    """Return the lesions of which the image holds three voxels or more, and their backgrounds."""
    from scipy.ndimage import distance_transform_edt

    shape, cut = simulated.shape, (slice(MARGIN, -MARGIN),) * 3
    beneath = simulated.tissue.beneath.labels[cut]
    held = [_share(simulated, n) for n in range(len(simulated.lesions))]
    free = np.ones(shape, bool)
    for share in held:
        if (share > _TOUCHED).any():
            free &= distance_transform_edt(share <= _TOUCHED, simulated.voxel) > _INNER
    found = []
    for n, (one, share) in enumerate(zip(simulated.lesions, held, strict=True)):
        inside = share >= _HALF
        if np.count_nonzero(inside) < _LEAST:
            continue
        far = distance_transform_edt(~inside, simulated.voxel)
        ring = free & (far <= _OUTER) & simulated.body
        host = np.bincount(beneath[inside]).argmax()
        same = ring & (beneath == host)
        alike = int(np.count_nonzero(same)) >= _LEAST_AROUND
        around = same if alike else ring
        if np.count_nonzero(around) < _LEAST:
            continue
        found.append(
            LesionPlace(
                number=n,
                site=one.lesion.site,
                diameter=float(one.lesion.diameter),
                inside=np.flatnonzero(inside),
                around=np.flatnonzero(around),
                same_tissue=alike,
            )
        )
    return found


def _share(simulated: PatlakStudy, number: int) -> np.ndarray:
    """Return the share of each voxel that is the lesion, dead core and all."""
    lesion = simulated.lesions[number].lesion
    share = np.zeros(simulated.tissue.phantom.labels.shape, np.float32)
    share.reshape(-1)[lesion.voxels] = lesion.share + lesion.dead
    return share[(slice(MARGIN, -MARGIN),) * 3]
