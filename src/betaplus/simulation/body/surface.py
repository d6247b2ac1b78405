"""Skin, fat under it, muscle, arms and thighs: the outside of the body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from betaplus.simulation.body.build import Build, lognormal
from betaplus.simulation.body.part import Part, rough
from betaplus.simulation.body.shapes import Block, Outline, Tube, ellipsoid, join

__all__ = ["LOW", "Envelope", "breast", "elbow_and_wrist", "shoulder", "surface", "vertex"]

LOW = -235.0  # mm in the reference body: where the thighs are cut

# Heights [mm] of the reference man, half-width, reach to the front and to the back of his trunk
# and neck without the fat under the skin (nominal, from breadths and depths of ICRP 89's man).
_LEAN = np.array(
    [
        (-60, 140, 60, 96),
        (-20, 158, 76, 104),
        (30, 158, 84, 106),
        (80, 150, 88, 98),
        (120, 143, 90, 92),
        (180, 138, 92, 92),
        (240, 143, 95, 97),
        (300, 151, 100, 103),
        (360, 155, 106, 108),
        (420, 157, 104, 110),
        (455, 150, 94, 109),
        (485, 132, 78, 104),
        (510, 104, 58, 95),
        (535, 76, 46, 82),
        (560, 60, 44, 66),
        (590, 54, 42, 58),
        (640, 54, 44, 62),
        (690, 54, 44, 66),
    ],
    dtype=float,
).T
# How thick the fat is in places, as a fraction of that on the belly: side, front, back.
_FAT = np.array(
    [
        (-60, 1.2, 0.7, 1.2),
        (-20, 1.3, 0.9, 1.3),
        (60, 1.25, 1.1, 1.0),
        (130, 1.15, 1.1, 0.85),
        (240, 0.9, 0.95, 0.75),
        (330, 0.65, 0.65, 0.6),
        (420, 0.6, 0.5, 0.6),
        (500, 0.5, 0.4, 0.7),
        (560, 0.35, 0.35, 0.5),
        (650, 0.3, 0.4, 0.4),
    ],
    dtype=float,
).T
_SKIN = 3.5  # mm: of fat and skin that nothing else takes the place of
_VAULT = np.array([75.5, 96.0, 89.0])  # mm: half-axes of the top of the head


@dataclass(frozen=True)
class _Limb:
    low: np.ndarray
    high: np.ndarray
    distance: Callable[[Block], np.ndarray]
    blend: float


class Envelope:
    """The skin (`fat` True) or the surface of the muscle under it (False)."""

    def __init__(self, build: Build, fat: bool) -> None:
        self.build = build
        self.fat = build.fat if fat else 0.0
        self.thin = 4.0 if fat else 0.0  # skin and fat where there is always little
        self.trunk = self._trunk()
        self.nape = np.float32(build.height_of(690.0))
        self.limbs = [*self._head(), *self._legs(), *self._arms()]
        if fat and build.female:
            self.limbs += [_round(*breast(build, s), 18.0) for s in (-1.0, 1.0)]

    def distance(self, block: Block) -> np.ndarray:
        """Signed distance, below 0 inside [mm]."""
        floor = np.float32(self.build.height_of(-72.0) - self.thin)
        z = block.axes()[2]
        out = np.maximum(self.trunk.distance(block), np.maximum(floor - z, z - self.nape))
        for limb in self.limbs:
            margin = limb.blend + 4.0
            window = block.window(limb.low - margin, limb.high + margin)
            part = block.cut(window)
            if not part.empty:
                out[window] = join(out[window], limb.distance(part), limb.blend)
        return out

    def _trunk(self) -> Outline:
        b = self.build
        z, side, front, back = _LEAN
        scale = b.scale(z)
        fat = [np.interp(z, _FAT[0], f) * self.fat for f in _FAT[1:]]
        muscle = np.interp(z, [300, 450, 520, 620], [1.0, b.muscle**0.3, b.muscle**0.4, 1.0])
        neck = np.interp(z, [520, 560], [1.0, 0.9 if b.female else 1.0])
        axes = [
            r * s * (muscle if i == 0 else 1.0) * neck + f + self.thin * 0.5
            for i, (r, s, f) in enumerate(zip((side, front, back), scale, fat, strict=True))
        ]
        return Outline(b.height_of(z), *axes, b.centre, square=1.35)

    def _head(self) -> list[_Limb]:
        b, skin = self.build, self.thin + 0.12 * self.fat
        vault = b.at(0, 6, 743)
        jaw = b.at(0, 34, 676)
        h = b.head
        return [
            _round(vault, _VAULT * h + skin, 10.0),
            _round(jaw, np.array([60.0, 62.0, 68.0]) * h + skin, 18.0),
            _round(b.at(0, 103, 688), np.array([12.0, 12.0, 16.0]) * h, 12.0),
        ]

    def _legs(self) -> list[_Limb]:
        b = self.build
        fat = self.fat * (1.0 if b.female else 0.8) + self.thin * 0.5
        m = b.muscle**0.6 * b.hips
        limbs = []
        for s in (-1.0, 1.0):
            path = b.path([(s * 90, -4, 15), (s * 91, 0, -60), (s * 92, 2, -240)])
            path = np.vstack([path, path[-1] + [0, 0, -160.0]])
            radius = np.array([82.0, 80.0, 68.0, 64.0]) * m + fat
            limbs.append(_pipe(path, radius, 14.0))
            seat = b.at(s * 62, -62, -35)
            limbs.append(_round(seat, np.array([66.0, 52.0, 70.0]) * m + 1.2 * fat, 25.0))
        if not b.female:
            limbs.append(_round(b.at(0, 52, -90), np.array([30.0, 29.0, 36.0]) + self.thin, 18.0))
        return limbs

    def _arms(self) -> list[_Limb]:
        b = self.build
        m = b.muscle**0.7
        fat = 0.3 * self.fat + self.thin * 0.5
        limbs = []
        for s in (-1.0, 1.0):
            joint = shoulder(b, s)
            elbow, wrist = elbow_and_wrist(b, s)
            roof = np.vstack([b.at(s * 38, -28, 548), b.at(s * 100, -30, 522), joint])
            limbs.append(_pipe(roof, np.array([34.0, 42.0, 50.0]) * m + fat, 30.0))
            lats = np.vstack([joint, b.at(s * 128, -20, 420)])
            limbs.append(_pipe(lats, np.array([42.0, 34.0]) * m + fat, 30.0))
            upper = np.vstack([joint, 0.5 * (joint + elbow), elbow])
            limbs.append(_pipe(upper, np.array([50.0, 45.0, 37.0]) * m + fat, 8.0))
            fore = np.vstack([elbow, elbow + 0.3 * (wrist - elbow), wrist])
            limbs.append(_pipe(fore, np.array([36.0, 38.0, 25.0]) * m + 0.7 * fat, 4.0))
            hand = wrist + (wrist - elbow) / np.linalg.norm(wrist - elbow) * 90.0
            limbs.append(_pipe(np.vstack([wrist, hand]), np.array([24.0, 27.0]) * m, 4.0))
        return limbs


def vertex(build: Build) -> float:
    """Return the height of the top of the head [mm]."""
    thick = 4.0 + 0.12 * build.fat
    return float(build.at(0, 6, 743)[2] + _VAULT[2] * build.head + thick)


def shoulder(build: Build, side: float) -> np.ndarray:
    """Return the centre of a shoulder joint [mm]."""
    if build.arms == "up":
        return build.at(side * 152, -18, 520)
    return build.at(side * 160, -18, 492)


def elbow_and_wrist(build: Build, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where elbow and wrist are [mm]; beside the trunk, or above the head."""
    joint, rng = shoulder(build, side), build.rng(40 + int(side))
    upper, lower = 0.172 * build.height, 0.148 * build.height
    away = rng.uniform(-1, 1, 4)
    if build.arms == "up":
        out = np.array([side * (0.42 + 0.12 * away[0]), 0.10 + 0.1 * away[1], 0.9])
        inward = np.array([-side * (0.55 + 0.2 * away[2]), 0.12 + 0.1 * away[3], 0.82])
    else:
        hip = 205.0 * build.hips + 1.3 * build.fat + 10.0 * (1 + away[0])
        waist = 190.0 * build.wide + 1.15 * build.fat + 45 * build.muscle
        across = max(waist, hip) - abs(joint[0])
        drop = np.sqrt(max(upper**2 - across**2, 0.5 * upper**2))
        out = np.array([side * across, -25.0 + 15 * away[1], -drop])
        inward = np.array([-side * 0.10, 0.22 + 0.08 * away[3], -0.97])
    elbow = joint + upper * out / np.linalg.norm(out)
    return elbow, elbow + lower * inward / np.linalg.norm(inward)


def breast(build: Build, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and half-axes of a breast of a woman who lies on her back [mm]."""
    rng = build.rng(32)
    size = lognormal(rng, 0.35) * np.sqrt(build.bmi / 24.0)
    semi = np.array([58.0, 34.0, 60.0]) * np.cbrt(size)
    front = build.at(0, 106, 382)[1] + 0.55 * build.fat
    centre = build.at(side * 74, 0, 382 - 4 * size)
    return np.array([centre[0] + side * 4 * size, front - 22.0, centre[2]]), semi


def surface(build: Build, low: np.ndarray, high: np.ndarray) -> list[Part]:
    """Return skin with fat, and muscle, in a box."""
    skin, lean = Envelope(build, True), Envelope(build, False)
    outer = rough(build, 1, low, high, 160.0, 2.0)
    inner = rough(build, 2, low, high, 90.0, 1.2 + 0.03 * build.fat)

    def fascia(block: Block) -> np.ndarray:
        return lean.distance(block) + np.maximum(inner(block), -2.0)

    return [
        Part(
            low,
            high,
            lambda b: skin.distance(b) + outer(b),
            (("Skin", 0.0), ("Fat", _SKIN)),
            over=("Air",),
        ),
        Part(low, high, fascia, (("Muscle", 0.0),), over=("Fat",)),
    ]


def _round(centre: np.ndarray, semi: np.ndarray, blend: float) -> _Limb:
    return _Limb(centre - semi, centre + semi, lambda b: ellipsoid(b, centre, semi), blend)


def _pipe(path: np.ndarray, radius: np.ndarray, blend: float) -> _Limb:
    shape = Tube(path, radius, 40.0 if len(path) > 2 else None)
    low, high = shape.box()
    reach = blend + 6.0
    return _Limb(low, high, lambda b: shape(b, reach), blend)
