"""Expectation-maximisation updates of an image, and the Poisson likelihood of its projections.

Plain functions on arrays, without projectors (Shepp and Vardi, IEEE TMI 1, 113, 1982; the penalised
update after De Pierro, IEEE TMI 14, 132, 1995). Arrays are worked through in blocks along their
first axis, so that double precision costs no second copy of a sinogram.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from betaplus.core.errors import InputError

__all__ = ["em_update", "map_em_update", "poisson_log_likelihood", "ratio"]

_BLOCK = 1 << 17  # values at a time


def ratio(prompts: np.ndarray, expected: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return prompts / expected, and 0 where nothing is expected.

    Args:
        prompts: Measured counts, any shape (view, radial, plane[, TOF]).
        expected: Counts expected from the image and the background, same shape.
        out: Where to put the result, float32, same shape; may be `expected` itself.
    """
    _same_shape(expected, prompts=prompts)
    if out is None:
        out = np.empty(expected.shape, np.float32)
    for part in _blocks(expected):
        positive = expected[part] > 0
        np.divide(prompts[part], expected[part], out=out[part], where=positive)
        out[part][~positive] = 0
    return out


def poisson_log_likelihood(prompts: np.ndarray, expected: np.ndarray) -> float:
    """Return sum(y ln(ybar) - ybar) in double precision: the log-likelihood less sum(ln(y!)).

    A bin with nothing expected and nothing measured counts 0; one with counts measured where
    nothing is expected makes it -inf.

    Args:
        prompts: Measured counts y, any shape.
        expected: Expected counts ybar, same shape.

    Raises:
        InputError: Expected counts that are negative or not finite.
    """
    _same_shape(expected, prompts=prompts)
    sums = []
    for part in _blocks(expected):
        mean = np.asarray(expected[part], np.float64)
        counts = np.asarray(prompts[part], np.float64)
        if not bool(np.all((mean >= 0) & (mean < math.inf))):
            raise InputError(
                "expected counts that are negative or not finite",
                "numbers from 0 up",
                "check the image and the additive term",
            )
        positive = mean > 0
        if bool(np.any(counts[~positive] > 0)):
            return -math.inf
        logarithm = np.zeros_like(mean)
        np.log(mean, out=logarithm, where=positive)
        sums.append(float(np.sum(counts * logarithm - mean)))
    return math.fsum(sums)


def em_update(x: np.ndarray, ratio_back: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
    """Return x / s * A^T(m y / ybar), the EM image; 0 where the sensitivity is 0.

    With the back-projection and the sensitivity of one subset of the data this is a sub-iteration
    of OSEM (Hudson and Larkin, IEEE TMI 13, 601, 1994).

    Args:
        x: Image, shape (X, Y, Z).
        ratio_back: Back-projection of m y / ybar, shape (X, Y, Z).
        sensitivity: Back-projection s of the multiplicative factors m, shape (X, Y, Z).

    Returns:
        Image, float32, shape (X, Y, Z).
    """
    _same_shape(x, ratio_back=ratio_back, sensitivity=sensitivity)
    out = np.zeros(x.shape, np.float32)
    for part in _blocks(x):
        scale = np.zeros(x[part].shape, np.float32)
        np.divide(ratio_back[part], sensitivity[part], out=scale, where=sensitivity[part] > 0)
        np.multiply(x[part], scale, out=out[part])
    return out


def map_em_update(
    em: np.ndarray,
    sensitivity: np.ndarray,
    weight: np.ndarray,
    regular: np.ndarray,
    beta: float,
) -> np.ndarray:
    r"""Return the image that maximises the surrogate of the penalised likelihood L - beta U.

    Voxel by voxel it maximises
    :math:`s (x_{em} \ln x - x) - \tfrac12 \beta w (x - x_{reg})^2` over x >= 0, that is, with
    :math:`\beta_j = \beta w / s` it solves
    :math:`\beta_j x^2 + (1 - \beta_j x_{reg}) x - x_{em} = 0` by whichever form of the root loses
    no digits. With one subset L - beta U never decreases; beta = 0 gives x_em itself. Voxels that
    the data do not see (s = 0) but the prior does take x_reg, for which alone the objective asks.

    Args:
        em: EM image of the current one, shape (X, Y, Z).
        sensitivity: Sensitivity s, shape (X, Y, Z).
        weight: Weights w of the prior's surrogate at the current image, shape (X, Y, Z).
        regular: Its centres x_reg, shape (X, Y, Z).
        beta: Strength of the prior, at least 0.

    Returns:
        Image, float32, shape (X, Y, Z).
    """
    _same_shape(em, sensitivity=sensitivity, weight=weight, regular=regular)
    out = np.empty(em.shape, np.float32)
    for part in _blocks(em):
        target = np.asarray(em[part], np.float64)
        centre = np.asarray(regular[part], np.float64)
        pull = beta * np.asarray(weight[part], np.float64)
        seen = sensitivity[part] > 0
        strength = np.zeros_like(target)
        np.divide(pull, sensitivity[part], out=strength, where=seen)
        linear = 1 - strength * centre
        root = np.sqrt(linear * linear + 4 * strength * target)
        result = np.where(pull > 0, np.maximum(centre, 0), target)
        upper = seen & (linear > 0)
        np.divide(2 * target, linear + root, out=result, where=upper)
        np.divide(root - linear, 2 * strength, out=result, where=seen & ~upper)
        out[part] = result
    return out


def _blocks(array: np.ndarray) -> Iterator[slice]:
    """Cut the first axis so that a block has about `_BLOCK` values."""
    rows = len(array)
    step = max(1, _BLOCK * rows // max(1, array.size))
    for first in range(0, rows, step):
        yield slice(first, first + step)


def _same_shape(reference: np.ndarray, **others: np.ndarray) -> None:
    for name, other in others.items():
        if other.shape != reference.shape:
            raise InputError(f"{name} of shape {other.shape}", f"shape {reference.shape}")
