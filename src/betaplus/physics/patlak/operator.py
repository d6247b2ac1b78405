r"""The Patlak model of frame means, exactly.

For tracer that is trapped and tissue in equilibrium with plasma, from t* on,

.. math:: C(t) = K_i \int_0^t C_p(s) ds + V_0 C_p(t)

(Patlak, Blasberg and Fenstermacher, J Cereb Blood Flow Metab 1983, 3:1-7). A frame sees the mean of
both sides, decay inside the frame included: y_f = Ki a_f + V0 b_f, with a_f the frame mean of the
integral and b_f that of the input. Values at mid-times would bias Ki, division by the input would
spoil the noise; neither is done.
"""

from __future__ import annotations

import torch
from torch import Tensor

from betaplus.physics.least_squares import ordered_sum
from betaplus.physics.response import InputResponse

__all__ = ["PatlakOperator"]


class PatlakOperator:
    """Frame means from (Ki, V0), with its adjoint.

    Args:
        response: Input function and frames.
        delay: Arrival at the tissue after the blood sampler [s].

    Attributes:
        matrix: B, shape (T, 2): a_f [input unit x min] and b_f [input unit].
    """

    def __init__(self, response: InputResponse, delay: float = 0.0) -> None:
        zero = torch.zeros((), dtype=torch.float64, device=response.knots.device)
        integral = response.tissue(zero, delay)
        self.matrix = torch.stack([integral, response.plasma_mean(delay)], -1)

    @property
    def in_shape(self) -> tuple[int]:
        """Ki [mL/cm3/min], V0 [mL/cm3]."""
        return (2,)

    @property
    def out_shape(self) -> tuple[int]:
        """Frames."""
        return (len(self.matrix),)

    def forward(self, x: Tensor) -> Tensor:
        """Return B x, shape (..., T) [input unit], of x, shape (..., 2)."""
        return x[..., :1] * self.matrix[:, 0] + x[..., 1:] * self.matrix[:, 1]

    def adjoint(self, y: Tensor) -> Tensor:
        """Return B^T y, shape (..., 2), of y, shape (..., T)."""
        return torch.stack([ordered_sum(y * column) for column in self.matrix.T], -1)

    def normal(self, weight: Tensor) -> Tensor:
        """Return B^T W B, shape (..., 2, 2), of frame weights, shape (..., T); 0 leaves one out."""
        return self.adjoint(weight[..., None, :] * self.matrix.T)
