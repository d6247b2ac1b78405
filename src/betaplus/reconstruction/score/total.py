r"""What counts say of an image's total: the factor that makes them most likely.

A network that is shown OSEM takes its total from there, and after a few passes OSEM at low counts
is off by a per cent or two, the more the less it is like what the network has learned; the counts
know the total far better. The factor a is where the slope of the log-likelihood along the image,
:math:`x^T \nabla \log L(a x)`, is 0; it falls with a, and Newton's steps find it.
"""

from __future__ import annotations

import numpy as np

from betaplus.reconstruction.data import Data

__all__ = ["total_factor"]

_STEPS = 8
_SMALL = 0.01  # a step after which the next would be 1e-4
_MOST = 2.0


def total_factor(data: Data, image: np.ndarray) -> float:
    """Return the factor of an image that makes counts most likely, from .5 to 2.

    It is 1 where the counts say nothing of the image.

    Args:
        data: Counts.
        image: Shape (X, Y, Z), from 0, in counts, 0 outside the mask.
    """
    factor = 1.0
    for _ in range(_STEPS):
        slope, fall = data.scaled(image * np.float32(factor))
        if not fall > 0.0:
            break
        step = min(max(slope / fall, 1.0 / _MOST - 1.0), _MOST - 1.0)
        factor *= 1.0 + step
        if abs(step) < _SMALL:
            break
    return float(np.clip(factor, 1.0 / _MOST, _MOST))
