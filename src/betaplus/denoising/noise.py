r"""How noisy an image is, and how, read from the image itself.

The SD of noise in images of ordered-subsets expectation maximisation rises with the uptake around,
.. math:: n(v) = L(v)\, r(v)^{p}, \quad r = \sqrt{m^2 + m_0^2},
where m is a mean over about 1 cm. L comes from four bands of the image, each the difference of two
smoothings with the binomial filter (Starck and Murtagh's "a trous" transform). Edges of organs are
in them too: roots are averaged, in which what is few and large weighs little, and the level of a
band is bounded by multiples of what it is in the quiet parts of the scan, since noise over uptake
does not change much from place to place, but a brain is all edges. What the bands hold of each
other says how noise is correlated.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["BANDS", "EXPONENT", "NoiseMaps", "grain", "measure_noise", "noise_level", "smoothed"]

EXPONENT = 0.7
"""p; real images have 0.5 to 0.8."""

BANDS = 4
"""Details of an image."""

_FLOOR = 0.05  # m_0 [SUV]
_MEAN = 2  # smoothings that make the mean
_POOL = 4  # voxels that are one for maps of the level
_POOL_STEPS = 4  # of the binomial filter there: standard deviation 1.4 of them
_BODY = 0.1  # of the level of the brightest twentieth: below it an image is air
_BRIGHT = 0.95
_QUIETEST = 0.15  # quantile
_LOW, _HIGH = 0.6, 1.8  # times that: what the level may be anywhere
_THIN, _FULL = 1e-3, 0.02  # shares of the body in a neighbourhood
_ROOT_OF_NORMAL = 0.67600  # squared mean of the root of its absolute value
_MEDIAN_OF_NORMAL = 0.67449  # of its absolute value
_LEAST = 1e-4  # level of a band at least
_SAMPLE = 1_000_003  # voxels of which quantiles are taken


@dataclass(frozen=True, eq=False, kw_only=True)
class NoiseMaps:
    """Maps of the shape of the image, (B, 1, X, Y, Z).

    Attributes:
        mean: m [SUV].
        scale: r [SUV].
        level: L.
        bands: Level of each band over L, shape (B, 4, X, Y, Z); the squares of the first two, which
            hold nearly all noise, sum to 1.
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

    @property
    def none(self) -> bool:
        """Whether nothing that could be noise was found."""
        return bool((self.level <= 2.0 * _LEAST).all())


def measure_noise(image: Tensor, quiet: Tensor | None = None) -> NoiseMaps:
    """Return the noise of images.

    Args:
        image: Shape (B, 1, X, Y, Z) [SUV], voxels of the denoiser.
        quiet: Level of each band where a scan has least structure, shape (B, 4), if the image is a
            part of that scan; measured on the image itself if None.
    """
    smooth = [image]
    for band in range(BANDS):
        smooth.append(smoothed(smooth[-1], 2**band))
    mean = smooth[_MEAN]
    scale = (mean.square() + _FLOOR**2).sqrt()
    power = scale**EXPONENT
    inside = torch.stack([_inside(item) for item in mean])
    details = torch.cat([finer - coarser for finer, coarser in itertools.pairwise(smooth)], 1)
    roots = (details.abs() / power).sqrt() * inside
    near = _around(torch.cat([inside.float(), roots], 1))
    share = near[:, :1]
    near = (near[:, 1:] / share.clamp_min(_THIN)).square() / _ROOT_OF_NORMAL
    if quiet is None:
        quiet = torch.stack([_quiet(n, s) for n, s in zip(near, share, strict=True)])
    least = _bounded(quiet).reshape(len(image), BANDS, 1, 1, 1)
    known = (share / _FULL).clamp(max=1.0)  # far from the body that of the scan
    bands = known * near.clamp(_LOW * least, _HIGH * least) + (1.0 - known) * least
    total = bands[:, :2].square().sum(1, keepdim=True).sqrt()
    total, bands = (
        functional.interpolate(t, image.shape[2:], mode="trilinear") for t in (total, bands)
    )
    return NoiseMaps(mean=mean, scale=scale, level=total, bands=bands / total, details=details)


def grain(image: Tensor) -> Tensor:
    """Return the local SD of what changes from voxel to voxel along two axes at a time.

    Of edges little does so, least of those that lie along an axis, and of noise much, unless a
    filter took it: it says how noise differs from place to place where edges hide that. The SD of
    white noise is given back.

    Args:
        image: Shape (B, 1, X, Y, Z).
    """
    roots = torch.zeros_like(image)
    for axes in ((2, 3), (2, 4), (3, 4)):
        change = image
        for axis in axes:
            change = _bent(change, axis)
        roots += change.abs().sqrt_()
    near = (_around(roots / 3.0) / math.sqrt(6.0)).square() / _ROOT_OF_NORMAL
    return functional.interpolate(near, image.shape[2:], mode="trilinear")


def noise_level(image: Tensor, noise: Tensor) -> Tensor:
    """Return the level of each band of known noise: medians over the body, shape (4,).

    Args:
        image: With the noise, shape (1, 1, X, Y, Z) [SUV].
        noise: Alone, likewise.
    """
    around = [image, noise]
    levels = []
    for band in range(BANDS):
        coarser = smoothed(torch.cat(around), 2**band)
        levels.append((around[1] - coarser[1:]).abs())
        around = [coarser[:1], coarser[1:]]
        if band + 1 == _MEAN:
            mean = coarser[:1]
    power = (mean.square() + _FLOOR**2) ** (EXPONENT / 2)
    inside = _inside(mean)
    inside = inside if bool(inside.any()) else torch.ones_like(inside)
    return torch.stack([(x / power)[inside].median() / _MEDIAN_OF_NORMAL for x in levels])


def _bounded(quiet: Tensor) -> Tensor:
    """Return levels of bands, shape (B, 4), the coarse ones no more than noise would have there.

    Noise of neighbouring places forgets itself: white noise has 0.3 times the level in the next
    band, through the widest post-filter 0.6 and then 0.4 times.
    """
    bands = [quiet[:, k].clamp_min(_LEAST) for k in range(BANDS)]
    for k, share in ((2, 0.6), (3, 0.4)):
        bands[k] = torch.minimum(bands[k], share * bands[k - 1])
    return torch.stack(bands, 1)


def _quiet(near: Tensor, share: Tensor) -> Tensor:
    """Return a low quantile of the level of each band, shape (4,)."""
    body = (share[0] > 0.5) if bool((share[0] > 0.5).any()) else torch.ones_like(share[0]) > 0
    return torch.stack([torch.quantile(_some(band[body]), _QUIETEST) for band in near])


def _inside(mean: Tensor) -> Tensor:
    return mean > _BODY * torch.quantile(_some(mean), _BRIGHT)


def _some(values: Tensor) -> Tensor:
    """Return at most a million of the values, evenly taken."""
    flat = values.flatten()
    return flat[:: max(1, flat.numel() // _SAMPLE + 1)]


def _bent(x: Tensor, axis: int) -> Tensor:
    """Return second differences along an axis, at its ends those of the voxel beside."""
    n = x.shape[axis]
    out = torch.zeros_like(x)
    if n > 2:
        inner = 2.0 * x.narrow(axis, 1, n - 2) - x.narrow(axis, 0, n - 2) - x.narrow(axis, 2, n - 2)
        out.narrow(axis, 1, n - 2).copy_(inner)
        out.select(axis, 0).copy_(inner.select(axis, 0))
        out.select(axis, n - 1).copy_(inner.select(axis, n - 3))
    return out


def _around(x: Tensor) -> Tensor:
    """Return means over a few centimetres, on a grid of fewer voxels."""
    edges = [min(_POOL, n) for n in x.shape[2:]]
    x = functional.avg_pool3d(x, edges, edges, ceil_mode=True, count_include_pad=False)
    for _ in range(_POOL_STEPS):
        x = smoothed(x, 1)
    return x


def smoothed(x: Tensor, step: int) -> Tensor:
    """Return x smoothed by (1, 2, 1) / 4 along each axis, with neighbours a step away."""
    for axis in (2, 3, 4):
        n = x.shape[axis]
        first, last = x.narrow(axis, 0, 1), x.narrow(axis, n - 1, 1)
        shape = list(x.shape)
        shape[axis] = step
        far = torch.cat([first.expand(shape), x, last.expand(shape)], axis)
        x = 0.5 * x + 0.25 * (far.narrow(axis, 0, n) + far.narrow(axis, 2 * step, n))
    return x
