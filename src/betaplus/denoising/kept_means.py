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

from betaplus.core.crew import ThreadCrew
from betaplus.denoising.separable import along_axes, gaussian_matrix

__all__ = ["kept_means"]

_CELL = 12.0  # mm, of the grid of averages
_WIDE = 18.0  # mm, standard deviation of the neighbourhood
_LEAST = 0.1  # SUV: below it uptakes count as alike
_BIN = 0.25  # of the logarithm of the uptake
_TINY = 1e-3
_MOST = 4  # bins at a time: each takes six volumes


def kept_means(
    residual: Tensor, denoised: Tensor, voxel: tuple[float, ...], threads: int = 1
) -> Tensor:
    """Return the mean of a residual over places around that have a like uptake.

    Args:
        residual: Noisy minus denoised, shape (1, 1, X, Y, Z) [SUV].
        denoised: Likewise.
        voxel: Voxel edges [mm].
        threads: To compute with; bits do not depend on it.
    """
    place = ((denoised.clamp_min(0.0) + _LEAST) / _LEAST).log() / _BIN
    shape = denoised.shape[2:]
    pools = [max(1, min(n, round(_CELL / v))) for n, v in zip(shape, voxel, strict=True)]
    matrices = [
        gaussian_matrix(-(-n // p), _WIDE / (p * v), zeros=True)
        for n, p, v in zip(shape, pools, voxel, strict=True)
    ]
    total, weight = torch.zeros_like(residual), torch.zeros_like(residual)
    bins = math.ceil(float(place.max())) + 1
    shared = (residual, place, pools, matrices)
    threads = min(threads, _MOST)
    for first in range(0, bins, threads):  # so that no more are in memory
        some = min(threads, bins - first)
        for found in ThreadCrew(threads).each(_near, shared, some, lambda i, n=first: (n + i,)):
            if found:
                total += found["share"] * found["near"][:1]
                weight += found["share"] * found["near"][1:]
    return total / weight.clamp_min(_TINY)


def _near(shared: tuple[Tensor, Tensor, list[int], list[Tensor]], number: int) -> dict[str, Tensor]:
    """Return how much places belong to a bin, and averages of residual and of that around them."""
    residual, place, pools, matrices = shared
    share = (1.0 - (place - number).abs()).clamp_min_(0.0)
    if not share.any():
        return {}
    both = torch.cat([share * residual, share])
    cells = functional.avg_pool3d(both, pools, pools, ceil_mode=True, count_include_pad=False)
    cells = along_axes(cells, matrices)
    near = functional.interpolate(cells, tuple(place.shape[2:]), mode="trilinear")
    return {"share": share, "near": near}
