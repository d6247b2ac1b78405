r"""Wasserstein distance between samples, of one parameter or averaged over directions.

The sliced distance of order p is the p-th root of the mean, over random directions, of the p-th
power of the distance between projections (Bonneel, Rabin, Peyre and Pfister, J Math Imaging Vis
2015, 51:22-45; Rabin et al. 2012). Parameters are divided by their SD in the reference, so that 1
means one standard deviation. Two samples of one distribution are not 0 apart: if it is Gaussian,
about :math:`1.29 \sqrt{1/n + 1/m}` for order 1, which is what a result is to be held against.
"""

from __future__ import annotations

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.seeds import generator

__all__ = ["sliced_wasserstein", "wasserstein"]


def sliced_wasserstein(
    sample: np.ndarray,
    reference: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    reference_weights: np.ndarray | None = None,
    order: int = 1,
    directions: int = 256,
    seed: int = 0,
) -> float:
    """Return the sliced Wasserstein distance in units of the reference's SDs.

    Args:
        sample: Shape (n, P).
        reference: Shape (m, P).
        weights: Weights of the sample, shape (n,), at least 0; equal if None.
        reference_weights: Likewise of the reference, shape (m,).
        order: 1 or 2.
        directions: Random directions that are averaged over.
        seed: Seed of the directions.

    Raises:
        InputError: If shapes disagree, a value is not finite, weights are negative or sum to 0,
            or a parameter of the reference does not vary.
        UsageError: If the order is neither 1 nor 2.
    """
    a, b = np.asarray(sample, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise InputError(f"samples of shape {a.shape} and {b.shape}", "expected (n, P) and (m, P)")
    u, v = _weights(weights, a), _weights(reference_weights, b)
    centre = v @ b
    sd = np.sqrt(v @ (b - centre) ** 2)
    if not (sd > 0).all():
        raise InputError("a parameter of the reference does not vary", "expected an SD above 0")
    a, b = (a - centre) / sd, (b - centre) / sd
    normal = generator(seed).standard_normal((directions, a.shape[1]))
    unit = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    power = [_power(a @ direction, b @ direction, u, v, order) for direction in unit]
    return float(np.mean(power) ** (1.0 / order))


def wasserstein(
    sample: np.ndarray,
    reference: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    reference_weights: np.ndarray | None = None,
    order: int = 1,
) -> float:
    """Return the Wasserstein distance of samples (n,) and (m,) in their own unit.

    Raises:
        InputError: If shapes disagree, a value is not finite, or weights are negative or sum to 0.
        UsageError: If the order is neither 1 nor 2.
    """
    a, b = np.asarray(sample, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if a.ndim != 1 or b.ndim != 1:
        raise InputError(f"samples of shape {a.shape} and {b.shape}", "expected (n,) and (m,)")
    u, v = _weights(weights, a), _weights(reference_weights, b)
    return float(_power(a, b, u, v, order) ** (1.0 / order))


def _weights(weights: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    """Weights that sum to 1, checked along with what they weigh."""
    n = len(values)
    if not n or not np.isfinite(values).all():
        raise InputError("a sample is empty or holds NaN or infinity", "expected numbers")
    if weights is None:
        return np.full(n, 1.0 / n)
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not np.isfinite(w).all() or (w < 0).any() or w.sum() <= 0:
        raise InputError(
            f"weights of shape {w.shape} for {n} draws", "expected one of at least 0 for each"
        )
    return w / w.sum()


def _power(a: np.ndarray, b: np.ndarray, u: np.ndarray, v: np.ndarray, order: int) -> float:
    """Integral over probability of |difference of the quantile functions| to the power `order`."""
    if order not in (1, 2):
        raise UsageError(f"order {order}", "expected 1 or 2")
    i, j = np.argsort(a), np.argsort(b)
    upto_a, upto_b = np.cumsum(u[i]), np.cumsum(v[j])
    upto_a[-1] = upto_b[-1] = 1.0
    edge = np.sort(np.concatenate([upto_a, upto_b]))
    middle = edge - 0.5 * np.diff(edge, prepend=0.0)
    at_a = np.minimum(np.searchsorted(upto_a, middle), a.size - 1)
    at_b = np.minimum(np.searchsorted(upto_b, middle), b.size - 1)
    gap = np.abs(a[i[at_a]] - b[j[at_b]])
    return float(np.diff(edge, prepend=0.0) @ gap**order)
