r"""The simplified reference tissue model: a region's curve from that of one without binding.

.. math:: C_T = R_1 C_R + (k_2 - R_1 k_{2a}) \, C_R \otimes e^{-k_{2a} t},
          \quad k_{2a} = k_2 / (1 + BP_{ND})

(Lammertsma and Hume, NeuroImage 1996, 4:153-158). The first term is the reference region's own
frame means, as measured; only the convolution needs the curve behind them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from betaplus.physics.response import InputResponse
from betaplus.physics.response_spline import ResponseSpline

__all__ = ["SrtmJacobian", "srtm"]


def srtm(
    response: InputResponse, reference: Tensor, R1: Tensor, k2: Tensor, BPND: Tensor
) -> Tensor:
    """Return frame means of the region, shape (..., T) [input unit].

    Args:
        response: Curve of the reference region (as plasma) and frames.
        reference: Frame means of the reference region, shape (T,) [input unit].
        R1: K1 over that of the reference region, shape (...).
        k2: Shape (...) [1/min].
        BPND: Shape (...), above -1.
    """
    k2a = k2 / (1.0 + BPND)
    retained = (k2 - R1 * k2a)[..., None] * response.tissue(k2a)
    return R1[..., None] * reference + retained


class SrtmJacobian:
    """Frame means of the model and their derivatives; elementwise, no autograd.

    Args:
        reference: Frame means of the reference region, shape (T,) [input unit].
        spline: Responses of its curve, without a delay.
    """

    parameters = ("R1", "k2", "BPND")

    def __init__(self, reference: Tensor, spline: ResponseSpline) -> None:
        self.reference, self.spline = reference, spline

    def __call__(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return curves (n, T) [input unit] and derivatives (n, 3, T) of R1, k2, BPND (n, 3)."""
        R1, k2, BPND = (v[:, None] for v in values.unbind(-1))
        share = 1.0 / (1.0 + BPND)
        k2a = k2 * share
        convolved, slope, _ = self.spline.tissue(k2a[:, 0].contiguous(), None)
        amplitude = k2 - R1 * k2a
        by_k2a = amplitude * slope - R1 * convolved
        by = [
            self.reference - k2a * convolved,
            convolved + by_k2a * share,
            -by_k2a * (k2a * share),
        ]
        return R1 * self.reference + amplitude * convolved, torch.stack(by, 1)
