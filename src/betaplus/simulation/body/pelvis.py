"""Bladder and genital organs, and the breasts."""

from __future__ import annotations

import numpy as np

from betaplus.simulation.body.build import Build, jitter, lognormal
from betaplus.simulation.body.part import Part, egg
from betaplus.simulation.body.shapes import moved, rotation
from betaplus.simulation.body.surface import breast

__all__ = ["breasts", "pelvis"]


def pelvis(b: Build) -> list[Part]:
    """Return bladder, and uterus, or prostate and testes.

    The bladder holds from about 40 to 500 mL. ICRP 89: uterus 80 g, prostate 17 g (more in older
    men: 30 mL here), testes 35 g.
    """
    rng = b.rng(30)
    urine = float(np.clip(150.0 * lognormal(rng, 0.75), 35.0, 550.0))
    r = (1000.0 * urine / 4.19) ** (1 / 3)
    semi = np.array([1.10, 0.98, 0.93]) * r
    floor = -20.0 if b.female else -13.0
    bladder = moved(b.at(0, 15, floor), 0, 0.10 * r, 0.93 * r) + jitter(rng, 2.5, 4.0, 4.0)
    over = ("Abdomen", "Muscle", "Fat")
    parts = [egg(bladder, semi, ("Bladder", 0.0), over=over, volume=urine, limit=8.0)]
    if b.female:
        f = lognormal(rng, 0.35) ** (1 / 3)
        womb = moved(b.at(0, -22, 26), 4.0 * rng.standard_normal(), 0, 0.30 * r)
        pear = np.array([25.0, 20.0, 37.0]) * f
        turn = rotation((0.1 * rng.standard_normal(), 0.75 + 0.2 * rng.standard_normal(), 0.7))
        parts.append(egg(womb, pear, ("Uterus", 0.0), turn=turn, over=("Abdomen",)))
        return parts
    f = (lognormal(rng, 0.4) * 30.0 / 26.7) ** (1 / 3)
    gland = b.at(0, -6, -27)
    nut = np.array([24.0, 15.5, 17.0]) * f
    parts.append(
        egg(
            gland,
            nut,
            ("Prostate", 0.0),
            over=("Abdomen", "Muscle", "Fat", "Colon"),
        )
    )
    g = lognormal(rng, 0.2) ** (1 / 3)
    for s in (-1.0, 1.0):
        at = moved(b.at(s * 14, 54, -96), 0, 0, 3.0 * s)
        size = np.array([12.5, 14.5, 21.0]) * g
        parts.append(egg(at, size, ("Testes", 0.0)))
    return parts


def breasts(b: Build) -> list[Part]:
    """Return the glandular tissue of a woman's breasts, in their fat."""
    if not b.female:
        return []
    rng = b.rng(31)
    share = float(np.clip(0.70 * lognormal(rng, 0.12), 0.45, 0.85))
    parts = []
    for s in (-1.0, 1.0):
        centre, semi = breast(b, s)
        at = moved(centre, 0, 0.12 * semi[1], 0)
        gland = semi * share
        parts.append(egg(at, gland, ("Breast", 0.0), over=("Fat",)))
    return parts
