"""What accepted particles would have been, had their simulations hit the data.

Local-linear regression of the coordinates on the statistics moves each particle to the observed
statistics (Beaumont, Zhang and Balding, Genetics 2002); regression of the residuals' logarithms
rescales them where their spread changes too (Blum and Francois, Stat. Comput. 2010).
"""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.abc.statistics import covariance

__all__ = ["adjusted"]

_RIDGE = 1e-9
_MOST = 1.0  # of the log of a rescaling


def adjusted(v: np.ndarray, s: np.ndarray, weight: np.ndarray, *, rescale: bool) -> np.ndarray:
    """Return the coordinates v (n, D) moved from statistics s (n, k) to 0.

    Args:
        v: Coordinates.
        s: Statistics; those of the data are 0.
        weight: Normalised weights, shape (n,).
        rescale: Whether to rescale the residuals.
    """
    slopes, centre, middle = _fit(s, v, weight)
    residual = v - middle - (s - centre) @ slopes
    at_data = middle - centre @ slopes
    if rescale:
        log = np.log(residual * residual + 1e-12)
        slopes, _, _ = _fit(s, log, weight)
        residual = residual * np.exp(np.clip(-0.5 * (s @ slopes), -_MOST, _MOST))
    return at_data + residual


def _fit(
    s: np.ndarray, v: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes of v on s (k, D), and the weighted means of both."""
    centre, _, spread = covariance(s, s, weight)
    _, middle, with_v = covariance(s, v, weight)
    spread[np.diag_indices(len(spread))] += _RIDGE * np.trace(spread) / len(spread) + 1e-300
    return np.linalg.solve(spread, with_v), centre, middle
