r"""Patlak's plot where the early input is missing: the relative slope.

Zuo, Qi and Wang, Phys Med Biol 2018, 63:165004: with the integral taken from T instead of from the
injection,

.. math:: \int_0^t C_p = \int_T^t C_p + S, \qquad S = \int_0^T C_p ,

Patlak's equation becomes :math:`C = K_i \int_T^t C_p + V_0 C_p + K_i S`. The constant 1, projected
on what is left, is :math:`\alpha \int_T^t C_p + \beta C_p`, so that least squares, which is linear,
gives

.. math:: K_i' = (1 + \alpha S) K_i, \qquad V_0' = V_0 + \beta S K_i :

a slope that is Ki times a factor, unknown but the same for all voxels of the same frames and
weights, and an intercept that is *not* V0 times a factor. With alpha, beta > 0 both are above Ki
and V0. What of the constant is outside that span (nothing, where the input falls as one
exponential) stays in the residuals, in proportion to Ki.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.input_function import InputCurve
from betaplus.core.units import SECONDS_PER_MINUTE

__all__ = ["RelativeInput", "integral_until"]


@dataclass(frozen=True, kw_only=True)
class RelativeInput:
    """What becomes of Ki and V0; multiply alpha and beta by S [input unit x min].

    Attributes:
        alpha: Ki' = (1 + alpha S) Ki [1 / (input unit x min)].
        beta: V0' = V0 + beta S Ki [1 / input unit].
        bend: Root mean square of 1 - alpha a - beta b over the frames, by their weights: the part
            of S Ki that stays in the residuals.
    """

    alpha: float
    beta: float
    bend: float

    @classmethod
    def of(cls, matrix: np.ndarray, weight: np.ndarray) -> RelativeInput:
        """Fit the constant 1.

        Args:
            matrix: a and b of the frames, integral from T, shape (F, 2).
            weight: Weights of the frames, shape (F,).
        """
        root = np.sqrt(weight)
        values = np.linalg.lstsq(matrix * root[:, None], root, rcond=None)[0]
        rest = root * (1.0 - matrix @ values)
        bend = float(np.sqrt((rest**2).sum() / weight.sum()))
        return cls(alpha=float(values[0]), beta=float(values[1]), bend=bend)


def integral_until(curve: InputCurve, end: float) -> float:
    """Return the integral of plasma from the first knot to `end` [s], in input unit x min."""
    before = curve.time < end
    time = np.append(curve.time[before], end)
    plasma = np.append(curve.plasma[before], np.interp(end, curve.time, curve.plasma))
    return float(np.trapezoid(plasma, time)) / SECONDS_PER_MINUTE
