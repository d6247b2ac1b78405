"""Scanners and reconstructions at random, for training; some kinds are left out for judging.

Ranges are nominal and span clinical scanners from short ones without time of flight to total-body
ones (`betaplus.simulation.surrogate.styles` has two that are calibrated). What is left out: times
of flight of 60 to 95 mm, among which uEXPLORER's is, and doses of 1/63 to 1/40.
"""

from __future__ import annotations

import math

import numpy as np

from betaplus.simulation.surrogate.style import ScanStyle

__all__ = ["HELD_DOSES", "HELD_TOF", "MAX_FILTER", "random_dose", "random_filter", "random_style"]

HELD_TOF = (60.0, 95.0)
"""Times of flight that no training scan has, full width at half maximum [mm]."""
HELD_DOSES = (1 / 63, 1 / 40)
"""Doses that no training scan has."""
MAX_FILTER = 8.0
"""Widest post-filter [mm]."""

_COUNTS = (2e4, 6e5)
_DOSES = (1 / 150, 1.0)
_UNFILTERED = 0.3
_WITHOUT_TOF = 0.15


def random_style(rng: np.random.Generator) -> ScanStyle:
    """Draw a scanner with its reconstruction, but for the post-filter."""
    tof = 0.0
    if rng.random() >= _WITHOUT_TOF:
        tof = float(rng.uniform(28.0, HELD_TOF[0]))
        if rng.random() < 0.2:
            tof = float(rng.uniform(HELD_TOF[1], 110.0))
    return ScanStyle(
        name="drawn",
        counts=float(_loguniform(rng, *_COUNTS)),
        resolution=float(rng.uniform(1.5, 4.5)),
        updates=int(_loguniform(rng, 16, 100)),
        psf=float(rng.uniform(2.0, 4.5)) if rng.random() < 0.7 else 0.0,
        tof=tof,
        scatter=float(rng.uniform(0.28, 0.42)),
        randoms=float(rng.uniform(0.15, 0.5)),
        acceptance=float(rng.uniform(0.08, 0.5)),
        radius=float(rng.uniform(340.0, 430.0)),
    )


def random_filter(rng: np.random.Generator) -> float:
    """Draw a post-filter, full width at half maximum [mm]; 0 for none."""
    return 0.0 if rng.random() < _UNFILTERED else float(rng.uniform(2.0, MAX_FILTER))


def random_dose(rng: np.random.Generator) -> float:
    """Draw a fraction of the counts, not one of `HELD_DOSES`."""
    while True:
        dose = float(_loguniform(rng, *_DOSES))
        if not HELD_DOSES[0] < dose < HELD_DOSES[1]:
            return dose


def _loguniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))
