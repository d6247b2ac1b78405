"""Accidental coincidences, from how often each crystal is hit.

Two crystals with rates of singles s1 and s2 have 2 tau s1 s2 randoms in a window 2 tau (Evans, The
Atomic Nucleus, 1955). How the singles spread over the crystals is taken from fan sums: the mean of
a crystal's coincidences over all its lines.
"""

from __future__ import annotations

import numpy as np

from betaplus.core.scanner import Scanner
from betaplus.physics.randoms import randoms_mean

__all__ = ["crystal_rates", "randoms_shape"]


def crystal_rates(scanner: Scanner, mean: np.ndarray) -> np.ndarray:
    """Return the mean count of all pairs that each crystal takes part in.

    Args:
        scanner: The scanner.
        mean: Mean counts without time of flight, shape (view, radial, plane).

    Returns:
        Shape (detectors, rings), float64; 0 where there is no crystal.
    """
    m = scanner.michelogram
    fans = np.zeros((2, scanner.detectors, scanner.planes))
    lines = np.zeros((2, scanner.detectors))
    for view in range(scanner.views):
        for side in range(2):
            for odd in range(2):  # each crystal is once among the even bins of a view
                detectors = scanner.pairs[view, odd::2, side]
                live = scanner.live[view, odd::2]
                fans[side, detectors[live]] += mean[view, odd::2][live]
                lines[side, detectors[live]] += 1.0
    fans /= m.multiplicity
    total = np.zeros((scanner.detectors, scanner.rings))
    number = np.zeros_like(total)
    planes = m.plane_of_pair[m.pairs[:, 0], m.pairs[:, 1]]
    for pair, plane in zip(m.pairs, planes, strict=True):
        for side in range(2):
            total[:, pair[side]] += fans[side, :, plane]
            number[:, pair[side]] += lines[side]
    return np.divide(total, number, out=np.zeros_like(total), where=number > 0.0)


def randoms_shape(scanner: Scanner, mean: np.ndarray, threads: int | None = None) -> np.ndarray:
    """Return how randoms spread over lines, in arbitrary units.

    Args:
        scanner: The scanner.
        mean: Mean of trues and scatter without time of flight, shape (view, radial, plane).
        threads: Threads; the cores available if None.

    Returns:
        Shape (view, radial, plane), float32.
    """
    rates = crystal_rates(scanner, mean)
    top = rates.max(initial=0.0)
    rates = (rates / top if top > 0.0 else rates).T
    return randoms_mean(np.ascontiguousarray(rates), scanner, threads=threads)
