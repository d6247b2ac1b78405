"""Where the slices of a series lie: order, distance and the affine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.dicom.elements import called
from betaplus.io.dicom.header import Slice

__all__ = ["ras_affine", "stack"]

_COSINE = 1e-3  # of direction cosines: rounding in headers
_SPACING = 0.02  # of the slice distance
_ROUNDING = 0.02  # mm: of positions in headers


def stack(slices: Sequence[Slice]) -> tuple[list[list[Slice]], np.ndarray]:
    """Return the slices by position, foot to head or as the normal of a slice points, and affine.

    Args:
        slices: Of one series, in any order.

    Returns:
        For each position the slices that lie there, and the matrix from voxel to world, RAS
        [mm]: the first index runs along a row (DICOM PS3.3 C.7.6.2.1.1), the second along a
        column, the third along the normal.

    Raises:
        InputError: If the slices differ in size or orientation, or are not evenly spaced.
    """
    first = slices[0]
    directions = _directions(first)
    for other in slices[1:]:
        if other.shape != first.shape:
            raise _differs("Rows and Columns", first, other, first.shape, other.shape)
        if np.abs(np.subtract(other.spacing, first.spacing)).max() > _COSINE * max(first.spacing):
            raise _differs(called("PixelSpacing"), first, other, first.spacing, other.spacing)
        if np.abs(other.orientation - first.orientation).max() > _COSINE:
            raise InputError(
                f"{called('ImageOrientationPatient')} differs between {first.path.name} and"
                f" {other.path.name}",
                "expected one orientation",
                "take out the files of another series",
            )
    places, step = _places(slices, directions)
    affine = np.eye(4)
    affine[:3, 0] = directions[0] * first.spacing[1]
    affine[:3, 1] = directions[1] * first.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = places[0][0].position
    return places, ras_affine(affine)


def ras_affine(lps: np.ndarray) -> np.ndarray:
    """Return an affine to RAS (left to right, back to front) from one to DICOM's LPS [mm]."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


def _directions(one: Slice) -> np.ndarray:
    """Return the directions of a row, a column and the normal, shape (3, 3)."""
    row, column = one.orientation
    lengths = np.linalg.norm(one.orientation, axis=1)
    if np.abs(lengths - 1.0).max() > _COSINE or abs(row @ column) > _COSINE:
        raise InputError(
            f"{called('ImageOrientationPatient')} is {one.orientation.ravel().tolist()} in"
            f" {one.path.name}",
            "expected two unit vectors at a right angle",
        )
    row, column = row / lengths[0], column / lengths[1]
    return np.stack([row, column, np.cross(row, column)])


def _places(
    slices: Sequence[Slice], directions: np.ndarray
) -> tuple[list[list[Slice]], np.ndarray]:
    """Return the slices by position and the step from one position to the next, shape (3,)."""
    heights = np.array([one.position @ directions[2] for one in slices])
    order = np.argsort(heights, kind="stable")
    cuts = np.flatnonzero(np.diff(heights[order]) > _ROUNDING) + 1
    places = [[slices[i] for i in group] for group in np.split(order, cuts)]
    for place in places:
        aside = max(float(np.linalg.norm(p.position - place[0].position)) for p in place)
        if aside > 2 * _ROUNDING:
            raise _aside(place[0], aside)
    if len(places) == 1:
        thickness = slices[0].thickness
        if thickness is None or thickness <= 0.0:
            raise InputError(
                f"{called('SliceThickness')} is {thickness or 'missing'} in"
                f" {slices[0].path.name}, the only slice",
                "expected its thickness in mm",
            )
        return places, directions[2] * thickness
    at = np.array([place[0].position for place in places])
    distances = np.diff(at @ directions[2])
    usual = float(np.median(distances))
    allowed = max(_SPACING * usual, _ROUNDING)
    for i in np.flatnonzero(np.abs(distances - usual) > allowed):
        pair = f"{places[i][0].path.name} and {places[i + 1][0].path.name}"
        whole = round(distances[i] / usual)
        if whole > 1 and abs(distances[i] - whole * usual) <= whole * allowed:
            raise InputError(
                f"{whole - 1} slice{'s' if whole > 2 else ''} missing between {pair}:"
                f" {distances[i]:.4g} mm apart where others are {usual:.4g} mm",
                "expected all slices of the series",
                "export it again",
            )
        raise InputError(
            f"{pair} are {distances[i]:.4g} mm apart where others are {usual:.4g} mm"
            f" ({called('ImagePositionPatient')})",
            "expected slices at one distance",
            "resample the series or take out the files of another",
        )
    step = (at[-1] - at[0]) / (len(places) - 1)
    sideways = step - (step @ directions[2]) * directions[2]
    if np.linalg.norm(sideways) > allowed:
        raise _aside(places[1][0], float(np.linalg.norm(sideways)))
    straight = at[0] + np.arange(len(places))[:, None] * step
    off = np.linalg.norm(at - straight, axis=1)
    if off.max() > max(0.1 * usual, 5 * _ROUNDING):
        raise _aside(places[int(off.argmax())][0], float(off.max()))
    return places, step


def _aside(one: Slice, distance: float) -> InputError:
    return InputError(
        f"{one.path.name} lies {distance:.3g} mm aside of the other slices"
        f" ({called('ImagePositionPatient')})",
        "expected slices in one stack",
        "take out the files of another series",
    )


def _differs(what: str, a: Slice, b: Slice, x: object, y: object) -> InputError:
    return InputError(
        f"{what} {'is' if '(' in what else 'are'} {x} in {a.path.name} but {y} in {b.path.name}",
        "expected one grid",
        "take out the files of another series",
    )
