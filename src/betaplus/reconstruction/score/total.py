r"""What counts say of an image's total: the factor that makes them most likely.

A network that is shown OSEM takes its total from there, and after a few passes OSEM at low counts
is off by a per cent or two, the more the less it is like what the network has learned; the counts
know the total far better. The factor a is where the slope of the log-likelihood along the image,
:math:`x^T \nabla \log L(a x)`, is 0; it falls with a, and secant steps find it.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import root_scalar

from betaplus.reconstruction.data import Data
from betaplus.reconstruction.score.coupled_counts import CoupledCounts

__all__ = ["total_factor"]

_SHIFT = 0.02  # of the total, to see the slope change
_CLOSE = 2e-4
_STEPS = 8
_MOST = 2.0


def total_factor(data: Data, image: np.ndarray, level: float) -> float:
    """Return the factor of an image that makes counts most likely, from .5 to 2.

    It is 1 where the counts say nothing of the image.

    Args:
        data: Counts.
        image: Shape (X, Y, Z), from 0, in counts.
        level: Its level.
    """
    counts, x = CoupledCounts(data, level), image / np.float32(level)

    def slope(factor: float) -> float:
        return float(np.sum(x * counts.gradient(np.float32(factor) * x), dtype=np.float64))

    first, second = slope(1.0), slope(1.0 + _SHIFT)
    if not first > second:  # the image is 0, or nowhere that the counts see
        return 1.0
    known = {1.0: first, 1.0 + _SHIFT: second}
    found = root_scalar(
        lambda a: known[a] if a in known else slope(max(a, 1.0 / _MOST)),
        method="secant", x0=1.0, x1=1.0 + _SHIFT, xtol=_CLOSE, maxiter=_STEPS,
    )  # fmt: skip
    return float(np.clip(found.root, 1.0 / _MOST, _MOST))
