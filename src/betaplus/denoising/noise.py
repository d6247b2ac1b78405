r"""How noisy an image is, and how, read from the image itself.

The SD of noise in images of ordered-subsets expectation maximisation rises with the uptake around,
.. math:: n(v) = L(v)\, r(v)^{p}, \quad r = \sqrt{m^2 + m_0^2},
where m is a mean over about 1 cm. L is measured place by place in the speckle, what changes from
voxel to voxel along two axes at a time: of edges little does so, of noise much. How much more noise
there is than speckle follows from how far noise is correlated (`betaplus.denoising.spectrum`),
which is the same all over the scan and is read where the finest band holds least beside the
speckle. Bands are the differences of smoothings with the binomial filter (Starck and Murtagh's "a
trous" transform). Roots are averaged, in which what is few and large weighs little.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from betaplus.denoising.spectrum import noise_shares, width_of

__all__ = ["BANDS", "EXPONENT", "NoiseMaps", "measure_noise", "noise_width", "smoothed"]

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
_QUIETEST = 0.03  # quantile
_LOW, _HIGH = 0.2, 4.0  # times the median: what the speckle may be anywhere
_THIN, _FULL = 1e-3, 0.02  # shares of the body in a neighbourhood
_ROOT_OF_NORMAL = 0.67600  # squared mean of the root of its absolute value
_LEAST = 1e-4  # level at least
_TINY = 1e-9
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
        width: How far the noise is correlated, SD of a Gaussian, shape (B,) [voxels].
    """

    mean: Tensor
    scale: Tensor
    level: Tensor
    bands: Tensor
    details: Tensor
    width: Tensor

    @property
    def sd(self) -> Tensor:
        """n, the SD of noise that is expected [SUV]."""
        return self.level * self.scale**EXPONENT

    @property
    def none(self) -> bool:
        """Whether nothing that could be noise was found."""
        return bool((self.level <= 2.0 * _LEAST).all())


def measure_noise(image: Tensor, width: Tensor | None = None) -> NoiseMaps:
    """Return the noise of images.

    Args:
        image: Shape (B, 1, X, Y, Z) [SUV], voxels of the denoiser.
        width: How far the noise of the scan is correlated, SD of a Gaussian, shape (B,) [voxels],
            if the image is a part of that scan; measured on the image itself if None.
    """
    smooth = [image]
    for band in range(BANDS):
        smooth.append(smoothed(smooth[-1], 2**band))
    mean = smooth[_MEAN]
    scale = (mean.square() + _FLOOR**2).sqrt()
    power = scale**EXPONENT
    inside = torch.stack([_inside(item) for item in mean])
    details = torch.cat([finer - coarser for finer, coarser in itertools.pairwise(smooth)], 1)
    roots = [(details[:, :1].abs() / power).sqrt(), _speckle_roots(image / power)]
    near = _around(torch.cat([inside.float(), *(x * inside for x in roots)], 1))
    share = near[:, :1]
    near = (near[:, 1:] / share.clamp_min(_THIN)).square() / _ROOT_OF_NORMAL
    finest, fine = near[:, :1], near[:, 1:].clamp_min(_TINY)
    if width is None:
        width = torch.stack([
            _width(a / b, inner) for a, b, inner in zip(finest, fine, share, strict=True)
        ])  # fmt: skip
    shares = torch.from_numpy(noise_shares(width.cpu().numpy())).to(image)
    usual = torch.stack([_usual(f, inner) for f, inner in zip(fine, share, strict=True)])
    usual = usual.reshape(-1, 1, 1, 1, 1)
    known = (share / _FULL).clamp(max=1.0)  # far from the body that of the scan
    fine = known * fine.clamp(_LOW * usual, _HIGH * usual) + (1.0 - known) * usual
    total = fine * shares[:, :2].square().sum(1).sqrt().reshape(-1, 1, 1, 1, 1)
    total = functional.interpolate(total.clamp_min(_LEAST), image.shape[2:], mode="trilinear")
    bands = shares / shares[:, :2].square().sum(1, keepdim=True).sqrt()
    bands = bands.reshape(*bands.shape, 1, 1, 1).expand(-1, -1, *image.shape[2:])
    return NoiseMaps(mean=mean, scale=scale, level=total, bands=bands, details=details, width=width)


def noise_width(image: Tensor, noise: Tensor) -> Tensor:
    """Return how far known noise is correlated, SD of a Gaussian, shape (B,) [voxels].

    Args:
        image: With the noise, shape (B, 1, X, Y, Z) [SUV].
        noise: Alone, likewise.
    """
    mean = smoothed(smoothed(image, 1), 2)
    white = noise / (mean.square() + _FLOOR**2) ** (EXPONENT / 2)
    finest = (white - smoothed(white, 1)).abs().sqrt()
    found = []
    for item, one, two in zip(mean, finest, _speckle_roots(white), strict=True):
        inside = _inside(item)
        inside = inside if bool(inside.any()) else torch.ones_like(inside)
        share = (one[inside].mean() / two[inside].mean().clamp_min(_TINY)).square()
        found.append(float(width_of(share.cpu().numpy())))
    return torch.tensor(found)


def _speckle_roots(image: Tensor) -> Tensor:
    """Return the root of what changes along two axes at a time, mean over pairs of axes."""
    roots = torch.zeros_like(image)
    for axes in ((2, 3), (2, 4), (3, 4)):
        change = image
        for axis in axes:
            change = _bent(change, axis)
        roots += change.abs().sqrt_()
    return roots / (3.0 * math.sqrt(6.0))


def _usual(fine: Tensor, share: Tensor) -> Tensor:
    """Return the median speckle of a scan."""
    return _some(fine[0][_body(share)]).median()


def _width(ratio: Tensor, share: Tensor) -> Tensor:
    """Return how far noise is correlated [voxels], of the finest band over the speckle.

    Where there are edges the band holds more: a low quantile is taken.
    """
    least = torch.quantile(_some(ratio[0][_body(share)]), _QUIETEST)
    return torch.as_tensor(width_of(least.cpu().numpy()), dtype=torch.float32)


def _body(share: Tensor) -> Tensor:
    body = share[0] > 0.5
    return body if bool(body.any()) else torch.ones_like(body)


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
