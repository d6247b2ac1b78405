"""Efficiencies of crystals, and of the lines between them."""

from __future__ import annotations

import numpy as np

from betaplus.core.scanner import Scanner
from betaplus.core.seeds import generator
from betaplus.physics.randoms import randoms_mean

__all__ = ["SPREAD", "crystal_efficiencies", "line_efficiencies"]

SPREAD = 0.05
"""Standard deviation of the logarithm of a crystal's efficiency."""

_DRAW = 21


def crystal_efficiencies(scanner: Scanner, seed: int = 0, spread: float = SPREAD) -> np.ndarray:
    """Return log-normal efficiencies with median 1, 0 where there is no crystal.

    Args:
        scanner: The scanner.
        seed: Chooses them.
        spread: Standard deviation of their logarithm.

    Returns:
        Shape (detectors, rings), float64.
    """
    rng = generator(seed, item=0, draw=_DRAW)
    out = np.exp(spread * rng.standard_normal((scanner.detectors, scanner.rings)))
    out[scanner.is_gap] = 0.0
    return out


def line_efficiencies(
    scanner: Scanner, crystals: np.ndarray, threads: int | None = None
) -> np.ndarray:
    """Return the efficiency of each line, pairs of rings included.

    The product of both crystals' efficiencies, averaged over the pairs of rings of the plane, times
    the number of pairs.

    Args:
        scanner: The scanner.
        crystals: Shape (detectors, rings).
        threads: Threads; the cores available if None.

    Returns:
        Shape (view, radial, plane), float32; 0 on gaps.
    """
    return randoms_mean(np.ascontiguousarray(crystals.T), scanner, threads=threads)
