r"""The nearest pair of images that adds up to the measured mixture.

.. math:: x_i \leftarrow x_i + \frac{v_i d_i}{\sum_j d_j^2 v_j} \Bigl(m - \sum_j d_j x_j\Bigr)

is the smallest change of both tracers, each frame in units of its variance v, after which
:math:`d_1 x_1 + d_2 x_2 = m` (a Lagrange multiplier for each voxel and frame). Variances are those
of the linear estimate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.problem import SeparationProblem

__all__ = ["projected"]

_CHUNK = 65536  # voxels


def projected(x: Tensor, problem: SeparationProblem, estimate: LinearEstimate) -> Tensor:
    """Return frame means of both tracers that add up to the mixture, shape (2, N, T) [scale].

    Args:
        x: Frame means of the voxels of the mask, shape (2, N, T).
        problem: The scan.
        estimate: Of its spaces.
    """
    mixture, noise = problem.mixture[problem.mask], problem.noise[problem.mask]
    d = torch.as_tensor(problem.decay, dtype=x.dtype)[:, None]
    out = torch.empty_like(x)
    for first in range(0, len(mixture), _CHUNK):
        part = slice(first, first + _CHUNK)
        v = estimate.curve_deviation(noise[part]).square().to(x.dtype)
        left = mixture[part] - (d * x[:, part]).sum(0)
        whole = (d.square() * v).sum(0)
        share = torch.where(whole > 0, v * d / whole.clamp_min(1e-30), 0.0)
        out[:, part] = x[:, part] + share * left
    return out
