"""A head as level sets: which tissue is at a point, in coordinates close to the MNI brain's [mm].

Everything is procedural: ellipsoids for lobes, nuclei and ventricles, tubes for vessels, and
smooth noise on the sphere of directions whose zero set is where the sulci cut in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.seeds import generator
from betaplus.simulation.fields import SpaceField
from betaplus.simulation.head_spread import USUAL, HeadSpread, draw_shape

__all__ = ["LABELS", "Anatomy", "Space"]

LABELS = {
    1: "SoftTissue",
    2: "Skull",
    3: "CSF",
    4: "Ventricles",
    5: "WhiteMatter",
    6: "FrontalCortex",
    7: "ParietalCortex",
    8: "TemporalCortex",
    9: "OccipitalCortex",
    10: "Caudate",
    11: "Putamen",
    12: "Thalamus",
    13: "CerebellarCortex",
    14: "CerebellarWhite",
    15: "Brainstem",
    16: "VenousSinus",
    17: "CarotidArtery",
}
"""Label index to region name."""

_INDEX = {name: index for index, name in LABELS.items()}
_LOW, _HIGH = (-130.0, -150.0, -110.0), (130.0, 120.0, 120.0)
_CENTRE = (0.0, -16.0, 12.0)  # of the cerebrum
_PIVOT = (0.0, -16.0, 10.0)  # mm: what the head turns about


@dataclass(frozen=True)
class Space:
    """Positions of a grid: right, anterior and superior [mm], each of shape (X, Y, Z)."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    spacing: float

    @property
    def side(self) -> np.ndarray:
        """Distance from the midplane, so that one formula serves both hemispheres [mm]."""
        return np.abs(self.x)


class Anatomy:
    """One head; the same seed gives the same head on every grid.

    Args:
        seed: Chooses size, shape, ventricles and folding.
        spread: How heads differ: `USUAL` ones are much alike, those of a `POPULATION` are not.
    """

    def __init__(self, seed: int, spread: HeadSpread = USUAL) -> None:
        rng = generator(seed, item=0, draw=1)
        size, swelling = rng.standard_normal(), rng.standard_normal()
        self.shape = draw_shape(spread, size, swelling, generator(seed, item=1, draw=1))
        self._push = spread.ventricle_push * max(self.shape.ventricle - 1.0, 0.0)
        self._along = spread.ventricle_length
        self._resolved = spread.resolved
        self._warp = [SpaceField(_LOW, _HIGH, 70.0, rng) for _ in range(3)]
        self._fold = [SpaceField(_LOW, _HIGH, self.shape.fold, rng) for _ in range(2)]
        self._depth = SpaceField(_LOW, _HIGH, 30.0, rng)

    def labels(self, space: Space) -> np.ndarray:
        """Return the label of every point, shape (X, Y, Z) uint8; 0 is air."""
        p = self._normal_space(space)
        cerebrum, main = _cerebrum(p)
        part = self.shape.parts["Cerebellum"]
        cerebellum = np.minimum(
            _ellipsoid(p.side, p.y, p.z, (22, -63, -39), [part * c for c in (31, 29, 20)]),
            _ellipsoid(p.x, p.y, p.z, (0, -60, -30), (11, 19, 20)),
        )
        cerebellum = np.maximum(cerebellum, 2.5 - cerebrum)
        stem = _brainstem(p)
        cavity = np.minimum(np.minimum(cerebrum, cerebellum), stem) - 3.0
        out = np.zeros(p.x.shape, dtype=np.uint8)
        out[np.minimum(_head(p, main), cavity - 12.0) < 0] = _INDEX["SoftTissue"]
        out[cavity < np.where(p.z > -15.0, 6.5, 4.0)] = _INDEX["Skull"]
        out[cavity < 0] = _INDEX["CSF"]
        self._paint_cerebrum(out, p, cerebrum)
        inside = cerebellum < 0
        out[inside] = _INDEX["CerebellarCortex"]
        core = cerebellum + 8.0 + 2.5 * self._fold[1](1.6 * p.x, 1.6 * p.y, 1.6 * p.z)
        out[inside & (core < 0)] = _INDEX["CerebellarWhite"]
        out[stem < 0] = _INDEX["Brainstem"]
        self._paint_deep(out, p)
        _paint_vessels(out, p, cavity, main)
        return out

    def _normal_space(self, space: Space) -> Space:
        """Positions in the head's own coordinates: scaled and gently bent."""
        shape = self.shape
        x, y, z = _turned(space, shape.rotation)
        x, y, z = (c / (shape.scale * s) for c, s in zip((x, y, z), shape.stretch, strict=True))
        bend = [field(x, y, z) for field in self._warp]
        amplitude = [shape.bend * a for a in (1.2, 2.5, 2.0)]
        x, y, z = (c + a * b for c, a, b in zip((x, y, z), amplitude, bend, strict=True))
        return Space(x, y, z, space.spacing / shape.scale)

    def _paint_cerebrum(self, out: np.ndarray, p: Space, cerebrum: np.ndarray) -> None:
        from scipy.ndimage import distance_transform_edt

        inside = cerebrum < 0
        bridge = _ellipsoid(p.x, p.y, p.z, (0, -10, 4), (30, 44, 25))
        fluid = ~inside
        fluid |= (p.side < self._sulcus(p)) & (bridge > 0)
        fissure = np.abs(p.z - _sylvian(p.y)) - 0.03 * np.maximum(p.side - 40, 0)
        fluid |= (fissure < 0.7) & (p.side > 40) & (p.y < 26) & (p.y > -38)
        fluid |= self._sulci(p, cerebrum) & inside
        pial = distance_transform_edt(~fluid).astype(np.float32) * p.spacing
        base = _ellipsoid(p.x, p.y, p.z, (0, -18, -12), (26, 30, 20))
        cortex = inside & (pial < self._cortex(p)) & (base > 0) & (bridge > -4)
        out[inside] = _INDEX["WhiteMatter"]
        out[cortex] = _lobes(p)[cortex]
        out[inside & fluid] = _INDEX["CSF"]

    def _cortex(self, p: Space) -> float:
        """Return how far from a point of fluid the cortex reaches [mm]."""
        return self.shape.cortex + (0.5 * p.spacing if self._resolved else 0.0)

    def _sulcus(self, p: Space) -> float:
        """Return half the width of a sulcus [mm]."""
        return max(self.shape.sulcus, 0.5 * p.spacing) if self._resolved else self.shape.sulcus

    def _sulci(self, p: Space, cerebrum: np.ndarray) -> np.ndarray:
        """Sheets of fluid that run inwards from the surface where a noise on directions is 0."""
        reach = [c - o for c, o in zip((p.side, p.y, p.z), _CENTRE, strict=True)]
        semi = (69.0, 88.0, 63.0)
        radius = np.sqrt(sum((r / s) ** 2 for r, s in zip(reach, semi, strict=True)))
        radius = np.maximum(radius, 0.2)
        q = [o + r * (0.25 + 0.75 / radius) for o, r in zip(_CENTRE, reach, strict=True)]
        own = np.where(p.x < 0, -q[0], q[0])  # the two sides are alike, not equal
        noise = 0.93 * self._fold[0](*q) + 0.37 * self._fold[1](own, q[1], q[2])
        slope = np.sqrt(sum(g * g for g in np.gradient(noise, p.spacing)))
        width = np.abs(noise) / np.maximum(slope, 0.02)
        depth = 18.0 + 5.0 * self._depth(p.side, p.y, p.z)
        return (width < self._sulcus(p)) & (cerebrum > -depth)

    def _paint_deep(self, out: np.ndarray, p: Space) -> None:
        side, y, z, v = p.side, p.y, p.z, self.shape.ventricle

        def nucleus(
            name: str, x: np.ndarray, z: np.ndarray, centre: Sequence[float], semi: Sequence[float]
        ) -> None:
            size = [self.shape.parts[name] * s for s in semi]
            _paint(out, name, _ellipsoid(x, y, z, centre, size))

        lateral = side - 0.14 * np.abs(y - 3) + 0.1 * (z - 2)
        nucleus("Putamen", lateral, z, (25, 3, 2), (6, 18, 12))
        nucleus("Caudate", side, z + 0.2 * y, (13 + self._push, 15, 11), (6.5, 12, 10))
        nucleus("Caudate", side, z, (18 + self._push, -5, 21), (4.5, 21, 5))
        apart = side + 0.2 * (y + 18)  # the two thalami part towards the back
        nucleus("Thalamus", apart, z, (11.5, -18, 8), (9.5, 15, 10.5))
        for centre, semi in (
            ((6.5, 24, 10), (3.6, 15, 7.5)),
            ((9, -4, 21), (5.5, 28, 5)),
            ((23, -40, 12), (6, 13, 8)),
            ((25, -58, 8), (3.2, 15, 4)),
            ((33, -18, -15), (3, 18, 3)),
        ):
            swollen = v * semi[0], v**self._along * semi[1], v * semi[2]
            across = side - 0.15 * np.abs(y - centre[1])
            _paint(out, "Ventricles", _ellipsoid(across, y, z, centre, swollen))
        _paint(out, "Ventricles", _ellipsoid(p.x, y, z, (0, -13, 2), (2.2 * v, 13, 9)))
        _paint(out, "Ventricles", _ellipsoid(p.x, y, z, (0, -46, -33), (5 * v, 5, 9)))


def _turned(space: Space, rotation: np.ndarray | None) -> Sequence[np.ndarray]:
    """Positions along the head's own axes, about `_PIVOT` [mm]."""
    at = (space.x, space.y, space.z)
    if rotation is None:
        return at
    reach = [c - np.float32(o) for c, o in zip(at, _PIVOT, strict=True)]
    return [
        np.float32(o) + sum(np.float32(w) * r for w, r in zip(row, reach, strict=True))
        for o, row in zip(_PIVOT, rotation, strict=True)
    ]


def _ellipsoid(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, centre: Sequence[float], semi: Sequence[float]
) -> np.ndarray:
    """Signed distance to an ellipsoid to first order, below 0 inside [mm]."""
    reach = [c - o for c, o in zip((x, y, z), centre, strict=True)]
    level = np.sqrt(sum((r / s) ** 2 for r, s in zip(reach, semi, strict=True)))
    slope = np.sqrt(sum((r / s**2) ** 2 for r, s in zip(reach, semi, strict=True)))
    return level * (level - 1.0) / np.maximum(slope, 1e-3)


def _tube(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    start: Sequence[float],
    end: Sequence[float],
    radius: float,
) -> np.ndarray:
    """Signed distance to a rod with round ends, below 0 inside [mm]."""
    axis = [float(b - a) for a, b in zip(start, end, strict=True)]
    reach = [c - o for c, o in zip((x, y, z), start, strict=True)]
    along = sum(r * a for r, a in zip(reach, axis, strict=True)) / sum(a * a for a in axis)
    along = np.clip(along, 0.0, 1.0)
    return np.sqrt(sum((r - along * a) ** 2 for r, a in zip(reach, axis, strict=True))) - radius


def _cerebrum(p: Space) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances to the cerebrum and to its convexity without the cut at the base."""
    narrow = p.side * (1.0 + 0.0022 * np.maximum(p.y - 5.0, 0.0))
    main = _ellipsoid(narrow, p.y, p.z, _CENTRE, (69, 88, 64))
    roof = 12.0 * np.exp(-((p.x / 26.0) ** 2) - ((p.y + 52.0) / 22.0) ** 2)
    floor = -19.0 + roof + 0.02 * p.y + 10.0 * (p.x / 60.0) ** 2
    floor += 0.0022 * np.maximum(p.y, 0.0) ** 2
    above = np.maximum(main, floor - p.z)
    temporal = _ellipsoid(p.side, p.y, p.z + 0.22 * (p.y + 12), (45, -12, -23), (21, 40, 20))
    return np.minimum(above, temporal), main


def _brainstem(p: Space) -> np.ndarray:
    midbrain = _ellipsoid(p.x, p.y, p.z, (0, -27, -13), (16, 13, 14))
    pons = _ellipsoid(p.x, p.y, p.z, (0, -27, -33), (17, 14, 16))
    medulla = _tube(p.x, p.y, p.z, (0, -34, -45), (0, -45, -95), 8.5)
    return np.minimum(np.minimum(midbrain, pons), medulla)


def _head(p: Space, main: np.ndarray) -> np.ndarray:
    """Signed distance to the skin: the vault, and face and neck below it."""
    taper = np.clip(-p.z / 90.0, 0.0, 1.0)
    face = _ellipsoid(p.x, p.y - 6.0 * taper, np.zeros_like(p.z), (0, -8, 0), (72, 92, 1e6))
    face = np.maximum(face + 10.0 * taper, p.z - 8.0)
    return np.minimum(main - 14.5, face)


def _sylvian(y: np.ndarray) -> np.ndarray:
    """Height of the lateral fissure [mm]."""
    return -9.0 - 0.33 * (y - 18.0)


def _lobes(p: Space) -> np.ndarray:
    out = np.full(p.x.shape, _INDEX["ParietalCortex"], dtype=np.uint8)
    out[p.y > -8.0 - 0.4 * (p.z - 8.0)] = _INDEX["FrontalCortex"]
    below = (p.z < _sylvian(p.y)) & (p.z < 12.0) & (p.side > 12.0) & (p.y < 26.0)
    out[below] = _INDEX["TemporalCortex"]
    out[p.y < -68.0 - 0.25 * np.maximum(p.z, -20.0)] = _INDEX["OccipitalCortex"]
    return out


def _paint(out: np.ndarray, name: str, distance: np.ndarray) -> None:
    brain = (out >= _INDEX["CSF"]) & (out <= _INDEX["OccipitalCortex"])
    brain |= out == _INDEX["Brainstem"]
    out[brain & (distance < 0)] = _INDEX[name]


def _paint_vessels(out: np.ndarray, p: Space, cavity: np.ndarray, main: np.ndarray) -> None:
    shell = (cavity < 1.5) & (cavity > -4.5)
    sagittal = shell & (p.side < 3.2 + 0.35 * cavity) & ((p.z > 0) | (p.y < -60)) & (p.z > -20)
    transverse = (cavity < 1.5) & (main > -6.0) & (np.abs(p.z + 18.0) < 3.2) & (p.y < -45)
    straight = _tube(p.x, p.y, p.z, (0, -46, 0), (0, -96, -17), 2.6) < 0
    out[sagittal | transverse | straight] = _INDEX["VenousSinus"]
    neck = _tube(p.side, p.y, p.z, (27, -18, -95), (25, -12, -42), 3.4)
    siphon = np.minimum(
        _tube(p.side, p.y, p.z, (25, -12, -42), (13, 2, -30), 2.8),
        _tube(p.side, p.y, p.z, (13, 2, -30), (12, 2, -18), 2.6),
    )
    out[np.minimum(neck, siphon) < 0] = _INDEX["CarotidArtery"]
