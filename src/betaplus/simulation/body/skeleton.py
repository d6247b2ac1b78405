"""Spine, ribs and breastbone; bones are tubes and plates, a cortex with marrow in it."""

from __future__ import annotations

import numpy as np

from betaplus.simulation.body.build import Build
from betaplus.simulation.body.cavities import Cage
from betaplus.simulation.body.limbs import limbs, pelvic_girdle, shoulder_girdle
from betaplus.simulation.body.part import Part, tube
from betaplus.simulation.body.shapes import Block, Outline, moved

__all__ = ["DISCS", "SPINE", "skeleton"]

SPINE = np.array(
    [
        (72, -48),
        (107, -26),
        (141, -16),
        (176, -14),
        (211, -18),
        (248, -27),
        (280, -35),
        (327, -48),
        (374, -56),
        (420, -60),
        (465, -58),
        (510, -48),
        (532, -43),
        (553, -36),
        (590, -24),
        (626, -20),
        (672, -18),
    ],
    dtype=float,
)
"""Height and y of the middle of the vertebral bodies in the reference body [mm]."""

DISCS = np.array(
    [
        *(90.0, 124, 159, 194, 229, 267, 292, 316, 340, 363, 386, 409),
        *(431, 453, 475, 497, 519, 541, 559, 576, 594, 612, 630, 648),
    ]
)
"""Heights of the discs, from that above the sacrum to that below the axis [mm]."""

_BONE = (("CorticalBone", 0.0), ("RedMarrow", 1.8))


def skeleton(build: Build, cage: Cage) -> list[Part]:
    """Return the bones of trunk, shoulders, arms, pelvis and thighs."""
    return [
        *_ribs(build, cage),
        *shoulder_girdle(build),
        *pelvic_girdle(build),
        *limbs(build),
        *_spine(build),
    ]


def _spine(build: Build) -> list[Part]:
    b = build
    z = SPINE[:, 0]
    wide = np.interp(z, [60, 100, 250, 400, 530, 600, 670], [27, 25.5, 22, 16, 15, 12, 11])
    deep = np.interp(z, [60, 100, 250, 400, 530, 600, 670], [17, 17.5, 16, 14.5, 11, 9, 9])
    size = b.wide**0.6 * (0.92 if b.female else 1.0)
    points = b.path([(0, y, h) for h, y in SPINE])
    heights = points[:, 2]

    def centre(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from scipy.interpolate import PchipInterpolator

        height = np.clip(height, heights[0], heights[-1])
        shift = PchipInterpolator(heights, points[:, :2])(height)
        return shift[..., 0], shift[..., 1]

    column = Outline(heights, wide * size, deep * size, deep * size, centre, 1.3)
    discs = b.height_of(DISCS)
    gaps = np.interp(DISCS, [90, 250, 400, 600], [9.0, 7.0, 3.5, 4.0]) * b.long / 2

    def whole(block: Block) -> np.ndarray:
        height = block.z.astype(float)
        ends = np.maximum(heights[0] - height, height - heights[-1]).astype(np.float32)
        return np.maximum(column.distance(block), ends[:, None, None])

    def bodies(block: Block) -> np.ndarray:
        height = block.z.astype(float)
        apart = np.abs(height[:, None] - discs)
        gap = (gaps - apart).max(axis=1).astype(np.float32)[:, None, None]
        return np.maximum(whole(block), gap)

    low, high = points.min(axis=0) - 32, points.max(axis=0) + 32
    parts = [
        Part(low, high, whole, (("Muscle", 0.0),)),
        Part(low, high, bodies, (("CorticalBone", 0.0), ("RedMarrow", 1.4))),
    ]
    back = np.interp(z, [60, 100, 250, 400, 530, 600, 670], [26, 28, 25, 23, 20, 18, 17]) * size
    canal = points - np.stack([0 * back, back, 0 * back], axis=1)
    middles = 0.5 * (discs[1:] + discs[:-1])
    for height in middles:
        h = [float(np.interp(height, heights, points[:, i])) for i in (0, 1)]
        ref = float(np.interp(height, b.height_of(DISCS), DISCS))
        gap = float(np.interp(height, heights, back))
        spread = float(np.interp(ref, [80, 250, 500, 560, 650], [40, 38, 32, 26, 22])) * size
        length = float(np.interp(ref, [80, 250, 400, 560, 650], [34, 35, 34, 34, 16])) * size
        slope = float(np.interp(ref, [80, 250, 350, 450, 560], [2, 4, 14, 14, 6]))
        at = np.array([h[0], h[1] - gap - 8 * size, height])
        parts.append(tube([at, moved(at, 0, -length, -slope)], [6.0, 3.5], *_BONE))
        for s in (-1.0, 1.0):
            wing = np.array([h[0] + s * spread, h[1] - gap - 6, height + 2])
            parts.append(tube([moved(at, s * 9, 6, 0), wing], [6.5, 4.0], *_BONE))
    parts.append(tube(canal, 10.5, ("CorticalBone", 0.0), over=("Muscle", "Chest", "Abdomen")))
    parts.append(tube(canal, 7.8, ("CSF", 0.0)))
    cord = canal[z > 235]
    parts.append(
        tube(
            cord,
            np.interp(z[z > 235], [240, 560, 620], [4.2, 4.6, 6.0]),
            ("SpinalCord", 0.0),
        )
    )
    return parts


def _ribs(build: Build, cage: Cage) -> list[Part]:
    b, rng = build, build.rng(5)
    top = np.array([533, 512, 490, 468, 446, 424, 402, 380, 357, 334, 310, 284], dtype=float)
    drop = np.array([26, 36, 48, 58, 68, 78, 86, 92, 92, 86, 55, 30], dtype=float)
    end = np.array([0.86, 0.9, 0.92, 0.93, 0.93, 0.92, 0.88, 0.84, 0.8, 0.74, 0.48, 0.36])
    drop = drop * (1 + 0.08 * rng.standard_normal())
    radius = 5.6 * b.wide**0.5 * (0.92 if b.female else 1.0)
    parts = []
    for i in range(12):
        for s in (-1.0, 1.0):
            turn = np.linspace(0.0, end[i], 13) * np.pi
            h = b.height_of(top[i] + 4.0 - drop[i] * (1 - np.cos(turn)) / 2)
            side, front, back = cage.half_axes(h)
            cx, cy = cage.centre_line(h)
            sin, cos = np.sin(turn), np.cos(turn)
            u, v = sin**2, cos**2
            level = np.sqrt(np.sqrt((u + v) ** 2 - 0.5 * u * v))
            away = radius + 2.0
            x = cx + s * (side + away) * sin / level
            y = cy - (np.where(cos > 0, back, front) + away) * cos / level
            spine = float(np.interp(top[i], SPINE[:, 0], SPINE[:, 1]))
            start = b.at(s * 20, -15.0 + spine, top[i] + 6.0)
            x[0], y[0], h[0] = start
            x[1] = s * max(abs(x[1]), 42.0 * b.wide)
            parts.append(
                tube(
                    np.stack([x, y, h], axis=1),
                    radius,
                    ("CorticalBone", 0.0),
                    ("RedMarrow", 1.6),
                    step=14.0,
                )
            )
    heights = b.height_of(np.array([345.0, 380, 420, 460, 500]))
    cx, cy = cage.centre_line(heights)
    front = cy + cage.half_axes(heights)[1] + 7.0
    breast = np.stack([cx, front, heights], axis=1)
    for k in (-1, 0, 1):
        shift = breast + np.array([k * 11.0 * b.wide, -abs(k) * 1.5, 0])
        parts.append(tube(shift, [4, 6, 6, 6.5, 7.5], ("CorticalBone", 0.0), ("RedMarrow", 1.5)))
    return parts
