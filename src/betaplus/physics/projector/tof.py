"""How a place along a line spreads over bins of time of flight.

The timing error is Gaussian; a bin gets its integral, cut at three standard deviations and
normalised, so that bins without end add up to the value without time of flight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from betaplus.core.scanner import Scanner

__all__ = ["TofKernel", "make_tof_kernel"]

_CUT = 3.0
_NODES = 256  # fractions of a bin that weights are tabulated for


@dataclass(frozen=True, eq=False, kw_only=True)
class TofKernel:
    """Weights of bins around a place.

    Attributes:
        table: Shape (fractions of a bin from -.5 to .5, bins around), float32; rows add up to 1.
        bins: Bins of the sinogram.
        width: Of a bin [mm].
    """

    table: np.ndarray
    bins: int
    width: float


def make_tof_kernel(scanner: Scanner) -> TofKernel:
    """Return the weights of a scanner's bins of time of flight."""
    sigma = scanner.tof_sigma / scanner.tof_bin
    reach = math.ceil(_CUT * sigma)
    fraction = np.linspace(-0.5, 0.5, _NODES + 1)[:, None]
    edges = np.arange(-reach, reach + 2)[None, :] - 0.5 - fraction
    cut = np.clip(edges / sigma, -_CUT, _CUT)
    weights = np.diff(ndtr(cut), axis=1)
    weights /= weights.sum(1, keepdims=True)
    return TofKernel(table=weights.astype(np.float32), bins=scanner.tof_bins, width=scanner.tof_bin)
