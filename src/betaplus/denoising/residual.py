r"""Scores of a residual smoothed to some width, and how large they get where it is noise.

How much a sum of correlated noise varies is not derived but seen: each smoothed residual is divided
by its robust local SD. The largest score of a volume of Gaussian noise is above u with probability
about
.. math:: R\, (4 \ln 2)^{3/2} (2 \pi)^{-2} (u^2 - 1) e^{-u^2 / 2}
(Worsley et al., Hum Brain Mapp 4, 58, 1996), with R the volume in units of the field's widths,
which come from the differences of neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from betaplus.denoising.local_scale import local_scale
from betaplus.denoising.separable import along_axes, gaussian_matrix

__all__ = ["bend", "largest_score", "lean", "resels", "scores", "smoothed", "whitened"]

_MEDIAN_OF_NORMAL = 0.67449
_SAMPLE = 1_000_003
_TAIL = 0.02  # quantile whose distances from 0 tell how skewed scores are
_MOST_LEAN = 0.5
_NORMAL_TAIL = 2.05375  # of a standard normal value
_PER_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))


def whitened(noisy: Tensor, output: Tensor, sd: Tensor) -> Tensor:
    """Return (noisy - output) / sd, and 0 where the SD is 0, shape (1, 1, X, Y, Z)."""
    return torch.where(sd > 0, (noisy - output) / sd.clamp_min(1e-12), 0.0)


def smoothed(x: Tensor, voxel: Sequence[float], width: float, *, zeros: bool = False) -> Tensor:
    """Return a volume (1, 1, X, Y, Z) through a Gaussian.

    Args:
        x: The volume.
        voxel: Voxel edges [mm].
        width: Full width at half maximum [mm].
        zeros: Whether zeros lie beyond the volume, or else its last voxels go on.
    """
    sigma = width / _PER_FWHM
    axes = zip(x.shape[2:], voxel, strict=True)
    return along_axes(x, [gaussian_matrix(n, sigma / v, zeros=zeros) for n, v in axes])


def scores(
    residual: Tensor, mask: Tensor, voxel: Sequence[float], width: float, reach: float
) -> tuple[Tensor, Tensor]:
    """Return scores of a whitened residual smoothed to a width, and the SD they were divided by.

    Args:
        residual: `whitened`, shape (1, 1, X, Y, Z).
        mask: Where to look, likewise; scores are 0 elsewhere.
        voxel: Voxel edges [mm].
        width: Full width at half maximum of the filter [mm].
        reach: Standard deviation of the neighbourhood that tells the SD [mm].
    """
    # A last voxel that went on would count many times, and its noise stand out.
    field = smoothed(residual, voxel, width, zeros=True)
    scale = local_scale(field, mask, voxel, reach)
    return torch.where(mask & (scale > 0), field / scale.clamp_min(1e-12), 0.0), scale


def resels(z: Tensor, mask: Tensor) -> float:
    """Return the volume of the mask in units of the widths of a field of SD 1."""
    count = float(mask.sum())
    for axis in (2, 3, 4):
        n = z.shape[axis]
        inside = mask.narrow(axis, 1, n - 1) & mask.narrow(axis, 0, n - 1)
        steps = (z.narrow(axis, 1, n - 1) - z.narrow(axis, 0, n - 1))[inside].abs()
        if steps.numel():
            sd = float(steps[:: steps.numel() // _SAMPLE + 1].median()) / _MEDIAN_OF_NORMAL
            count *= min(sd / math.sqrt(4.0 * math.log(2.0)), 1.0)
    return max(count, 1.0)


def largest_score(resels: float, error: float) -> float:
    """Return what the largest value of a Gaussian field exceeds with a probability."""
    scale = resels * (4.0 * math.log(2.0)) ** 1.5 / (2.0 * math.pi) ** 2
    low, high = 2.0, 40.0
    while high - low > 1e-6:
        u = 0.5 * (low + high)
        if scale * (u * u - 1.0) * math.exp(-0.5 * u * u) > error:
            low = u
        else:
            high = u
    return high


def lean(z: Tensor, mask: Tensor) -> float:
    """Return s >= 0 of scores that are distributed as (exp(s g) - 1) / s of a normal g.

    Noise of images that cannot be below 0 has a long upper tail, the longer the lower the dose and
    the smaller the filter. What is to be found is too rare to matter for the quantiles.
    """
    values = z[mask]
    if values.numel() < 1.0 / _TAIL:
        return 0.0
    values = values[:: values.numel() // _SAMPLE + 1]
    low, high = torch.quantile(values, torch.tensor([_TAIL, 1.0 - _TAIL])).tolist()
    if not low < 0.0 < high:
        return 0.0
    return min(max(math.log(-high / low) / _NORMAL_TAIL, 0.0), _MOST_LEAN)


def bend(u: float, lean: float) -> float:
    """Return the score that a normal u > 0 becomes where scores lean (`lean`)."""
    return math.expm1(lean * u) / lean if lean > 1e-6 else u
