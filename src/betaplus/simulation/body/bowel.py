"""Stomach, colon, small bowel, and the gas in them."""

from __future__ import annotations

import numpy as np

from betaplus.simulation.body.build import Build, jitter, lognormal
from betaplus.simulation.body.cavities import Diaphragm
from betaplus.simulation.body.part import Part, egg, tube
from betaplus.simulation.body.shapes import Tube

__all__ = ["colon", "small_bowel", "stomach"]

_FREE = ("Abdomen",)


def stomach(b: Build, diaphragm: Diaphragm) -> list[Part]:
    """Return the stomach with what is in it; ICRP 89: 150 and 140 g of wall, 250 g within."""
    rng = b.rng(26)
    ml = (134.0 if b.female else 144.0) + 150.0 * lognormal(rng, 0.7, 2.0)
    lift = 0.7 * (diaphragm.left - float(b.height_of(354.0)))
    sag = 14.0 * np.clip(rng.standard_normal(), -1.5, 2.0)
    path = [
        (-52, -22, 330),
        (-62, 4, 312),
        (-58, 36, 274),
        (-30, 52, 244 - sag),
        (2, 50, 238 - 0.6 * sag),
        (26, 40, 242),
    ]
    points = b.path(path)
    points[:3, 2] += lift
    points += jitter(rng, 5.0, 4.0, 7.0)
    f = (ml / 300.0) ** 0.4
    size = np.array([27.0, 32.0, 25.0, 20.0, 15.0, 9.0]) * f
    parts = [tube(points, size, ("Stomach", 0.0), over=_FREE, volume=ml)]
    if rng.random() < 0.6:
        at = points[1] + [0, 0.55 * size[1], 2.0]
        semi = np.array([17.0, 11.0, 21.0]) * f * lognormal(rng, 0.3, 1.5)
        parts.append(egg(at, semi, ("BowelGas", 0.0), over=("Stomach",)))
    return parts


def colon(b: Build) -> list[Part]:
    """Return the colon as a frame round the small bowel, down to the anus, and gas in it.

    ICRP 89: 370 and 360 g of wall, 300 and 320 g within (right, left and rectosigmoid).
    """
    rng = b.rng(27)
    ml = 720.0 * lognormal(rng, 0.35)
    wander = 8.0 * np.clip(rng.standard_normal((17, 3)), -1.7, 1.7)
    sag = 45.0 * rng.random()
    path = np.array(
        [
            (76, 30, 82),
            (88, 22, 105),
            (94, 8, 150),
            (96, -4, 195),
            (86, 18, 226),
            (58, 62, 208 - 0.5 * sag),
            (20, 72, 200 - sag),
            (-28, 72, 205 - sag),
            (-66, 52, 236 - 0.3 * sag),
            (-98, -6, 272),
            (-104, -28, 225),
            (-104, -22, 165),
            (-96, 4, 110),
            (-62, 34, 66),
            (-18, 10, 80),
            (14, -28, 62),
            (0, -54, 30),
        ],
        dtype=float,
    )
    wander[:2] *= 0.5
    wander[-1] *= 0.2
    full = np.vstack([path + wander, [(0, -48, -10), (0, -52, -62)]])
    size = np.array([26, 26, 23, 22, 21, 20, 19, 19, 18, 18, 17, 16, 16, 15, 15, 15, 17, 14, 8])
    size = 1.1 * size * (ml / 600.0) ** 0.4
    line = Tube(b.path(full), size, 6.0)
    n = len(line.points)
    haustra = 1 + 0.10 * np.sin(np.arange(n) * 1.35 + 2 * np.pi * rng.random())
    over = ("Abdomen", "Muscle")
    parts = [
        tube(
            line.points,
            line.radius * haustra,
            ("Colon", 0.0),
            over=_FREE,
            volume=ml,
            step=None,
        )
    ]
    keep = line.points[:, 2] < b.height_of(0.0)
    parts.append(tube(line.points[keep], line.radius[keep], ("Colon", 0.0), over=over, step=None))
    pockets = rng.poisson(5)
    for start in rng.integers(0, int(0.8 * n), size=pockets):
        length = int(rng.integers(3, 12))
        run = slice(int(start), min(int(start) + length, n))
        if run.stop - run.start < 2:
            continue
        radius = line.radius[run] * rng.uniform(0.45, 0.8)
        parts.append(
            tube(
                line.points[run] + [0, 3.0, 0],
                radius,
                ("BowelGas", 0.0),
                over=("Colon",),
                step=None,
            )
        )
    return parts


def small_bowel(b: Build) -> list[Part]:
    """Return duodenum and a coil that fills what the other organs leave.

    ICRP 89: 650 and 600 g of wall, 350 and 280 g within.
    """
    rng = b.rng(28)
    ml = (880.0 if b.female else 1000.0) * lognormal(rng, 0.2)
    duodenum = [
        (26, 40, 242),
        (48, 28, 232),
        (54, 10, 205),
        (40, 4, 178),
        (0, 12, 172),
        (-28, 14, 200),
    ]
    loops = b.path(_coil(rng)) + jitter(rng, 7.0, 3.0, 7.0)
    size = 10.0 * (1 + 0.18 * np.clip(rng.standard_normal(len(loops)), -2, 2))
    return [
        tube(b.path(duodenum), 11.5, ("SmallBowel", 0.0), over=_FREE),
        tube(
            loops,
            size,
            ("SmallBowel", 0.0),
            over=_FREE,
            volume=ml,
            step=11.0,
            limit=4.0,
        ),
    ]


def _coil(rng: np.random.Generator) -> np.ndarray:
    """Points of a coil through an egg-shaped space behind the belly's wall, shape (N, 3) [mm]."""
    points: list[np.ndarray] = []
    heights = np.linspace(202, 26, 9) + 5.0 * np.clip(rng.standard_normal(9), -1.5, 1.5)
    shift = rng.uniform(0, 2 * np.pi, 3)
    for i, z in enumerate(heights):
        open_ = np.sqrt(max(1 - ((z - 118) / 112) ** 2, 0.12))
        depths = np.array([16.0, 40.0, 64.0]) if open_ > 0.7 else np.array([24.0, 56.0])
        for j, y in enumerate(depths if i % 2 else depths[::-1]):
            half = 88.0 * open_ * rng.uniform(0.75, 1.1)
            across = np.linspace(-half, half, 9) * (1 if (i + j) % 2 else -1)
            phase = rng.uniform(0, 2 * np.pi, 2)
            wave = 8.0 * np.sin(across / 17.0 + phase[0])
            rise = 10.0 * np.cos(across / 22.0 + phase[1]) + 9.0 * np.sin(across / 40 + shift[0])
            shake = 4.0 * np.clip(rng.standard_normal((9, 3)), -2, 2)
            points.append(np.stack([across, y + wave, z + rise], axis=1) + shake)
    return np.vstack(points)
