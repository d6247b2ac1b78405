"""The sum over pairs of rings that makes up a plane's efficiency."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["add_pairs"]


@njit(nogil=True, cache=True)
def add_pairs(
    efficiency: np.ndarray,
    crystals: np.ndarray,
    geometric: np.ndarray,
    interference: np.ndarray,
    pairs: np.ndarray,
    plane: np.ndarray,
    weight: np.ndarray,
    detectors: np.ndarray,
) -> None:
    """Fill in efficiencies; lines without two crystals are left as they are.

    Args:
        efficiency: Shape (views, radial, planes), float32, changed.
        crystals: Efficiency of each, 0 where there is none, shape (detectors, rings).
        geometric: By radial bin and sum of rings, shape (radial, 2 rings - 1).
        interference: Shape (radial, crystals of a block).
        pairs: Pairs of rings by plane, shape (n, 2).
        plane: Of each pair, ascending, shape (n,).
        weight: Of each pair, shape (n,).
        detectors: Of each bin, shape (views, radial, 2).
    """
    views, radial, _ = efficiency.shape
    block = interference.shape[1]
    for v in range(views):
        for r in range(radial):
            one, two = crystals[detectors[v, r, 0]], crystals[detectors[v, r, 1]]
            if one[0] == 0.0 or two[0] == 0.0:
                continue
            factor, profile = interference[r, v % block], geometric[r]
            n, total = 0, 0.0
            for i in range(pairs.shape[0]):
                a, b = pairs[i, 0], pairs[i, 1]
                if plane[i] != n:
                    efficiency[v, r, n] = factor * total
                    n, total = plane[i], 0.0
                total += one[a] * two[b] * profile[a + b] * weight[i]
            efficiency[v, r, n] = factor * total
