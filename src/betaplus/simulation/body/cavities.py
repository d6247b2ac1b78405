"""The cavities of the trunk, the diaphragm between them, and the lungs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from betaplus.simulation.body.build import Build, lognormal
from betaplus.simulation.body.part import Part, rough
from betaplus.simulation.body.shapes import Block, Outline

__all__ = ["Cage", "Diaphragm", "cavities"]

# Inside of the ribs: height, half-width, front, back [mm]; nominal.
_CAGE = np.array(
    [
        (180, 128, 84, 78),
        (240, 131, 86, 84),
        (300, 136, 88, 88),
        (350, 137, 88, 90),
        (400, 134, 85, 91),
        (440, 126, 77, 90),
        (475, 112, 62, 86),
        (505, 92, 42, 78),
        (530, 70, 18, 68),
        (556, 44, -8, 56),
    ],
    dtype=float,
).T
# Inside of the wall of belly and pelvis.
_BELLY = np.array(
    [
        (-48, 40, 30, 45),
        (-15, 56, 50, 58),
        (20, 66, 66, 72),
        (60, 88, 74, 78),
        (100, 112, 77, 66),
        (140, 120, 78, 60),
        (190, 122, 80, 66),
        (240, 127, 83, 78),
        (300, 134, 86, 86),
        (360, 137, 88, 90),
        (420, 130, 84, 88),
    ],
    dtype=float,
).T
_MIN = 6.0


class Cage(Outline):
    """The inside of the ribs; the apices of the lungs reach its top."""

    def __init__(self, build: Build) -> None:
        z, side, front, back = _CAGE
        s, f, b = (0.973 * c for c in build.scale(z))
        middle = 0.5 * (front - back) * (z > 480)
        front, back = front - middle, back + middle

        def centre(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            cx, cy = build.centre(height)
            return cx, cy + np.interp(height, build.height_of(z), middle * b)

        super().__init__(
            build.height_of(z),
            side * s,
            np.maximum(front * f, _MIN),
            back * b,
            centre,
            1.5,
        )
        self.top = float(build.height_of(557.0))


class Diaphragm:
    """Height of the diaphragm [mm] on a block: two domes that hang from the ribs."""

    def __init__(self, build: Build, cage: Cage) -> None:
        rng = build.rng(3)
        self.cage = cage
        breath = 12.0 * np.clip(rng.standard_normal(), -2, 2)
        fat_lift = 0.5 * build.visceral
        self.right = float(build.height_of(380.0)) + breath + min(fat_lift, 18.0)
        self.left = self.right - 12.0 - 5.0 * np.clip(rng.standard_normal(), -2, 2)
        self.drop = 84.0 * build.long * lognormal(rng, 0.08)
        self.middle = build.at(0, 8, 380)
        self.half = float(72.0 * build.wide)

    def height(self, block: Block, level: np.ndarray) -> np.ndarray:
        """Return its height, given the cage's level on the block, shape (Z, Y, X) [mm]."""
        x, y, _ = block.axes()
        across = (x - np.float32(self.middle[0])) / np.float32(self.half)
        blend = np.float32(0.5) + np.float32(0.5) * np.tanh(2 * across)
        top = np.float32(self.left) + np.float32(self.right - self.left) * blend
        saddle = np.exp(-np.square(across / np.float32(0.45)))
        front = np.clip((y - np.float32(self.middle[1])) / 80, -1, 1)
        drop = np.float32(self.drop) * (1 - np.float32(0.38) * np.maximum(front, 0))
        square = np.square(np.minimum(level, 1.05))
        return top - 14 * saddle - drop * square * square


def cavities(build: Build, cage: Cage, diaphragm: Diaphragm) -> list[Part]:
    """Return the abdominal cavity, the chest's, and the lungs in it."""
    z, side, front, back = _BELLY
    s, f, b = build.scale(z)
    belly = Outline(build.height_of(z), side * s, front * f, back * b, build.centre, 1.5)
    low = build.at(-150, -100, -60) - 60.0
    high = build.at(150, 100, 430) + 60.0
    low[2], high[2] = build.height_of(-56.0), diaphragm.right + 20.0
    base, top = np.float32(build.height_of(-52.0)), cage.top
    root = build.at(0, 0, 516)  # above it, only the apices of the lungs
    bend = rough(build, 3, low, high + 200.0, 80.0, 3.0)

    def abdomen(block: Block) -> np.ndarray:
        level, radius = belly.level(block)
        wall = radius - radius / np.maximum(level, 1e-3)
        roof = diaphragm.height(block, cage.level(block)[0]) + bend(block)
        zz = block.axes()[2]
        return np.maximum(np.maximum(wall, zz - roof), base - zz)

    def chest(block: Block) -> np.ndarray:
        level, radius = cage.level(block)
        wall = radius - radius / np.maximum(level, 1e-3)
        floor = diaphragm.height(block, level) + bend(block) + np.float32(2.5)
        zz = block.axes()[2]
        dome = wall + np.square(np.maximum(zz - np.float32(top - 25.0), 0)) / np.float32(25.0)
        x = np.abs(block.axes()[0] - np.float32(root[0]))
        inlet = zz - np.float32(root[2]) - np.float32(1.6) * np.maximum(x - 16, 0)
        return np.maximum(np.maximum(dome, inlet), floor - zz)

    return [
        Part(low, high, abdomen, (("Abdomen", 0.0),), over=("Muscle", "Fat")),
        Part(
            np.array([low[0], low[1], build.height_of(200.0)]),
            np.array([high[0], high[1], top]),
            chest,
            (("Chest", 0.0),),
            over=("Muscle", "Fat"),
        ),
        _lungs(build, chest, low, high, top),
    ]


def _lungs(
    build: Build,
    chest: Callable[[Block], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
    top: float,
) -> Part:
    """Lungs: the chest without what lies between them, which bulges where the heart is."""
    heights = build.height_of(np.array([250.0, 330.0, 360.0, 400.0, 440.0, 470.0, 500.0, 560.0]))
    right = np.array([30.0, 32, 34, 32, 26, 24, 24, 20]) * build.wide
    left = np.array([34.0, 42, 42, 38, 34, 28, 25, 20]) * build.wide
    spine = build.at(0, -62, 400)[1]

    def lungs(block: Block) -> np.ndarray:
        d = chest(block)
        z = block.z.astype(float)
        cx = build.centre(z)[0]
        x, y, _ = block.axes()
        x = x - cx.astype(np.float32)[:, None, None]
        r = np.interp(z, heights, right).astype(np.float32)[:, None, None]
        q = np.interp(z, heights, left).astype(np.float32)[:, None, None]
        back = np.clip((y - np.float32(spine)) / 60, 0, 1)  # narrow behind, at the spine
        wide = np.float32(0.5) + np.float32(0.5) * back
        front = np.clip((y - np.float32(spine + 105)) / 40, 0, 1)
        wide = wide * (1 - np.float32(0.7) * front)
        between = np.minimum(r * wide - x, q * wide + x)
        return np.maximum(d + 1, between)

    low = np.array([low[0], low[1], float(build.height_of(200.0))])
    high = np.array([high[0], high[1], top])
    return Part(low, high, lungs, (("Lungs", 0.0),), over=("Chest",))
