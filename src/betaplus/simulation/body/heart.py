"""The heart and the great vessels."""

from __future__ import annotations

import numpy as np

from betaplus.simulation.body.build import Build, lognormal
from betaplus.simulation.body.cavities import Diaphragm
from betaplus.simulation.body.part import Part, blob, egg, tube
from betaplus.simulation.body.shapes import Block, ellipsoid, moved, rotation

__all__ = ["heart", "vessels"]

_OVER = ("Chest", "Pericardium", "Abdomen", "Lungs")
_SOFT = ("Chest", "Pericardium", "Abdomen", "Fat", "Muscle")


def heart(b: Build, diaphragm: Diaphragm) -> list[Part]:
    """Return pericardial fat, ventricles and atria.

    The left ventricle is a thick cup, its mouth at the valves and its tip to the left, front and
    below; the right one is wrapped around its side. Sizes follow ICRP 89: 330 and 250 g of heart
    muscle, about 400 and 300 mL of blood in the chambers.
    """
    rng = b.rng(10)
    f = 1.12 * (0.90 if b.female else 1.0) * b.organs ** (1 / 3) * lognormal(rng, 0.05)
    wall = f * 11.6 * lognormal(rng, 0.10)
    lift = 0.8 * (diaphragm.left - b.height_of(362.0))
    mid = moved(b.at(-40, 26, 396), 0, 0, float(lift))
    yaw, pitch = 0.12 * np.clip(rng.standard_normal(2), -2, 2)
    tip = np.array([-0.68 + yaw, 0.58 + yaw, -0.45 + pitch])  # from the valves to the apex
    turn = rotation(tip, (0.7, 0.6, 0.0))
    cup = np.array([33.5, 33.5, 54.0]) * f
    hollow = np.array([*(cup[:2] - wall), cup[2] - 0.9 * wall])

    def along(block: Block) -> np.ndarray:
        x, y, z = (c - np.float32(o) for c, o in zip(block.axes(), mid, strict=True))
        w = turn[2].astype(np.float32)
        return x * w[0] + y * w[1] + z * w[2]

    mouth = np.float32(0.42 * cup[2])

    def left(block: Block) -> np.ndarray:
        return np.maximum(ellipsoid(block, mid, cup, turn), -along(block) - mouth)

    def left_blood(block: Block) -> np.ndarray:
        return np.maximum(ellipsoid(block, mid, hollow, turn), -along(block) - mouth)

    aside = turn[0] if turn[0][0] > 0 else -turn[0]
    right_mid = mid + f * (27.0 * aside + np.array([4.0, 4.0, -2.0])) - 6.0 * f * turn[2]
    right_semi = np.array([29.0, 39.0, 50.0]) * f

    def right(block: Block) -> np.ndarray:
        return np.maximum(ellipsoid(block, right_mid, right_semi, turn), -along(block) - mouth - 4)

    la = mid - f * 46.0 * turn[2] + f * np.array([-8.0, -6.0, 8.0])
    ra = mid + f * np.array([66.0, -8.0, 4.0])
    la_semi, ra_semi = (
        np.array([31.0, 23.0, 26.0]) * f,
        np.array([25.0, 28.0, 33.0]) * f,
    )
    middle = 0.5 * (mid + la)
    fatty = np.float32(3.0 + 0.18 * max(b.visceral, 0.0))

    def sac(block: Block) -> np.ndarray:
        shapes = [left(block), right(block)]
        shapes += [ellipsoid(block, la, la_semi), ellipsoid(block, ra, ra_semi)]
        return np.minimum.reduce(shapes) - fatty

    atrium = (("Myocardium", 0.0), ("HeartBlood", 3.0))
    reach = 110.0 * f
    return [
        blob(middle, reach, sac, ("Pericardium", 0.0), over=("Chest", "Lungs", "Abdomen")),
        blob(mid, reach, left, ("Myocardium", 0.0), over=_OVER),
        blob(mid, reach, left_blood, ("HeartBlood", 0.0), over=("Myocardium",)),
        blob(
            right_mid,
            56 * f,
            right,
            ("Myocardium", 0.0),
            ("HeartBlood", 4.4 * f),
            over=_OVER,
        ),
        egg(la, la_semi, *atrium, over=_OVER),
        egg(ra, ra_semi, *atrium, over=_OVER),
        *_great(b, mid, la, ra, right_mid, turn, f),
    ]


def _great(
    b: Build,
    mid: np.ndarray,
    la: np.ndarray,
    ra: np.ndarray,
    rv: np.ndarray,
    turn: np.ndarray,
    f: float,
) -> list[Part]:
    """Aorta up to the arch, pulmonary trunk, venae cavae: what hangs on the heart."""
    top = float(b.height_of(470.0)) + 0.3 * (mid[2] - float(b.height_of(396.0)))
    root = mid - 26 * f * turn[2] + np.array([6.0, 2, 6]) * f
    rise = np.array([root[0] + 20 * f, root[1] + 4, 0.55 * root[2] + 0.45 * top])
    arch = b.at(-2, 2, 470)
    back = b.at(-24, -34, 462)
    down = b.path([(-26, -40, 430), (-22, -38, 370), (-14, -27, 310)])
    r = f * lognormal(b.rng(11), 0.08)
    aorta = np.vstack(
        [root, rise, [arch[0] + 6, arch[1], top + 4], [back[0], back[1], top - 6], down]
    )
    lung = np.array([root[0] - 18 * f, root[1] + 14, root[2] + 4])
    fork = np.array([arch[0] - 4, 0.5 * (arch[1] + la[1]), 0.45 * top + 0.55 * root[2]])
    parts = [
        tube(
            aorta,
            np.array([16, 15.5, 13.5, 12.5, 11.5, 11, 10.5]) * r,
            ("Aorta", 0.0),
            over=_OVER,
        ),
        tube(
            np.vstack([moved(rv, -6, 0, 28 * f), lung, fork]),
            np.array([14, 13.5, 12]) * f,
            ("HeartBlood", 0.0),
            over=_OVER,
        ),
    ]
    for s in (-1.0, 1.0):
        gate = np.array([fork[0] + s * 50, fork[1] - 22, fork[2] - 8])
        parts.append(
            tube(
                np.vstack([fork, moved(0.5 * (fork + gate), 0, -4, 4), gate]),
                np.array([10, 9, 6.5]) * f,
                ("HeartBlood", 0.0),
                over=_OVER,
            )
        )
        vein = np.vstack([moved(la, s * 22 * f, -4, 4), moved(la, s * 48 * f, -12, -4)])
        parts.append(tube(vein, np.array([7, 5.5]) * f, ("HeartBlood", 0.0), over=_OVER))
    upper = np.vstack(
        [moved(ra, 0, 2, 26 * f), [ra[0] - 4, ra[1] + 8, top - 10], b.at(26, 12, 495)]
    )
    lower = np.vstack([moved(ra, -4, -6, -28 * f), b.path([(24, -10, 318), (22, -10, 270)])])
    parts.append(tube(upper, 9.5 * r, ("VenaCava", 0.0), over=_OVER))
    parts.append(tube(lower, 11.5 * r, ("VenaCava", 0.0), over=_OVER))
    return parts


def vessels(b: Build) -> list[Part]:
    """Return aorta and vena cava in the abdomen, iliac, femoral and neck vessels."""
    r = b.wide * (0.9 if b.female else 1.0) * lognormal(b.rng(12), 0.1)
    aorta = [(-14, -27, 310), (-11, -14, 270), (-10, 7, 215), (-7, 11, 146)]
    cava = [(22, -10, 270), (20, 3, 215), (16, 7, 142)]
    parts = [
        tube(b.path(aorta), np.array([10.5, 9.8, 9, 8]) * r, ("Aorta", 0.0), over=_SOFT),
        tube(b.path(cava), np.array([11.5, 11, 10.5]) * r, ("VenaCava", 0.0), over=_SOFT),
    ]
    for s in (-1.0, 1.0):
        start = (-8, 11, 148) if s < 0 else (-5, 11, 148)
        artery = [start, (s * 33, -2, 90), (s * 58, 18, 40), (s * 74, 55, 0)]
        artery += [(s * 80, 56, -50), (s * 78, 36, -240)]
        vein = [(16, 7, 144), (s * 27 + 4, -12, 90), (s * 52, 6, 40), (s * 64, 50, 0)]
        vein += [(s * 72, 46, -50), (s * 74, 24, -240)]
        size = np.array([6, 5.2, 4.8, 4.6, 4.2, 3.8]) * r
        parts.append(tube(b.path(artery), size, ("Aorta", 0.0), over=_SOFT))
        parts.append(tube(b.path(vein), 1.35 * size, ("VenaCava", 0.0), over=_SOFT))
        neck = [
            (s * 12 - 2, 2, 482),
            (s * 20, 6, 520),
            (s * 24, 6, 580),
            (s * 30, 4, 650),
        ]
        parts.append(tube(b.path(neck), [5.5, 4, 3.6, 3], ("Aorta", 0.0), over=_SOFT))
        jugular = [
            (26, 12, 495),
            (s * 30 + 6, 16, 515),
            (s * 34, 6, 580),
            (s * 36, -2, 660),
        ]
        parts.append(tube(b.path(jugular), [7, 6.5, 5.5, 4], ("VenaCava", 0.0), over=_SOFT))
        arm = [(s * 30, 12, 515), (s * 80, 4, 512), (s * 125, -12, 490)]
        parts.append(tube(b.path(arm), [4.5, 4.5, 4], ("Aorta", 0.0), over=_SOFT))
        parts.append(
            tube(
                moved(b.path(arm), 0, 10, -8),
                [6, 5.5, 4.5],
                ("VenaCava", 0.0),
                over=_SOFT,
            )
        )
    return parts
