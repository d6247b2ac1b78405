"""Solid organs of the abdomen: liver, gallbladder, spleen, kidneys, adrenals, pancreas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from betaplus.simulation.body.build import Build, jitter, lognormal
from betaplus.simulation.body.cavities import Diaphragm
from betaplus.simulation.body.part import Part, blob, egg, rough, tube
from betaplus.simulation.body.shapes import Block, ellipsoid, join, moved, rotation

__all__ = ["kidneys", "liver", "muscles", "pancreas", "spleen"]

_FREE = ("Abdomen",)


def muscles(b: Build) -> list[Part]:
    """Return the psoas muscles and the crura of the diaphragm."""
    parts = []
    for s in (-1.0, 1.0):
        path = [
            (s * 28, -30, 262),
            (s * 41, -25, 190),
            (s * 51, -12, 120),
            (s * 68, 16, 45),
        ]
        path += [(s * 84, 18, 0), (s * 100, -14, -40)]
        size = np.array([8, 18, 23, 21, 17, 10]) * b.muscle**0.6
        parts.append(tube(b.path(path), size, ("Muscle", 0.0), over=("Abdomen", "Fat")))
        crus = [(s * 14, -20, 320), (s * 14, -14, 270), (s * 16, -8, 225)]
        parts.append(tube(b.path(crus), [7, 7, 4], ("Muscle", 0.0), over=_FREE))
    return parts


def liver(b: Build, diaphragm: Diaphragm) -> list[Part]:
    """Return the liver, hung under the right dome, and the gallbladder in its bed.

    ICRP 89: 1800 and 1400 g; CT volumetry gives a CV of 20 to 25 %, most of it body size.
    """
    rng = b.rng(20)
    ml = (1360.0 if b.female else 1740.0) * _size(b, 0.7) * lognormal(rng, 0.17)
    grow = (ml / 1700.0) ** (1 / 3)
    drop = diaphragm.right - float(b.height_of(366.0))
    top = diaphragm.right
    lobe = b.at(62, -8, 300)
    lobe[2] = top - 92.0 * grow
    left = moved(b.at(-18, 40, 335), 0, 0, drop)
    long_left = lognormal(rng, 0.2)
    centre = moved(lobe, -20, 8, 0)
    reach = np.array([170.0, 130.0, 160.0])
    bend = rough(b, 20, centre - reach, centre + reach, 65.0, 6.0)
    tilt = rotation((0.35, 0.1, 1.0))
    big = np.array([86.0 * b.wide, 94.0 * b.deep, 112.0 * grow])
    small = np.array([76.0 * b.wide * long_left, 46.0, 42.0]) * grow**0.5
    steep = 0.90 + 0.12 * np.clip(rng.standard_normal(), -2, 2)
    edge = b.at(34, 12, 300)
    edge[2] = top - 136.0 * grow
    face = np.array([-steep, -0.35, -1.0])  # the way its under surface looks
    curve = 160.0  # mm: radius of that hollow
    hollow = edge + curve * face / np.linalg.norm(face)

    def shape(block: Block) -> np.ndarray:
        x, y, z = block.axes()
        whole = join(
            ellipsoid(block, lobe, big, tilt),
            ellipsoid(block, left, small, rotation((0.3, 0.0, 1.0))),
            30.0,
        )
        away = sum(np.square(c - np.float32(o)) for c, o in zip((x, y, z), hollow, strict=True))
        return np.maximum(2 * whole, np.float32(curve) - np.sqrt(away)) + bend(block)

    bladder = lobe + np.array([4.0 * b.wide, 50.0 * b.deep + 0.3 * b.visceral, -44.0 * grow])
    bladder += jitter(rng, 5.0, 3.0, 8.0)
    bile = (48.0 if b.female else 58.0) * 0.75 * lognormal(rng, 0.45)
    pear = np.array([13.0, 13.5, 30.0]) * (bile / 25.0) ** (1 / 3)
    lean = rotation((-0.25, -0.45, 1.0))
    return [
        blob(centre, reach, shape, ("Liver", 0.0), over=_FREE, volume=ml, limit=25.0),
        egg(
            bladder,
            pear,
            ("Gallbladder", 0.0),
            turn=lean,
            over=("Abdomen", "Liver"),
            volume=bile,
            limit=8.0,
        ),
    ]


def spleen(b: Build, diaphragm: Diaphragm) -> list[Part]:
    """Return the spleen; ICRP 89: 150 and 130 g, CV in CT volumetry 35 to 40 %."""
    rng = b.rng(21)
    ml = (122.0 if b.female else 141.0) * _size(b, 0.6) * lognormal(rng, 0.34) * 1.10
    f = (ml / 150.0) ** (1 / 3)
    centre = b.at(-108, -50, 302)
    centre[2] += 0.6 * (diaphragm.left - float(b.height_of(354.0))) - 20.0 * (f - 1)
    centre += jitter(rng, 5.0, 5.0, 8.0)
    turn = rotation((-0.10, -0.50, 0.85), (1.0, 0.45, 0.0))
    semi = np.array([19.0, 35.0, 56.0]) * f
    bend = rough(b, 21, centre - 100, centre + 100, 45.0, 2.5)
    hollow = centre + np.array([48.0, 22.0, 0.0]) * f

    def shape(block: Block) -> np.ndarray:
        d = ellipsoid(block, centre, semi, turn)
        dent = np.float32(36.0 * f) - np.sqrt(
            sum(np.square(c - np.float32(o)) for c, o in zip(block.axes(), hollow, strict=True))
        )
        return np.maximum(d, dent) + bend(block)

    return [
        blob(
            centre,
            semi[2] + 20,
            shape,
            ("Spleen", 0.0),
            over=_FREE,
            volume=ml,
            limit=15.0,
        )
    ]


def kidneys(b: Build) -> list[Part]:
    """Return kidneys with their pelves, and the adrenals; ICRP 89: 310 and 275 g, 14 and 13 g."""
    rng = b.rng(22)
    both = (262.0 if b.female else 296.0) * _size(b, 0.45) * lognormal(rng, 0.13)
    sink = 8.0 * np.clip(rng.standard_normal(2), -2, 2)
    sinus = lognormal(rng, 0.35, 2.0)
    parts: list[Part] = []
    for i, s in enumerate((1.0, -1.0)):
        share = both / 2 * lognormal(rng, 0.07)
        ml = share * (1 + 0.12 * sinus)
        f = (ml / 160.0) ** (1 / 3)
        away = 69.0 + 0.10 * b.visceral + 3.0 * rng.standard_normal()
        centre = b.at(
            s * away, -29 + 4.0 * np.clip(rng.standard_normal(), -2, 2), 222.0 if s > 0 else 236.0
        )
        centre[2] += sink[i]
        turn = rotation((-0.28 * s, -0.22, 1.0), (1.0, 0.6 * s, 0.0))
        semi = np.array([28.5, 24.0, 54.0]) * f
        out = turn[0] * s  # from the hilum outwards
        cleft = centre - out * 22.0 * f
        hollow = np.array([15.0, 8.5, 21.0]) * f * sinus ** (1 / 3)
        lobes = rough(b, 22 + i, centre - 90, centre + 90, 26.0, 1.2)

        def shape(
            k: Block,
            c: np.ndarray = centre,
            e: np.ndarray = semi,
            t: np.ndarray = turn,
            n: Callable[[Block], np.ndarray] = lobes,
        ) -> np.ndarray:
            return ellipsoid(k, c, e, t) + n(k)

        over = ("Abdomen", "Muscle")
        parts.append(
            blob(
                centre,
                semi[2] + 14,
                shape,
                ("KidneyCortex", 0.0),
                over=over,
                volume=ml,
                limit=9.0,
            )
        )
        parts.append(
            egg(
                cleft,
                hollow,
                ("RenalPelvis", 0.0),
                turn=turn,
                over=("KidneyCortex", "Abdomen"),
            )
        )
        gland = centre + np.array([-s * 29.0, 18.0, 50.0 * f])
        for lean in (-0.5, 0.5):
            flat = rotation((-0.35 * s, lean, 1.0), (1.0, 0.3 * lean, 0.2 * s))
            leaf = np.array([4.2, 12.0, 21.0]) * lognormal(rng, 0.08)
            at = moved(gland, s * 3.0 * lean, 10.0 * lean, 0)
            parts.append(
                egg(
                    at,
                    leaf,
                    ("Adrenals", 0.0),
                    turn=flat,
                    over=_FREE,
                )
            )
    return parts


def pancreas(b: Build) -> list[Part]:
    """Return the pancreas, from the duodenum to the spleen; ICRP 89: 140 and 120 g."""
    rng = b.rng(25)
    ml = (114.0 if b.female else 133.0) * _size(b, 0.5) * lognormal(rng, 0.22)
    tail = 8.0 * np.clip(rng.standard_normal(), -2, 2)
    path = [
        (36, 16, 208),
        (34, 22, 226),
        (10, 34, 244),
        (-24, 20, 254),
        (-70, -16, 274 + tail),
    ]
    size = np.array([13, 16, 10.5, 11.5, 9.0]) * (ml / 115.0) ** 0.4
    points = b.path(path) + np.array([0.0, 2.5, 0.0]) * rng.standard_normal((5, 1))
    points = moved(points + jitter(rng, 5.0, 4.0, 7.0), -6.0, 0.0, 0.0)
    return [tube(points, size, ("Pancreas", 0.0), over=_FREE, volume=ml)]


def _size(b: Build, power: float) -> float:
    """How much larger an organ is than the reference person's, from body mass."""
    return float((b.mass / (60.0 if b.female else 73.0)) ** power)
