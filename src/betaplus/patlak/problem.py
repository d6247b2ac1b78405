r"""What the frames of a scan say about Ki and V0, in as much memory for many frames as for few.

Frames from t* on are :math:`y_f = a_f K_i + b_f V_0 + n_f` (`betaplus.physics.patlak`), their noise
independent, of variance :math:`s^2(v) / w_f`. Given the weights w, all that the frames say is in
M = B'WB, h = B'Wy and y'Wy (sufficient statistics). Methods see them in the parts of a static
image,

.. math:: u_1 = K_i a_L / c, \quad u_2 = V_0 b_L / c,

with L the last frame and c the activity of 1 SUV: both are in SUV, and their sum is the last frame
without noise. A prior of static images serves for both.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["PatlakMaps", "PatlakProblem"]


@dataclass(frozen=True, eq=False, kw_only=True)
class PatlakProblem:
    """The sufficient statistics of a scan.

    Attributes:
        h: B'Wy, shape (2, X, Y, Z) float32 [SUV]: the rows of B are a_f / a_L and b_f / b_L, y is
            in SUV, and the mean of the weights is 1.
        normal: M = B'WB for every axial slice, shape (2, 2, Z) float64; all alike unless the times
            of frames change along the bed.
        misfit: y'Wy - h'M^-1 h, the weighted square of what the best line leaves, shape (X, Y, Z)
            [SUV^2]; over the freedom, and averaged over a neighbourhood, it is s^2.
        noise: A combination of the frames in which every line cancels, of variance s^2, shape
            (X, Y, Z) [SUV].
        freedom: Frames less two, for every axial slice, shape (Z,).
        scale: Ki [mL/cm3/min] and V0 [mL/cm3] of u = 1, shape (2,) float64.
        voxel: Edges of a voxel [mm].
        mask: Voxels that are wanted, shape (X, Y, Z) bool; elsewhere maps are 0.
    """

    h: Tensor
    normal: Tensor
    misfit: Tensor
    noise: Tensor
    freedom: Tensor
    scale: Tensor
    voxel: tuple[float, float, float]
    mask: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        x, y, z = self.h.shape[1:]
        return x, y, z

    def least_squares(self) -> Tensor:
        """Return M^-1 h, shape (2, X, Y, Z) float32 [SUV]."""
        inverse = torch.linalg.inv(self.normal.movedim(2, 0)).movedim(0, 2)
        return torch.einsum("ijz,jxyz->ixyz", inverse.float(), self.h)


@dataclass(frozen=True, eq=False, kw_only=True)
class PatlakMaps:
    """What a method found.

    Attributes:
        u: u_1 and u_2, shape (2, X, Y, Z) float32 [SUV].
        std: Their posterior SD, likewise; None where the method has none.
        draws: Posterior draws, shape (K, 2, X, Y, Z); None likewise.
        found: What the method chose or saw, for the record.
    """

    u: Tensor
    std: Tensor | None = None
    draws: Tensor | None = None
    found: dict[str, float]
