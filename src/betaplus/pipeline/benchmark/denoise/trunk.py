"""Parts of scans that are judged alone: the trunk around the liver, and small boxes.

The counts of the whole body are measured first, so that noise in a part is what it is in the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from betaplus.pipeline.benchmark.denoise.cases import Group, Scan
from betaplus.simulation.lesions import Lesion
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static import StaticScan, draw_static, make_anatomy
from betaplus.simulation.surrogate.information import Information, measure_information
from betaplus.simulation.surrogate.surrogate import Surrogate

__all__ = [
    "TRUNK",
    "Box",
    "cut_scan",
    "information_of",
    "make_trunk",
    "trunk_box",
    "trunk_in",
]

TRUNK = 240.0
"""Length of a trunk [mm]."""

_BODY = 1e-3  # 1/mm
_AROUND = 4  # voxels of air on each side

Box = tuple[slice, slice, slice]


def make_trunk(
    group: Group,
    person: int,
    voxel: float,
    *,
    phantom: Phantom | None = None,
    lesions: int | None = None,
    length: float = TRUNK,
) -> Scan:
    """Simulate the trunk of a person; arguments are those of `make_scan`, and its length [mm]."""
    phantom = make_anatomy("body", person, voxel=voxel) if phantom is None else phantom
    whole = draw_static(phantom, group.tracer, person, lesions=lesions)
    part, low = cut_scan(whole, trunk_box(whole, length))
    return trunk_in(group, person, whole, part, low)


def trunk_in(
    group: Group, person: int, whole: StaticScan, part: StaticScan, low: Sequence[float]
) -> Scan:
    """Return a part of a body in a scanner.

    Args:
        group: Of which the scanner is taken.
        person: Number of the anatomy.
        whole: The body.
        part: What `cut_scan` cut out of it.
        low: Centre of its first voxel, from that of the body's [mm].
    """
    known = information_of(whole, group)
    surrogate = Surrogate(
        part.activity, part.mu, part.phantom.voxel_size, group.style, information=known, low=low
    )
    return Scan(group=group, person=person, scan=part, surrogate=surrogate)


def information_of(whole: StaticScan, group: Group) -> Information:
    """Return what counts tell about each place of a body in the group's scanner."""
    return measure_information(whole.activity, whole.mu, whole.phantom.voxel_size, group.style)


def trunk_box(scan: StaticScan, length: float = TRUNK) -> Box:
    """Return the part of a body around the middle of its liver, with all of it across."""
    labels = {name: label for label, name in scan.phantom.names.items()}
    inside = scan.mu > _BODY
    box = []
    for axis in (0, 1):
        others = tuple(a for a in range(3) if a != axis)
        line = np.flatnonzero(inside.any(axis=others))
        low, high = int(line[0]) - _AROUND, int(line[-1]) + 1 + _AROUND
        box.append(slice(max(low, 0), min(high, inside.shape[axis])))
    heights = np.nonzero(scan.phantom.labels == labels["Liver"])[2]
    planes = min(round(length / scan.phantom.voxel_size[2]), inside.shape[2])
    first = int(np.median(heights)) - planes // 2
    first = min(max(first, 0), inside.shape[2] - planes)
    return box[0], box[1], slice(first, first + planes)


def cut_scan(scan: StaticScan, box: Box) -> tuple[StaticScan, tuple[float, float, float]]:
    """Return a part of a subject, and the centre of its first voxel from that of the whole [mm].

    Lesions that are not all in it are no longer among the lesions, though their uptake is there.
    """
    phantom = scan.phantom
    starts = np.array([s.start for s in box])
    labels = np.ascontiguousarray(phantom.labels[box])
    affine = phantom.affine.copy()
    affine[:3, 3] = phantom.affine[:3, :3] @ starts + phantom.affine[:3, 3]
    present = set(np.unique(labels).tolist())
    names = {label: name for label, name in phantom.names.items() if label in present}
    kept = [_moved(lesion, phantom.labels.shape, box) for lesion in scan.lesions]
    part = replace(
        scan,
        phantom=Phantom(labels, affine, names),
        lesions=tuple(lesion for lesion in kept if lesion is not None),
        activity=np.ascontiguousarray(scan.activity[box]),
        mu=np.ascontiguousarray(scan.mu[box]),
    )
    x, y, z = (float(s * v) for s, v in zip(starts, phantom.voxel_size, strict=True))
    return part, (x, y, z)


def _moved(lesion: Lesion, shape: Sequence[int], box: Box) -> Lesion | None:
    """Return a lesion on the grid of a part, or None where not all of it is there."""
    index = np.stack(np.unravel_index(lesion.voxels, tuple(shape)))
    index = index - np.array([s.start for s in box])[:, None]
    size = np.array([s.stop - s.start for s in box])
    if (index < 0).any() or (index >= size[:, None]).any():
        return None
    return replace(lesion, voxels=np.ravel_multi_index(tuple(index), tuple(size)))
