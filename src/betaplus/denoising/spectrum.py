"""What noise holds in each band, by how far it is correlated.

Noise of a filtered reconstruction is close to white noise through a Gaussian. Its width decides how
much of it each band of the image has, and the speckle, what changes from voxel to voxel along two
axes at a time. With the width known, noise can be measured in the speckle, where it is told from
anatomy best, and the rest follows.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

__all__ = ["noise_shares", "width_of"]

_BANDS = 4
_VOXELS = 48
_TINY = 1e-9
_WIDTHS = np.linspace(0.0, 1.6, 33)


def noise_shares(width: np.ndarray | float) -> np.ndarray:
    """Return the SD of each band over that of the speckle, shape (..., 4).

    Args:
        width: SD of the Gaussian [voxels], at most 1.6.
    """
    table = _table()
    logs = [np.interp(width, _WIDTHS, np.log(column)) for column in table.T]
    return np.exp(np.stack(logs, -1))


def width_of(share: np.ndarray | float) -> np.ndarray:
    """Return the width [voxels] of noise whose finest band has a share of the speckle.

    Args:
        share: SD of the finest band over that of the speckle.
    """
    return np.interp(np.log(np.maximum(share, _TINY)), np.log(_table()[:, 0]), _WIDTHS)


@cache
def _table() -> np.ndarray:
    """Return shares at each width, by integration over frequencies."""
    line = 2.0 * np.pi * np.fft.fftfreq(_VOXELS)
    waves = np.stack(np.meshgrid(line, line, line, indexing="ij"))
    smooth = [np.ones(waves.shape[1:])]
    for band in range(_BANDS):
        smooth.append(smooth[-1] * np.prod((1.0 + np.cos(2**band * waves)) / 2.0, axis=0))
    bands = [(fine - coarse) ** 2 for fine, coarse in itertools.pairwise(smooth)]
    bent = 2.0 - 2.0 * np.cos(waves)
    speckle = sum((bent[a] * bent[b]) ** 2 for a, b in ((0, 1), (0, 2), (1, 2))) / (3 * 36)
    energy = (waves**2).sum(0)
    rows = []
    for width in _WIDTHS:
        power = np.exp(-(width**2) * energy)
        rows.append([np.sqrt((power * band).mean() / (power * speckle).mean()) for band in bands])
    return np.array(rows)
