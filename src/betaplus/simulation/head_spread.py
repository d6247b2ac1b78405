"""How heads differ: the spread of size, proportions, ventricles, cortex, sulci and pose."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ["POPULATION", "USUAL", "HeadShape", "HeadSpread", "draw_shape"]

_PARTS = ("Caudate", "Putamen", "Thalamus", "Cerebellum")
_MOST = 2.0  # standard deviations: no head lies further out
_AGE = 0.6  # correlation of ventricles, sulci and thin cortex: they come with age together


@dataclass(frozen=True, kw_only=True)
class HeadSpread:
    """Spread of heads over people.

    Attributes:
        scale: Median of the linear size.
        size: Standard deviation of the logarithm of the linear size.
        proportions: Likewise of length over width, and of height over both, at equal volume.
        ventricle: Likewise of the width of the ventricles.
        ventricle_median: Median of that width.
        ventricle_length: Power of the width that their length goes with.
        ventricle_push: How far wide ventricles move the caudate sideways [mm per unit of width].
        cortex: Range of the cortex's thickness [mm].
        sulcus: Range of half the width of the fluid in a sulcus [mm].
        resolved: Cortex and sulci keep their width on any grid: thickness is counted from the
            fluid's surface, which lies half a point before the first point in it, and a sulcus is
            at least a point wide. Else thickness is counted from that point.
        fold: Range of the width of the noise that folds the cortex [mm].
        bend: Range of the factor on the smooth warp.
        parts: Median linear sizes of caudate, putamen, thalamus and cerebellum.
        part: Standard deviation of the logarithm of each.
        tilt: Standard deviations of pitch, roll and yaw of the head in the scanner [degrees].
    """

    scale: float = 0.92
    size: float = 0.015
    proportions: float = 0.0
    ventricle: float = 0.12
    ventricle_median: float = 1.0
    ventricle_length: float = 1.0
    ventricle_push: float = 0.0
    cortex: tuple[float, float] = (3.6, 3.6)
    sulcus: tuple[float, float] = (0.6, 0.6)
    resolved: bool = False
    fold: tuple[float, float] = (11.5, 11.5)
    bend: tuple[float, float] = (1.0, 1.0)
    parts: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    part: float = 0.0
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)


USUAL = HeadSpread()
"""Heads that are much alike."""

POPULATION = HeadSpread(
    scale=0.95,
    size=0.034,
    proportions=0.022,
    ventricle=0.19,
    ventricle_median=1.18,
    ventricle_length=0.4,
    ventricle_push=5.0,
    cortex=(2.8, 3.7),
    sulcus=(0.35, 1.1),
    resolved=True,
    fold=(10.8, 12.8),
    bend=(1.0, 1.8),
    parts=(0.95, 1.04, 1.09, 1.03),
    part=0.018,
    tilt=(7.0, 2.5, 3.0),
)
"""Heads that differ as adults do, atrophy among them.

Brains of 1302 +- 112 mL in men and 1143 +- 105 mL in women (Matsumae et al., J Neurosurg 1996; a
coefficient of variation of 10 % in Whitwell et al., AJNR 2001), ventricles of 16 mL at 20 to 25 mL
at 40 years (Chung et al., Neurosci Lett 2006) and more later, with a log-normal spread of 0.4 to
0.5; nuclei as FreeSurfer finds them (Potvin et al., NeuroImage 2016). Cortex is 2.5 to 4 mm thick
over lobes (Fischl and Dale, PNAS 2000); whole brains differ less. Width of sulci, correlations and
pose are nominal.
"""


@dataclass(frozen=True, kw_only=True)
class HeadShape:
    """What is drawn for one head; lengths in mm."""

    scale: float
    stretch: tuple[float, float, float]
    ventricle: float
    cortex: float
    sulcus: float
    fold: float
    bend: float
    parts: dict[str, float]
    rotation: np.ndarray | None = field(default=None)
    """From the world to the head's own axes, shape (3, 3); None if the head is upright."""


def draw_shape(
    spread: HeadSpread, size: float, swelling: float, rng: np.random.Generator
) -> HeadShape:
    """Draw a head.

    Args:
        spread: How heads differ.
        size: Standard normal score of the size.
        swelling: Of the ventricles; sulci and cortex go with it.
        rng: Source of everything else.
    """
    swelling = float(np.clip(swelling, -_MOST, _MOST))
    scores = np.clip(rng.standard_normal(13), -_MOST, _MOST)
    aged = _AGE * swelling + np.sqrt(1.0 - _AGE**2) * scores[:2]
    longer, higher = spread.proportions * scores[2:4]
    return HeadShape(
        scale=spread.scale * float(np.exp(spread.size * np.clip(size, -_MOST, _MOST))),
        stretch=(
            float(np.exp(-longer - 0.5 * higher)),
            float(np.exp(longer - 0.5 * higher)),
            float(np.exp(higher)),
        ),
        ventricle=spread.ventricle_median * float(np.exp(spread.ventricle * swelling)),
        cortex=_between(spread.cortex, -aged[0]),
        sulcus=_between(spread.sulcus, aged[1]),
        fold=_between(spread.fold, scores[4]),
        bend=_between(spread.bend, scores[5]),
        parts={
            name: median * float(np.exp(spread.part * score))
            for name, median, score in zip(_PARTS, spread.parts, scores[6:10], strict=True)
        },
        rotation=_rotation(np.radians(np.asarray(spread.tilt) * scores[10:13])),
    )


def _between(limits: tuple[float, float], score: float) -> float:
    """Return the value of a score on a range, log-uniform over standard normal scores."""
    from math import erf, sqrt

    low, high = limits
    return low * (high / low) ** (0.5 * (1.0 + erf(float(score) / sqrt(2.0))))


def _rotation(angles: np.ndarray) -> np.ndarray | None:
    if not angles.any():
        return None
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    pitch = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    roll = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    yaw = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(pitch @ roll @ yaw)
