"""Curves of three regions with something in common."""

from __future__ import annotations

import numpy as np
from tests.kinetics import brute_force as grid

from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer

LEVEL = 6.0
TRACER = Tracer.of("F18", name="FDG")


def table(values):
    names = tuple(f"region {i}" for i in range(len(values)))
    return TacTable(values=values, frames=grid.FRAMES, unit="Bq/mL", names=names, tracer=TRACER)


def one_tissue(VB=0.06, level=LEVEL):
    """Three 1TCM curves with one VB, shape (3, T)."""
    rows = []
    for i, (K1, k2) in enumerate([(0.2, 0.25), (0.1, 0.15), (0.35, 0.5)]):
        clean = K1 * (1 - VB) * grid.tissue([k2])[0] + VB * grid.blood()
        rows.append(grid.noisy(clean, level, i))
    return np.stack(rows)
