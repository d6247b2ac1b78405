"""Means of tissues are kept: what a denoiser took from a whole tissue is given back.

What is taken away is noise, whose mean over many voxels is near 0. Where its mean over a tissue is
not, uptake was moved, as a mean given a noisy image does near borders. The residual is averaged
over a neighbourhood of some centimetres and there over places of like uptake, so that marrow is
averaged with marrow and not with the muscle around it: a bilateral grid (Chen, Paris and Durand,
ACM Trans Graph 26, 103, 2007) of the denoised image. Averages go back in full; their noise is that
of the mean of a tissue in the noisy image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from betaplus.denoising.separable import along_axes, gaussian_matrix

__all__ = ["kept_means"]

_CELL = 12.0  # mm, of the grid of averages
_WIDE = 18.0  # mm, standard deviation of the neighbourhood
_LEAST = 0.1  # SUV: below it uptakes count as alike
_BIN = 0.25  # of the logarithm of the uptake
_TINY = 1e-3


def kept_means(residual: Tensor, denoised: Tensor, voxel: tuple[float, ...]) -> Tensor:
    """Return the mean of a residual over places around that have a like uptake.

    Args:
        residual: Noisy minus denoised, shape (1, 1, X, Y, Z) [SUV].
        denoised: Likewise.
        voxel: Voxel edges [mm].
    """
    place = ((denoised.clamp_min(0.0) + _LEAST) / _LEAST).log() / _BIN
    shape = denoised.shape[2:]
    pools = [max(1, min(n, round(_CELL / v))) for n, v in zip(shape, voxel, strict=True)]
    total, weight = torch.zeros_like(residual), torch.zeros_like(residual)
    matrices: list[Tensor] = []
    for number in range(math.ceil(float(place.max())) + 1):
        share = (1.0 - (place - number).abs()).clamp_min_(0.0)
        if not share.any():
            continue
        both = torch.cat([share * residual, share])
        cells = functional.avg_pool3d(both, pools, pools, ceil_mode=True, count_include_pad=False)
        if not matrices:
            edges = [p * v for p, v in zip(pools, voxel, strict=True)]
            matrices = [
                gaussian_matrix(n, _WIDE / e, zeros=True)
                for n, e in zip(cells.shape[2:], edges, strict=True)
            ]
        cells = along_axes(cells, matrices)
        near = functional.interpolate(cells, tuple(shape), mode="trilinear")
        total += share * near[:1]
        weight += share * near[1:]
    return total / weight.clamp_min(_TINY)
