"""Skull, brain, glands, airways of the head and neck, thyroid."""

from __future__ import annotations

import numpy as np

from betaplus.simulation.body.build import Build, lognormal
from betaplus.simulation.body.part import Part, blob, egg, tube
from betaplus.simulation.body.shapes import (
    Block,
    ellipsoid,
    join,
    moved,
    rotation,
    sample,
)
from betaplus.simulation.fields import SpaceField

__all__ = ["airways", "head", "neck_glands"]

_BRAIN = 0.972  # size of a median man's brain against the template in whose axes it is drawn
_REACH = 125.0  # mm


class _Brain:
    """Cerebrum, cerebellum and stem, in axes close to MNI's."""

    def __init__(self, build: Build) -> None:
        self.scale = float(_BRAIN * build.head)
        self.origin = build.at(0, 8, 743) + self.scale * np.array([0.0, 14.0, -1.0])
        low, high = (-90.0, -120.0, -75.0), (90.0, 90.0, 90.0)
        rng = build.rng(6)
        self.fold = SpaceField(low, high, 10.5, rng)
        self.depth = SpaceField(low, high, 35.0, rng)
        self.ventricle = lognormal(rng, 0.15)

    def local(self, block: Block) -> Block:
        return Block(
            *(
                (c - np.float32(o)) / np.float32(self.scale)
                for c, o in zip((block.x, block.y, block.z), self.origin, strict=True)
            )
        )

    def cerebrum(self, p: Block) -> np.ndarray:
        x, y, z = p.axes()
        side = np.abs(x)
        main = ellipsoid(p, (0, -16, 12), (69, 88, 64))
        floor = -18 + np.float32(0.02) * y + 10 * np.square(x / 60)
        floor = floor + 18 * np.exp(-np.square(x / 30)) * np.exp(-np.square((y + 55) / 25))
        above = np.maximum(main, floor - z)
        folded = Block(p.x, p.y, p.z)
        temporal = join(
            ellipsoid(folded, (45, -12, -21), (21, 41, 20)),
            ellipsoid(folded, (-45, -12, -21), (21, 41, 20)),
            0.0,
        )
        return np.where(side < 90, np.minimum(above, temporal), above)

    def cerebellum(self, p: Block) -> np.ndarray:
        hemispheres = join(
            ellipsoid(p, (22, -63, -37), (31, 29, 19)),
            ellipsoid(p, (-22, -63, -37), (31, 29, 19)),
            6.0,
        )
        return hemispheres

    def stem(self, p: Block) -> np.ndarray:
        return join(
            ellipsoid(p, (0, -27, -24), (16, 14, 26)),
            ellipsoid(p, (0, -36, -58), (8.5, 8.5, 30)),
            8.0,
        )

    def cavity(self, p: Block) -> np.ndarray:
        stem = np.maximum(self.stem(p), -62 - p.axes()[2])
        return join(join(self.cerebrum(p), self.cerebellum(p), 12.0), stem, 12.0) - 2


def head(build: Build) -> list[Part]:
    """Return skull, jaw, sinuses, brain and the glands of the head."""
    b = build
    brain = _Brain(b)
    k = brain.scale
    centre = brain.origin + k * np.array([0, -16, 0])
    thick = 6.5 * lognormal(b.rng(7), 0.1)

    def cavity(block: Block) -> np.ndarray:
        return np.float32(k) * brain.cavity(brain.local(block))

    return [
        *_face(b),
        blob(
            centre,
            _REACH,
            lambda c: cavity(c) - np.float32(thick),
            ("CorticalBone", 0.0),
        ),
        blob(
            centre,
            _REACH,
            lambda c: cavity(c) - np.float32(0.25 * thick),
            ("CSF", 0.25 * thick),
        ),
        *_tissue(brain, centre),
        *_glands(b),
    ]


def _tissue(brain: _Brain, centre: np.ndarray) -> list[Part]:
    k = np.float32(brain.scale)

    def cortex(block: Block) -> np.ndarray:
        p = brain.local(block)
        d = brain.cerebrum(p)
        x = p.axes()[0]
        sheet = np.abs(sample(brain.fold, p))
        deep = -15 - 4 * sample(brain.depth, p)
        groove = np.where((d > deep), np.float32(0.11) - sheet, np.float32(-1)) / np.float32(0.2)
        gap = np.where(d > -25, np.float32(0.8) - np.abs(x), np.float32(-1))
        return k * np.maximum(np.maximum(d, groove), gap)

    def white(block: Block) -> np.ndarray:
        p = brain.local(block)
        d = brain.cerebrum(p) + np.float32(3.2)
        x = p.axes()[0]
        sheet = np.abs(sample(brain.fold, p))
        deep = -18 - 4 * sample(brain.depth, p)
        groove = np.where(d > deep, np.float32(0.68) - sheet, np.float32(-9)) / np.float32(0.2)
        middle = ellipsoid(p, (0, -10, 6), (30, 44, 24))
        gap = np.where(middle > 0, 4 - np.abs(x), np.float32(-9))
        return k * np.maximum(np.maximum(d, groove), gap)

    def small(block: Block) -> np.ndarray:
        p = brain.local(block)
        d = brain.cerebellum(p)
        return k * d

    def stem(block: Block) -> np.ndarray:
        return k * brain.stem(brain.local(block))

    over = ("CSF", "GreyMatter", "WhiteMatter")
    v = brain.ventricle
    parts = [
        blob(centre, _REACH, cortex, ("GreyMatter", 0.0), over=over),
        blob(centre, _REACH, white, ("WhiteMatter", 0.0), over=over),
        blob(centre, _REACH, small, ("GreyMatter", 0.0), ("WhiteMatter", 10.0), over=over),
        blob(centre, _REACH, stem, ("WhiteMatter", 0.0), over=over),
    ]
    for s in (-1.0, 1.0):
        for name, c, semi in (
            ("GreyMatter", (27 * s, 2, 2), (7, 18, 12)),
            ("GreyMatter", (14 * s, 13, 11), (6.5, 13, 10)),
            ("GreyMatter", (12 * s, -18, 8), (10, 15, 10)),
            ("CSF", (7 * s, 24, 10), (3.6 * v, 14 * v, 7 * v)),
            ("CSF", (10 * s, -6, 21), (5.5 * v, 28 * v, 5 * v)),
            ("CSF", (23 * s, -42, 12), (6 * v, 14 * v, 8 * v)),
        ):
            at = brain.origin + brain.scale * np.array(c)
            size = brain.scale * np.array(semi)
            parts.append(egg(at, size, (name, 0.0), over=over))
    return parts


def _face(b: Build) -> list[Part]:
    h = b.head
    bone = (("CorticalBone", 0.0), ("RedMarrow", 2.5))
    parts = [
        egg(b.at(0, 62, 676), np.array([36, 28, 30]) * h, *bone),
        tube(
            b.path(
                [(s * 44, 82, 703) for s in (-1,)]
                + [(0, 92, 722)]
                + [(s * 44, 82, 703) for s in (1,)]
            ),
            9 * h,
            *bone,
        ),
    ]
    for s in (-1.0, 1.0):
        jaw = [(s * 52, 14, 690), (s * 50, 16, 645), (s * 36, 58, 624), (0, 84, 618)]
        parts.append(tube(b.path(jaw), np.array([6, 8, 8, 8]) * h, *bone))
        cheek = [(s * 42, 78, 688), (s * 63, 50, 696), (s * 68, 18, 700)]
        parts.append(tube(b.path(cheek), np.array([8, 5, 4]) * h, ("CorticalBone", 0.0)))
        parts.append(egg(b.at(s * 32, 76, 712), np.array([19, 22, 17]) * h, ("Fat", 0.0)))
        parts.append(egg(b.at(s * 32, 84, 712), np.array([11.8] * 3) * h, ("CSF", 0.0)))
        parts.append(tube(b.path([(s * 28, 74, 712), (s * 20, 42, 710)]), 4.0, ("Muscle", 0.0)))
        parts.append(egg(b.at(s * 27, 68, 680), np.array([12, 15, 15]) * h, ("Airways", 0.0)))
        parts.append(egg(b.at(s * 6, 66, 684), np.array([4.5, 28, 18]) * h, ("Airways", 0.0)))
        parts.append(egg(b.at(s * 12, 92, 726), np.array([9, 4, 9]) * h, ("Airways", 0.0)))
    parts.append(egg(b.at(0, 34, 698), np.array([12, 10, 8]) * h, ("Airways", 0.0)))
    parts.append(egg(b.at(0, 52, 645), np.array([30, 30, 19]) * h, ("Muscle", 0.0)))
    return parts


def _glands(b: Build) -> list[Part]:
    rng = b.rng(8)
    size = lognormal(rng, 0.25)
    ml = (67.0 if b.female else 81.0) * size  # ICRP 89: 70 and 85 g with all small glands
    parts = []
    for s in (-1.0, 1.0):
        lower = moved(b.at(s * 54, 2, 664), 0, 0, 2 * rng.standard_normal())
        for at, semi, share in (
            (lower, (11, 20, 26), 0.30),
            (b.at(s * 31, 42, 622), (11, 17, 13), 0.14),
            (b.at(s * 11, 64, 626), (6, 14, 8), 0.05),
        ):
            own = ml * share * lognormal(rng, 0.08)
            half = np.array(semi) * (size ** (1 / 3)) * b.head
            layer = ("SalivaryGlands", 0.0)
            parts.append(egg(at, half, layer, over=("Fat", "Muscle"), volume=own, limit=5.0))
        tear = np.array([4.5, 7, 8]) * lognormal(rng, 0.15) ** (1 / 3)
        parts.append(egg(b.at(s * 43, 79, 722), tear, ("LacrimalGlands", 0.0)))
    return parts


def neck_glands(b: Build) -> list[Part]:
    """Return the thyroid: two lobes and the isthmus before the windpipe."""
    rng = b.rng(9)
    ml = (16.2 if b.female else 19.0) * lognormal(rng, 0.35)  # ICRP 89: 17 and 20 g
    f = (ml / 18.0) ** (1 / 3)
    right, left = b.at(17, 17, 553), b.at(-17, 17, 553)
    bridge = 0.5 * (right + left) + [0, 9.0, -4]
    tilt = [rotation((-0.2 * s, -0.2, 1.0)) for s in (1, -1)]
    semi = np.array([8.5, 9.5, 23.0]) * f

    def thyroid(block: Block) -> np.ndarray:
        lobes = np.minimum(
            ellipsoid(block, right, semi, tilt[0]),
            ellipsoid(block, left, semi, tilt[1]),
        )
        return np.minimum(lobes, ellipsoid(block, bridge, (14, 3.5 * f, 7 * f)))

    return [
        blob(
            bridge,
            (34, 30, 38),
            thyroid,
            ("Thyroid", 0.0),
            over=("Fat", "Muscle", "Chest"),
            volume=ml,
            limit=4.0,
        )
    ]


def airways(b: Build) -> list[Part]:
    """Return throat, windpipe and bronchi; oesophagus behind them."""
    over = ("Fat", "Muscle", "Chest", "Pericardium")
    soft = (("Airways", 0.0),)
    r = 8.3 * b.wide * (0.88 if b.female else 1.0)
    throat = [(0, 28, 690), (0, 22, 660), (0, 24, 620), (0, 27, 590)]
    pipe = [(0, 27, 590), (0, 22, 553), (0, 6, 500), (2, -12, 458)]
    gullet = [
        (-2, 8, 560),
        (-3, -14, 500),
        (-4, -32, 455),
        (-12, -34, 385),
        (-22, -8, 338),
    ]
    return [
        tube(
            b.path(gullet),
            [7, 7, 7, 8, 9],
            ("Muscle", 0.0),
            over=("Chest", "Pericardium"),
        ),
        tube(b.path(throat), [6, 8, 7, 6], *soft, over=over),
        tube(b.path(pipe), r + 1.8, ("Muscle", 0.0), over=("Chest",)),
        tube(b.path(pipe), r, *soft, over=over),
        tube(
            b.path([(2, -12, 458), (24, -16, 444), (46, -22, 430)]),
            [0.8 * r, 0.75 * r, 4.5],
            *soft,
            over=over,
        ),
        tube(
            b.path([(2, -12, 458), (-26, -18, 442), (-52, -24, 426)]),
            [0.75 * r, 0.7 * r, 4.5],
            *soft,
            over=over,
        ),
    ]
