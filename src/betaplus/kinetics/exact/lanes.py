"""Scalar pieces of the exact kernel that inline into its loops."""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.exact.compile import kernel

__all__ = ["draw_plateau", "draw_truncated", "interpolate"]


@kernel
def interpolate(table, position):
    """Straight line through the table at a fractional index; extrapolates at the ends."""
    i = min(max(int(position), 0), table.size - 2)
    return table[i] + (position - i) * (table[i + 1] - table[i])


@kernel
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
    p = max(p_lo + (1.0 - u if flip else u) * (p_hi - p_lo), 1e-300)
    rest = max(1.0 - unit * p, 1e-300)
    x = min(max(top + np.log(p / rest), lo), hi)
    density = p * rest / max((p_hi - p_lo) * scale, 1e-300)
    return (centre - scale * x if flip else centre + scale * x), density


@kernel
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
