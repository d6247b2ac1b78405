"""Perfusion from uptake: the Renkin-Crone extraction of a tracer at its first pass.

K1 = F E(F) with E = 1 - a exp(-b / F) (Renkin 1959; Crone 1963): freely diffusible O-15 water has
E = 1. F is flow per volume of tissue [mL/cm3/min].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from betaplus.core.errors import UsageError

__all__ = ["EXTRACTIONS", "find_extraction", "flow_from_uptake", "uptake_from_flow"]

EXTRACTIONS = {
    "water": (0.0, 1.0),
    "ammonia": (0.607, 1.25),
    "rubidium": (0.77, 0.63),
}
"""a and b [mL/cm3/min]: O-15 water; N-13 ammonia (DeGrado et al., J Nucl Cardiol 1996, 3:494-507);
Rb-82 (Lortie et al., Eur J Nucl Med Mol Imaging 2007, 34:1765-1774)."""

_STEPS = 80


def find_extraction(text: str) -> tuple[float, float]:
    """Return a and b [mL/cm3/min] by tracer, or from ``a,b``.

    Raises:
        UsageError: If it is neither.
    """
    if text in EXTRACTIONS:
        return EXTRACTIONS[text]
    try:
        a, b = (float(part) for part in text.split(","))
    except ValueError:
        a, b = np.nan, np.nan
    if not (0 <= a < 1 and 0 < b < np.inf):
        raise UsageError(
            f"extraction {text!r}",
            f"expected {', '.join(EXTRACTIONS)} or a,b with a from 0 to 1 and b above 0",
        )
    return a, b


def uptake_from_flow(flow: ArrayLike, a: float, b: float) -> np.ndarray:
    """Return K1 [mL/cm3/min] of flow F [mL/cm3/min], any shape."""
    flow = np.asarray(flow, dtype=np.float64)
    return flow * (1.0 - a * np.exp(-b / np.maximum(flow, 1e-300)))


def flow_from_uptake(K1: ArrayLike, a: float, b: float) -> np.ndarray:
    """Return the flow F [mL/cm3/min] that gives K1 [mL/cm3/min], any shape.

    K1 grows with F and lies between (1 - a) F and F, so bisection always ends.
    """
    K1 = np.asarray(K1, dtype=np.float64)
    low, high = K1.copy(), K1 / (1.0 - a)
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        above = uptake_from_flow(middle, a, b) > K1
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return 0.5 * (low + high)
