"""What is read off a PET image: SUVmean, SUVmax, SUVpeak, TLG, and the noise of the liver.

- SUVpeak: the highest mean over a sphere of 1 cm3 (12.4 mm across) whose centre lies in the region
  (PERCIST: Wahl et al., J Nucl Med 2009, 50 Suppl 1, 122S-150S). The sphere may reach beyond the
  region, and is moved to where its mean is highest (Lodge et al., J Nucl Med 2012, 53:1041-1047).
- TLG, total lesion glycolysis: SUVmean times volume (Larson et al., Clin Positron Imaging 1999,
  2:159-171); here the volume is that of the region given.
- Coefficient of variation of the liver: SD over mean of its voxels, in a sphere of 3 cm as PERCIST
  puts into the right lobe, or in the liver without its rim.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from betaplus.core.errors import InputError
from betaplus.evaluation.images.masking import inside
from betaplus.evaluation.images.regions import region_means

__all__ = [
    "PEAK_VOLUME",
    "RegionSuvs",
    "coefficient_of_variation",
    "deepest_sphere",
    "eroded",
    "region_suvs",
    "sphere_means",
    "suv_bias",
]

PEAK_VOLUME = 1000.0
"""Of the sphere of SUVpeak [mm3]."""

LIVER_SPHERE = 30.0
"""Diameter of the sphere that a liver is measured in [mm]."""

_SUB = 10  # sub-voxels along an edge


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionSuvs:
    """What was read in regions, each of shape (N,) in the order of the labels.

    As the answer of `suv_bias` all but labels and volume are differences [%].

    Attributes:
        labels: The labels.
        volume: [mL].
        mean: SUVmean.
        maximum: SUVmax.
        peak: SUVpeak.
        tlg: SUVmean times volume [SUV mL].
    """

    labels: np.ndarray
    volume: np.ndarray
    mean: np.ndarray
    maximum: np.ndarray
    peak: np.ndarray
    tlg: np.ndarray


def region_suvs(
    image: np.ndarray, labels: np.ndarray, wanted: Sequence[int], voxel: Sequence[float]
) -> RegionSuvs:
    """Return SUVmean, SUVmax, SUVpeak and TLG of labelled regions.

    Args:
        image: Shape (X, Y, Z) [SUV].
        labels: Label of every voxel, likewise; for a single mask the mask itself as integers.
        wanted: The labels to take, shape (N,), none of them 0.
        voxel: Voxel edges [mm].

    Raises:
        InputError: If shapes differ, a region is empty, or a voxel in or around one is no finite
            number.
    """
    from scipy.ndimage import find_objects

    found = region_means(image, labels, wanted)
    known = np.asarray(labels)
    rows = np.searchsorted(order := np.unique(found.labels), known)
    rows[rows == order.size] = 0
    places = np.where(order[rows] == known, rows + 1, 0).astype(np.int32)
    boxes = find_objects(places, max_label=order.size)
    top, peak = np.empty(order.size), np.empty(order.size)
    for n, box in enumerate(boxes):
        region = places[box] == n + 1
        top[n] = np.asarray(image)[box][region].max()
        peak[n] = sphere_means(image, box, voxel, PEAK_VOLUME)[region].max()
    back = np.searchsorted(order, found.labels)
    volume = found.voxels * float(np.prod(voxel)) / 1000.0
    return RegionSuvs(
        labels=found.labels,
        volume=volume,
        mean=found.mean,
        maximum=top[back],
        peak=peak[back],
        tlg=found.mean * volume,
    )


def suv_bias(found: RegionSuvs, reference: RegionSuvs) -> RegionSuvs:
    """Return 100 (found - reference) / reference [%] of each measure; NaN where that is 0.

    Args:
        found: Of an image.
        reference: Of another one, in the same regions.

    Raises:
        InputError: If the regions are not the same.
    """
    if not np.array_equal(found.labels, reference.labels):
        raise InputError(
            f"regions {found.labels.tolist()} and {reference.labels.tolist()}",
            "expected the same ones",
        )
    values = {}
    for name in (f.name for f in fields(RegionSuvs)):
        x, r = getattr(found, name), getattr(reference, name)
        if name in ("labels", "volume"):
            values[name] = x
            continue
        change = np.full(r.shape, math.nan)
        np.divide(100.0 * (x - r), r, out=change, where=r != 0)
        values[name] = change
    return RegionSuvs(**values)


def sphere_means(
    image: np.ndarray, box: tuple[slice, ...], voxel: Sequence[float], volume: float
) -> np.ndarray:
    """Return the mean over a sphere around each voxel of a box, float64 in its shape.

    A voxel counts as far as it is in the sphere; what of a sphere is outside the image does not.

    Args:
        image: Shape (X, Y, Z).
        box: Part of it, a slice an axis.
        voxel: Voxel edges [mm].
        volume: Of the sphere [mm3].

    Raises:
        InputError: If a voxel that is looked at is no finite number.
    """
    from scipy.signal import fftconvolve

    kernel = _sphere(voxel, (6.0 * volume / math.pi) ** (1.0 / 3.0))
    half = [n // 2 for n in kernel.shape]
    near, inner = [], []
    for s, h, n in zip(box, half, np.shape(image), strict=True):
        low = max(s.start - h, 0)
        near.append(slice(low, min(s.stop + h, n)))
        inner.append(slice(s.start - low, s.stop - low))
    values = np.asarray(image)[tuple(near)].astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError("a voxel in or around a region is not finite", "expected numbers")
    total = fftconvolve(values, kernel, mode="same")[tuple(inner)]
    weight = fftconvolve(np.ones(values.shape), kernel, mode="same")[tuple(inner)]
    return np.asarray(total / weight)


def _sphere(voxel: Sequence[float], diameter: float) -> np.ndarray:
    """Share of each voxel that lies in a sphere around the centre of the middle one."""
    offset = (np.arange(_SUB) - 0.5 * (_SUB - 1)) / _SUB
    squares = []
    for edge in voxel:
        n = max(math.ceil(0.5 * diameter / edge - 0.5), 0)
        squares.append(((np.arange(-n, n + 1)[:, None] + offset) * edge).ravel() ** 2)
    x, y, z = squares
    within = x[:, None, None] + y[:, None] + z <= (0.5 * diameter) ** 2
    shape = [w // _SUB for w in within.shape]
    parts = within.reshape(shape[0], _SUB, shape[1], _SUB, shape[2], _SUB)
    return np.asarray(parts.mean(axis=(1, 3, 5)))


def coefficient_of_variation(image: np.ndarray, mask: np.ndarray) -> float:
    """Return SD, with n - 1, over mean of the voxels of a mask [%]; NaN for fewer than two.

    Args:
        image: Shape (X, Y, Z) [SUV].
        mask: Of the liver's `eroded` or `deepest_sphere`, likewise.

    Raises:
        InputError: If shapes differ, the mask is empty, or a voxel in it is no finite number.
    """
    (values,) = inside(mask, image=image)
    mean = float(values.mean())
    if values.size < 2 or mean == 0.0:
        return math.nan
    return 100.0 * float(values.std(ddof=1)) / mean


def eroded(mask: np.ndarray, voxel: Sequence[float], margin: float) -> np.ndarray:
    """Return the voxels of a mask that are at least a margin [mm] away from all others."""
    return np.asarray(mask, bool) & (_depth(mask, voxel) > margin)


def deepest_sphere(
    mask: np.ndarray, voxel: Sequence[float], diameter: float = LIVER_SPHERE
) -> np.ndarray:
    """Return the voxels with their centres in a sphere around the deepest voxel of a mask.

    In a liver that is in the right lobe.

    Args:
        mask: Of the organ, shape (X, Y, Z).
        voxel: Voxel edges [mm].
        diameter: Of the sphere [mm].

    Raises:
        InputError: If the mask is empty, or the sphere does not fit.
    """
    if not np.any(mask):
        raise InputError("no voxel lies in the mask", "expected one or more")
    depth = _depth(mask, voxel)
    middle = np.unravel_index(int(depth.argmax()), depth.shape)
    away = sum(
        ((np.arange(n) - m) * edge).reshape([-1 if a == axis else 1 for a in range(3)]) ** 2
        for axis, (n, m, edge) in enumerate(zip(depth.shape, middle, voxel, strict=True))
    )
    sphere = np.asarray(away <= (0.5 * diameter) ** 2)
    if np.any(sphere & ~np.asarray(mask, bool)):
        raise InputError(
            f"the deepest point of the region is {depth.max():.1f} mm from its surface",
            f"expected {0.5 * diameter:g} mm for a sphere of {diameter:g} mm",
        )
    return sphere


def _depth(mask: np.ndarray, voxel: Sequence[float]) -> np.ndarray:
    """Distance of each voxel of a mask to the nearest other one, or to the border [mm]."""
    from scipy.ndimage import distance_transform_edt, find_objects

    whole = np.asarray(mask, bool)
    out = np.zeros(whole.shape)
    found = find_objects(whole.astype(np.int8), max_label=1)[0]
    if found is not None:  # what lies around the region's box does not matter
        padded = np.pad(whole[found], 1)
        out[found] = distance_transform_edt(padded, sampling=tuple(voxel))[1:-1, 1:-1, 1:-1]
    return out
