"""What the Patlak model makes of frames without noise: the maps that a method can reach."""

from __future__ import annotations

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.simulation.dynamic_study.person import LAST

__all__ = ["patlak_basis", "patlak_fit"]


def patlak_basis(
    blood: InputFunction, timing: FrameTiming, half_life: float, per_suv: float
) -> np.ndarray:
    """Return B, shape (T, 2): frame means of the integral of plasma [SUV min], of plasma [SUV]."""
    from betaplus.physics.patlak import PatlakOperator
    from betaplus.physics.response import InputResponse

    operator = PatlakOperator(InputResponse(blood.curve(LAST), timing, half_life))
    return np.asarray(operator.matrix.numpy() / per_suv)


def patlak_fit(
    frames: np.ndarray, basis: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return Ki and V0 by least squares, each shape (X, Y, Z) float32.

    Args:
        frames: Shape (X, Y, Z, T) [SUV].
        basis: B of each slice, shape (Z, T, 2) [SUV min], [SUV].
        weights: Of frames, shape (T,); all alike if None.
    """
    w = np.ones(basis.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
    weighted = basis * w[:, None]
    normal = np.einsum("zti,ztj->zij", weighted, basis)
    solve = np.linalg.solve(normal, weighted.transpose(0, 2, 1)).astype(np.float32)
    Ki, V0 = np.einsum("zit,xyzt->ixyz", solve, frames, optimize=True)
    return np.ascontiguousarray(Ki), np.ascontiguousarray(V0)
