"""The SD of noise around each place, from values among which some are signal.

It is a mean of absolute values over some centimetres, of which none counts for more than a multiple
of what is typical there: what is rare and large does not raise it much.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from betaplus.denoising.separable import along_axes, gaussian_matrix

__all__ = ["local_scale"]

_MOST = 2.5  # times the local SD
_CLIPPED_MEAN = 0.79390  # E[min(|x|, 2.5)] of a standard normal x
_MEDIAN_OF_NORMAL = 0.67449
_ROUNDS = 3
_KNOWN = 0.02  # share of the neighbourhood that must be in the mask for it to be used fully
_SAMPLE = 1_000_003
_PER_REACH = 6.0  # values along the reach that are looked at, at least
_PER_POOL = 2  # of them, that are one for the map


def local_scale(
    values: Tensor,
    mask: Tensor,
    voxel: Sequence[float],
    reach: float,
    shape: Sequence[int] | None = None,
) -> Tensor:
    """Return the robust local SD of values of mean 0, shape (1, 1, X, Y, Z).

    Args:
        values: Shape (1, 1, X, Y, Z).
        mask: Where they count, likewise, bool. Where none is near, the SD is that of all of it.
        voxel: Voxel edges [mm].
        reach: Standard deviation of the neighbourhood [mm].
        shape: Voxels in the same field of view that it is wanted for; those of the values if None.
    """
    full = values.shape[2:] if shape is None else shape
    steps = [
        max(1, min(n // 4, int(reach / _PER_REACH / v)))
        for n, v in zip(values.shape[2:], voxel, strict=True)
    ]
    part = (..., *(slice(step // 2, None, step) for step in steps))
    size, inside = values[part].abs(), mask[part]
    pools = [
        max(1, min(n, round(_PER_POOL * reach / _PER_REACH / (v * step))))
        for n, v, step in zip(size.shape[2:], voxel, steps, strict=True)
    ]
    smooth = [
        gaussian_matrix(-(-n // p), reach / (p * step * v), zeros=True)
        for n, p, step, v in zip(size.shape[2:], pools, steps, voxel, strict=True)
    ]

    def near(x: Tensor) -> Tensor:
        x = functional.avg_pool3d(x, pools, pools, ceil_mode=True, count_include_pad=False)
        return along_axes(x, smooth)

    counted = size[inside]
    typical = float(_some(counted if counted.numel() else size).median()) / _MEDIAN_OF_NORMAL
    weight = near(inside.to(size.dtype))
    known = (weight / _KNOWN).clamp(max=1.0)
    scale = torch.full_like(weight, typical)
    for _ in range(_ROUNDS):
        bounded = torch.minimum(size, _MOST * _spread(scale, size.shape[2:])).mul_(inside)
        found = near(bounded) / weight.clamp_min(_KNOWN / 10.0) / _CLIPPED_MEAN
        scale = known * found + (1.0 - known) * typical
    return _spread(scale, full)


def _spread(coarse: Tensor, shape: Sequence[int]) -> Tensor:
    return functional.interpolate(coarse, tuple(shape), mode="trilinear")


def _some(values: Tensor) -> Tensor:
    flat = values.flatten()
    return flat[:: flat.numel() // _SAMPLE + 1]
