r"""How noisy an image is, and how, read from the image itself.

The SD of noise in images of ordered-subsets expectation maximisation rises with the uptake around,
.. math:: n(v) = L(v)\, r(v)^{p}, \quad r = \sqrt{m^2 + m_0^2},
where m is a mean over about 1 cm. L comes from four bands of the image, each the difference of two
smoothings with the binomial filter (Starck and Murtagh's "a trous" transform): edges of organs are
in them too, but few, and their part is bounded by a multiple of the median. What the bands hold of
each other says how noise is correlated.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["EXPONENT", "NoiseMaps", "measure_noise"]

EXPONENT = 0.7
"""p; real images have 0.5 to 0.8."""

_FLOOR = 0.05  # m_0 [SUV]
_BANDS = 4
_MEAN = 2  # smoothings that make the mean
_POOL = 4  # voxels that are one for maps of the level
_POOL_STEPS = 4  # of the binomial filter there: standard deviation 1.4 of them
_MOST = 4.0  # times the median
_BODY = 0.1  # of the level of the brightest twentieth: below it an image is air
_BRIGHT = 0.95
_MEAN_OF_NORMAL = 0.79788  # of its absolute value
_MEDIAN_OF_NORMAL = 0.67449
_LEAST = 1e-4  # L at least
_SAMPLE = 1_000_003  # voxels of which quantiles are taken


@dataclass(frozen=True, eq=False, kw_only=True)
class NoiseMaps:
    """Maps of the shape of the image, (B, 1, X, Y, Z).

    Attributes:
        mean: m [SUV].
        scale: r [SUV].
        level: L.
        bands: Share of each band in L, shape (B, 4, X, Y, Z); their squares sum to 1.
        details: What each smoothing takes away, finest first, likewise [SUV].
    """

    mean: Tensor
    scale: Tensor
    level: Tensor
    bands: Tensor
    details: Tensor

    @property
    def sd(self) -> Tensor:
        """n, the SD of noise that is expected [SUV]."""
        return self.level * self.scale**EXPONENT


def measure_noise(image: Tensor) -> NoiseMaps:
    """Return the noise of images.

    Args:
        image: Shape (B, 1, X, Y, Z) [SUV], voxels of the denoiser.
    """
    smooth = [image]
    for band in range(_BANDS):
        smooth.append(_binomial(smooth[-1], 2**band))
    mean = smooth[_MEAN]
    scale = (mean.square() + _FLOOR**2).sqrt()
    power = scale**EXPONENT
    inside = torch.stack([_inside(item) for item in mean])
    details = [finer - coarser for finer, coarser in itertools.pairwise(smooth)]
    sizes, whole = [], []
    for detail in details:
        size = detail.abs() / power
        typical = torch.stack([_typical(s, i) for s, i in zip(size, inside, strict=True)])
        typical = typical.reshape(-1, 1, 1, 1, 1)
        sizes.append(torch.minimum(size, _MOST * typical) * inside)
        whole.append(typical)
    near = _around(torch.cat([inside.float(), *sizes], 1))
    known = (near[:, :1] * 50.0).clamp(max=1.0)  # far from the body that of all of it
    near = near[:, 1:] / near[:, :1].clamp_min(1e-3) / _MEAN_OF_NORMAL
    bands = known * near + (1.0 - known) * torch.cat(whole, 1)
    total = bands.square().sum(1, keepdim=True).clamp_min(_LEAST**2).sqrt()
    total, bands = (
        functional.interpolate(t, image.shape[2:], mode="trilinear") for t in (total, bands)
    )
    return NoiseMaps(
        mean=mean, scale=scale, level=total, bands=bands / total, details=torch.cat(details, 1)
    )


def _inside(mean: Tensor) -> Tensor:
    return mean > _BODY * torch.quantile(_some(mean), _BRIGHT)


def _some(values: Tensor) -> Tensor:
    """Return at most a million of the values, evenly taken."""
    flat = values.flatten()
    return flat[:: max(1, flat.numel() // _SAMPLE + 1)]


def _typical(size: Tensor, inside: Tensor) -> Tensor:
    """Return the SD of what has these absolute values, from their median."""
    values = size[inside] if bool(inside.any()) else size
    return _some(values).median() / _MEDIAN_OF_NORMAL


def _around(x: Tensor) -> Tensor:
    """Return means over a few centimetres, on a grid of fewer voxels."""
    edges = [min(_POOL, n) for n in x.shape[2:]]
    x = functional.avg_pool3d(x, edges, edges, ceil_mode=True, count_include_pad=False)
    for _ in range(_POOL_STEPS):
        x = _binomial(x, 1)
    return x


def _binomial(x: Tensor, step: int) -> Tensor:
    """Return x smoothed by (1, 2, 1) / 4 along each axis, with neighbours a step away."""
    for axis in (2, 3, 4):
        n = x.shape[axis]
        first, last = x.narrow(axis, 0, 1), x.narrow(axis, n - 1, 1)
        shape = list(x.shape)
        shape[axis] = step
        far = torch.cat([first.expand(shape), x, last.expand(shape)], axis)
        x = 0.5 * x + 0.25 * (far.narrow(axis, 0, n) + far.narrow(axis, 2 * step, n))
    return x
