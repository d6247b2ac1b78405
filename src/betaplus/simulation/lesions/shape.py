"""The shape of a lesion: an ellipsoid, smooth or lumpy, with or without a dead core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.simulation.fields import SpaceField
from betaplus.simulation.phantom import Phantom

__all__ = ["Lesion", "LesionShape", "cover", "draw_shape"]

_SUB = 3  # sub-voxels along an edge of a voxel
_ROUGHEST = 0.25


@dataclass(frozen=True, eq=False, kw_only=True)
class LesionShape:
    """A closed surface around a centre.

    Attributes:
        centre: In the world, shape (3,) [mm].
        diameter: Of the sphere of the same volume, before lumps [mm].
        semi: Half axes over half the diameter, shape (3,); their product is 1.
        axes: Their directions, as rows, shape (3, 3).
        lumps: Standard deviation of the logarithm of the radius.
        core: Radius of the dead core over the lesion's; 0 if there is none.
        field: Smooth noise that makes the lumps; None if there are none.
    """

    centre: np.ndarray
    diameter: float
    semi: np.ndarray
    axes: np.ndarray
    lumps: float
    core: float
    field: SpaceField | None

    def level(self, points: np.ndarray) -> np.ndarray:
        """Return 0 at the centre, 1 on the surface, of points (N, 3) [mm]."""
        reach = (points - self.centre) @ self.axes.T / (0.5 * self.diameter * self.semi)
        radius = np.sqrt((reach**2).sum(axis=1))
        if self.field is None:
            return radius
        noise = np.clip(self.field(*(points - self.centre).T), -2.5, 2.5)
        return radius / np.exp(self.lumps * noise)


@dataclass(frozen=True, eq=False, kw_only=True)
class Lesion:
    """A lesion on a grid.

    Attributes:
        site: Name in `SITES`.
        host: Region that its centre lies in.
        centre: In the world (x, y, z) [mm].
        diameter: Of the sphere of the same volume as the lesion in the phantom [mm].
        contrast: Uptake over that of its surroundings; below 1 where it is cold.
        core: Uptake of the dead core over that of its surroundings; None if there is no core.
        voxels: Flat indices of the voxels it reaches into, shape (N,).
        share: Share of each of them that is lesion outside the core, shape (N,).
        dead: Share of each that is core, shape (N,).
    """

    site: str
    host: str
    centre: tuple[float, float, float]
    diameter: float
    contrast: float
    core: float | None
    voxels: np.ndarray
    share: np.ndarray
    dead: np.ndarray


def draw_shape(
    centre: np.ndarray, diameter: float, has_core: bool, rng: np.random.Generator
) -> LesionShape:
    """Draw a surface of a diameter around a centre [mm]: axes differ by 20 %, half are lumpy."""
    semi = np.exp(0.2 * np.clip(rng.standard_normal(3), -2, 2))
    semi /= np.cbrt(semi.prod())
    axes, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    lumps = float(rng.uniform(0.06, _ROUGHEST)) if rng.uniform() < 0.5 else 0.0
    core = float(rng.uniform(0.4, 0.75)) if has_core else 0.0
    box = np.full(3, float(diameter))
    field = SpaceField(-box, box, 0.55 * diameter, rng) if lumps > 0 else None
    return LesionShape(
        centre=centre, diameter=diameter, semi=semi, axes=axes, lumps=lumps, core=core, field=field
    )


def cover(shape: LesionShape, phantom: Phantom) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which voxels a shape reaches into, and the shares of lesion and of core in each.

    Returns:
        Flat indices (N,), share of lesion outside the core (N,), share of core (N,); by 27
        sub-voxels.
    """
    to_voxel = np.linalg.inv(phantom.affine[:3, :3])
    middle = to_voxel @ (shape.centre - phantom.affine[:3, 3])
    reach = shape.diameter * float(shape.semi.max()) * np.exp(2.5 * shape.lumps) / 2.0
    half = reach * np.abs(np.linalg.norm(to_voxel, axis=1)) + 1.0
    grid = phantom.labels.shape
    low = np.maximum(np.floor(middle - half), 0).astype(int)
    high = np.minimum(np.ceil(middle + half) + 1, grid).astype(int)
    index = np.stack(
        np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1
    ).reshape(-1, 3)
    offsets = (np.arange(_SUB) - 0.5 * (_SUB - 1)) / _SUB
    inside = np.zeros((2, index.shape[0]))
    for offset in np.stack(np.meshgrid(offsets, offsets, offsets), -1).reshape(-1, 3):
        level = shape.level((index + offset) @ phantom.affine[:3, :3].T + phantom.affine[:3, 3])
        inside += np.stack([level < 1.0, level < shape.core])
    whole, dead = inside / _SUB**3
    held = whole > 0
    flat = np.ravel_multi_index(tuple(index[held].T), grid)
    return flat, (whole - dead)[held], dead[held]
