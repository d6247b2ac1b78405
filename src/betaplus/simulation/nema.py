"""The image quality phantom of NEMA NU 2-2018 (section 7; IEC 61675-1) on any grid.

A torso of 300 x 230 mm with six hot spheres, whose centres lie on a circle in one slice, and a
cylinder of low density without activity that stands for the lungs. Inner dimensions: a half circle
of radius 147 mm above, quarter circles of 77 mm beneath, 140 mm between their centres; the circle
of the spheres' centres is 35 mm above that of the half circle, 114.4 mm wide, and 68 mm from the
end plate. Sphere walls of 1 mm and torso walls of 3 mm are nominal, as are the densities: acrylic
1.19 g/cm3, the lung insert 0.3 g/cm3.

World coordinates: x to the right, y upwards, z along the scanner, 0 in the middle of the circle of
spheres. `BACKGROUND_CIRCLES` are places for the twelve background circles of up to 37 mm: at least
15 mm from the torso's edge and from each sphere, as the standard asks, and apart from each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError

__all__ = ["BACKGROUND_CIRCLES", "DIAMETERS", "NemaPhantom", "make_nema"]

DIAMETERS = (37.0, 28.0, 22.0, 17.0, 13.0, 10.0)
"""Inner diameters of the spheres [mm]."""

BACKGROUND_CIRCLES = (
    (-112.0, -30.0), (-102.0, 8.0), (-98.0, -68.0), (-82.0, 42.0), (-68.0, -38.0), (-58.0, -78.0),
    (60.0, -78.0), (72.0, -42.0), (76.0, 46.0), (100.0, 16.0), (104.0, -62.0), (112.0, -22.0),
)  # fmt: skip
"""Centres (x, y) of the background circles [mm]."""

ANGLES = (120.0, 60.0, 0.0, -60.0, -120.0, 180.0)
"""Where each sphere is on the circle, from x towards y [degrees]."""

CIRCLE = 57.2
"""Radius of the circle of the spheres' centres [mm]."""

_RISE = 35.0  # of that circle's centre above that of the half circle [mm]
_ABOVE, _BENEATH, _FLAT = 147.0, 77.0, 70.0  # radii, and half the distance between quarter circles
_WALL, _SPHERE_WALL = 3.0, 1.0
_LENGTH, _PLATE = 180.0, 68.0  # inner length, and from the end plate to the spheres
_LUNG = 25.0  # radius of the lung insert
_WATER, _ACRYLIC, _LOW_DENSITY = 0.0096, 0.0111, 0.0029  # at 511 keV [1/mm]: NISTIR 5632
_SUB = 5  # sub-voxels along an edge
_MARGIN = 12.0  # of air around [mm]


@dataclass(frozen=True, eq=False, kw_only=True)
class NemaPhantom:
    """The phantom on a grid, and where its parts are.

    Attributes:
        activity: Shape (X, Y, Z) float32; a voxel at an edge has the mean of what is in it.
        mu: Attenuation at 511 keV, likewise [1/mm].
        affine: Voxel to world matrix, shape (4, 4) [mm].
        spheres: Centres, shape (6, 3) [mm], in the order of `DIAMETERS`.
        diameters: Of the spheres [mm].
        backgrounds: Centres (x, y) of the background circles, shape (12, 2) [mm].
        lung: Centre (x, y) of the lung insert [mm].
        ratio: Activity of the spheres over that of the background.
    """

    activity: np.ndarray
    mu: np.ndarray
    affine: np.ndarray
    spheres: np.ndarray
    diameters: tuple[float, ...]
    backgrounds: np.ndarray
    lung: tuple[float, float]
    ratio: float

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Edges of a voxel [mm]."""
        x, y, z = np.diag(self.affine)[:3]
        return float(x), float(y), float(z)


def make_nema(
    voxel: float | Sequence[float] = 2.0,
    *,
    ratio: float = 4.0,
    background: float = 1.0,
    sphere_wall: float = _SPHERE_WALL,
    shift: Sequence[float] = (0.0, 0.0, 0.0),
) -> NemaPhantom:
    """Return the image quality phantom.

    Args:
        voxel: Voxel edges, or the edge of a cube [mm].
        ratio: Activity of the spheres over that of the background; 4 or 8 by the standard.
        background: Activity of the background [SUV or any unit].
        sphere_wall: Thickness of the spheres' walls, which hold no activity [mm].
        shift: What the middle of the spheres' circle is off the centre of a voxel [mm].

    Raises:
        UsageError: If a number is out of range.
    """
    edges = np.broadcast_to(np.asarray(voxel, dtype=np.float64), (3,))
    if not ((edges >= 0.5) & (edges <= 20.0)).all():
        raise UsageError(f"voxel edges {edges.tolist()} mm", "expected 0.5 to 20")
    if not (ratio > 0 and background > 0 and 0 <= sphere_wall <= 5):
        raise UsageError(
            f"ratio {ratio:g}, background {background:g}, sphere walls of {sphere_wall:g} mm",
            "expected numbers above 0 and walls of up to 5 mm",
        )
    top, rim = _ABOVE + _WALL, _WALL + _MARGIN
    low = np.array([-_ABOVE - rim, -_RISE - _BENEATH - rim, -_PLATE - rim])
    high = np.array([_ABOVE + rim, top - _RISE + _MARGIN, _LENGTH - _PLATE + rim])
    first, last = np.floor(low / edges), np.ceil(high / edges)
    shape = (last - first + 1).astype(int)
    affine = np.diag([*edges, 1.0])
    affine[:3, 3] = first * edges - np.asarray(shift, dtype=np.float64)
    fine = [
        affine[a, 3] + ((np.arange(n)[:, None] + (np.arange(_SUB) + 0.5) / _SUB - 0.5) * e).ravel()
        for a, (n, e) in enumerate(zip(shape, edges, strict=True))
    ]
    x, y = fine[0][:, None], fine[1][None]
    inner, outer = _coarse(_torso(x, y, 0.0)), _coarse(_torso(x, y, _WALL))
    lung = _coarse(np.hypot(x, y) <= _LUNG)
    along = affine[2, 3] + edges[2] * np.arange(shape[2])
    inside = _overlap(along, edges[2], -_PLATE, _LENGTH - _PLATE)
    plates = _overlap(along, edges[2], -_PLATE - _WALL, _LENGTH - _PLATE + _WALL)
    activity = background * (inner - lung)[..., None] * inside
    mu = _ACRYLIC * outer[..., None] * plates
    mu += ((_WATER - _ACRYLIC) * inner + (_LOW_DENSITY - _WATER) * lung)[..., None] * inside
    angles = np.deg2rad(ANGLES)
    centres = CIRCLE * np.stack([np.cos(angles), np.sin(angles), np.zeros(6)], axis=1)
    for centre, diameter in zip(centres, DIAMETERS, strict=True):
        for radius, change in (
            (0.5 * diameter + sphere_wall, -background),
            (0.5 * diameter, ratio * background),
        ):
            box, share = _sphere(centre, radius, fine, shape)
            activity[box] += change * share
    return NemaPhantom(
        activity=np.maximum(activity, 0.0).astype(np.float32),
        mu=np.maximum(mu, 0.0).astype(np.float32),
        affine=affine,
        spheres=centres,
        diameters=DIAMETERS,
        backgrounds=np.array(BACKGROUND_CIRCLES),
        lung=(0.0, 0.0),
        ratio=float(ratio),
    )


def _torso(x: np.ndarray, y: np.ndarray, wall: float) -> np.ndarray:
    """Whether points of a slice are in the torso, with walls of a thickness around it."""
    up = y + _RISE
    side = np.maximum(np.abs(x) - _FLAT, 0.0)
    above = np.hypot(x, up) <= _ABOVE + wall
    return np.where(up >= 0, above, np.hypot(side, up) <= _BENEATH + wall)


def _overlap(centres: np.ndarray, edge: float, low: float, high: float) -> np.ndarray:
    """Share of each voxel of a line that lies between two points."""
    first, last = centres - 0.5 * edge, centres + 0.5 * edge
    return np.clip(np.minimum(last, high) - np.maximum(first, low), 0.0, None) / edge


def _coarse(fine: np.ndarray) -> np.ndarray:
    """Share of the sub-voxels of each voxel of a slice that are set."""
    shape = [k for n in fine.shape for k in (n // _SUB, _SUB)]
    return np.asarray(fine.reshape(shape).mean(axis=tuple(range(1, 2 * fine.ndim, 2))))


def _sphere(
    centre: np.ndarray, radius: float, fine: Sequence[np.ndarray], shape: np.ndarray
) -> tuple[tuple[slice, ...], np.ndarray]:
    """The voxels that a sphere reaches into, and the share of each in it."""
    box, squares = [], []
    for c, points, n in zip(centre, fine, shape, strict=True):
        held = np.flatnonzero(np.abs(points - c) <= radius)
        low, high = int(held[0]) // _SUB, min(int(held[-1]) // _SUB + 1, int(n))
        box.append(slice(low, high))
        squares.append((points[low * _SUB : high * _SUB] - c) ** 2)
    a, b, c = squares
    within = a[:, None, None] + b[:, None] + c <= radius**2
    x, y, z = (s.stop - s.start for s in box)
    share = within.reshape(x, _SUB, y, _SUB, z, _SUB).mean(axis=(1, 3, 5))
    return tuple(box), share
