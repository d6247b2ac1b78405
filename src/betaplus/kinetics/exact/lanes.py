"""Scalar pieces of the exact kernel that inline into its loops."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["FAST", "draw_plateau", "draw_truncated", "fast_log", "interpolate"]

FAST = {"reassoc", "contract", "arcp", "nsz"}
_LN2 = np.float32(0.6931471805599453)
_ONE = np.float32(1.0)
_HALF_BITS = np.int32(0x3F3504F3)  # float32 sqrt(1/2)
_MANTISSA = np.int32(23)


@numba.njit(inline="always", fastmath=FAST)
def fast_log(x):
    """Natural logarithm of a positive float32 to about 1e-7; vectorises, unlike the library's."""
    bits = np.float32(x).view(np.int32)
    exponent = np.int32(np.int32(bits - _HALF_BITS) >> _MANTISSA)
    mantissa = np.int32(bits - np.int32(exponent << _MANTISSA)).view(np.float32)
    f = (mantissa - _ONE) / (mantissa + _ONE)
    s = f * f
    series = s * (
        np.float32(0.6666667)
        + s * (np.float32(0.4) + s * (np.float32(0.2857143) + s * np.float32(0.2323)))
    )
    return np.float32(exponent) * _LN2 + f * (np.float32(2.0) + series)


@numba.njit(inline="always", fastmath=FAST)
def interpolate(table, position):
    """Straight line through the table at a fractional index; extrapolates at the ends."""
    i = min(max(int(position), 0), table.size - 2)
    return table[i] + (position - i) * (table[i + 1] - table[i])


@numba.njit(inline="always", fastmath=FAST)
def draw_truncated(u, centre, scale, low, high):
    """Draw from a logistic distribution truncated to [low, high] by its inverse CDF at `u`.

    A logistic in place of the Gaussian: its density and quantiles are elementary, its tails
    heavier, and importance weights make up for the rest. Scaled by the exponential of the nearer
    bound, so that it holds where [low, high] lies far out in a tail.

    Returns:
        The draw and its density.
    """
    flip = low + high > 2.0 * centre
    lo = (centre - high if flip else low - centre) / scale
    hi = (centre - low if flip else high - centre) / scale
    top = min(hi, 0.0)
    unit = np.exp(top)
    e_lo = np.exp(max(lo - top, -700.0))
    e_hi = np.exp(min(hi - top, 700.0))
    p_lo = e_lo / (1.0 + unit * e_lo)
    p_hi = e_hi / (1.0 + unit * e_hi)
    p = max(p_lo + u * (p_hi - p_lo), 1e-300)
    rest = max(1.0 - unit * p, 1e-300)
    x = min(max(top + np.log(p / rest), lo), hi)
    density = p * rest / max((p_hi - p_lo) * scale, 1e-300)
    return (centre - scale * x if flip else centre + scale * x), density


@numba.njit(inline="always", fastmath=FAST)
def draw_plateau(u, edge, width, low, high):
    """Draw x in [low, high] with log x flat below log(edge) and falling off above it.

    The density of log x is the Fermi function 1 / (1 + exp((log x - log edge) / width)): the shape
    of a log-uniform prior under a likelihood that only bounds x from above.

    Returns:
        The draw and its density in x.
    """
    lo, hi = np.log(low / edge) / width, np.log(high / edge) / width
    # F(t) = t - log(1 + exp(t)) = -log(1 + exp(-t)), written for either sign of t
    at_lo = lo - np.log1p(np.exp(lo)) if lo < 0 else -np.log1p(np.exp(-lo))
    at_hi = hi - np.log1p(np.exp(hi)) if hi < 0 else -np.log1p(np.exp(-hi))
    level = at_lo + u * (at_hi - at_lo)
    t = min(max(-np.log(max(np.expm1(-level), 1e-300)), lo), hi)
    x = edge * np.exp(width * t)
    density = 1.0 / ((1.0 + np.exp(min(t, 600.0))) * max((at_hi - at_lo) * width, 1e-300) * x)
    return x, density
