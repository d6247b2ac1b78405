"""Attenuation of photon pairs along lines of response."""

from __future__ import annotations

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.physics.projector.projector import Projector

__all__ = ["attenuation_factors"]


def attenuation_factors(
    scanner: Scanner, grid: ImageGrid, mu: np.ndarray, threads: int | None = None
) -> np.ndarray:
    """Return the share of photon pairs that leaves, exp(-integral of mu along the line).

    Args:
        scanner: The scanner.
        grid: Grid of the map.
        mu: Attenuation coefficients at 511 keV, shape (X, Y, Z) [1/mm].
        threads: Threads; the cores available if None.

    Returns:
        Shape (view, radial, plane), float32, on gaps too.
    """
    flat = scanner.replace(tof_bins=1)
    out = Projector(flat, grid, threads=threads).forward(mu)
    np.negative(out, out=out)
    return np.exp(out, out=out)
