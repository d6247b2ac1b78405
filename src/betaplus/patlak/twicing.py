r"""Twicing: what a fit leaves of the data, smoothed in its turn, is added to it.

A denoiser takes too much off a lesion, or out of a tissue that it knows as another: the bias is in
what is left of the data, :math:`\hat u - u`, under its noise. A mean over many voxels brings it out
(Tukey, Exploratory Data Analysis, 1977, chapter 16). Here over voxels around that are alike in u,
which has little noise: what is missing in a lesion is not spread over its surroundings.

.. math::
    u + K (\hat u - u), \quad K_{ij} \propto \exp(-D_{ij} / h^2)

with D the distance of `KernelMatrix` between both maps, whitened by M: in units of the noise that
`nlm` compares voxels with.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.patlak.kernel_rows import KernelMatrix
from betaplus.patlak.non_local import shifts_within
from betaplus.patlak.problem import PatlakProblem
from betaplus.patlak.smoothed import make_guide, mean_normal

__all__ = ["twiced"]

_GUIDE = 0.7  # width of the filter whose noise is the unit, that of `nlm`
_SPACING = 3.0  # between voxels of the window [mm]: closer ones share their noise


def twiced(
    problem: PatlakProblem,
    u: Tensor,
    *,
    alike: float,
    search: float,
    coupled: bool = True,
    crew: Crew | None = None,
) -> Tensor:
    """Return maps with what they leave of the data, shape (2, X, Y, Z) float32 [SUV].

    Args:
        problem: The scan.
        u: Maps, 0 outside the mask, likewise.
        alike: h.
        search: Radius of the window, over the width that suits the noise.
        coupled: Whether voxels are to be alike in both maps; else in the one that is added to.
        crew: Who computes, and keeps what is finished; one thread here if None.
    """
    guide = make_guide(problem, _GUIDE)
    if guide.matched == 0.0:  # no noise: nothing is left
        return u
    half = shifts_within(problem.voxel, search * guide.matched, _SPACING)
    shifts = np.array([(0, 0, 0), *half, *([-a for a in d] for d in half)], np.int64)
    left = (problem.least_squares().to(u) - u) * problem.mask

    def averaged(features: Tensor, values: Tensor, kept: str) -> Tensor:
        matrix = KernelMatrix(
            features=features.contiguous().numpy(), variance=guide.variance.numpy(),
            mask=problem.mask.numpy(), shifts=shifts, neighbours=len(shifts), strength=alike,
            crew=crew or ThreadCrew(),
        )  # fmt: skip
        return matrix.forward(values.contiguous(), kept)

    mean = mean_normal(problem)
    if coupled:
        root = torch.linalg.cholesky(mean).to(u)
        return u + averaged(torch.einsum("ij,ixyz->jxyz", root, u), left, "twicing")
    own = (2.0 / torch.linalg.inv(mean).diagonal()).sqrt().to(u)  # D is 1 of one map alone as well
    nothing = torch.zeros_like(u[0])
    added = [
        averaged(torch.stack([u[i] * own[i], nothing]), left, f"twicing-{i + 1}")[i]
        for i in range(2)
    ]
    return u + torch.stack(added)
