r"""Non-local means for PET images whose noise changes from place to place.

Each voxel becomes the weighted mean of the voxels around it (Buades, Coll and Morel, Multiscale
Model Simul 4, 490, 2005), with weights

.. math::
    w_{ij} = \exp(-D_{ij} / h^2)\, \exp(-|r_i - r_j|^2 / 2 s^2), \quad
    D_{ij} = \langle (g_{i+k} - g_{j+k})^2 / \kappa^2 (\sigma_{i+k}^2 + \sigma_{j+k}^2) \rangle_k

where the mean goes over a patch and sigma is the local SD of the noise. Few counts leave little in
a patch to compare, so that patches are those of g, the image after a Gaussian filter, which leaves
the share kappa^2 of the variance (`betaplus.denoising.gaussian.noise_left`); what is averaged is
the image itself. D is 1 on average where two patches differ by independent noise alone, at any dose
and in any organ: h has no unit. Widths are multiples of that of the Gaussian filter that suits the
noise.

For large h this is a Gaussian filter; for small h the image comes back. A voxel has the weight that
the formula gives it for itself, 1: with that of its best match instead, as is common, no h leaves
the image as it is, and scans of high dose lose by it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.denoising.gaussian import (
    TRUNCATE,
    GaussianSettings,
    gaussian,
    matched_fwhm,
    noise_left,
)
from betaplus.simulation.fields import sigma_of_fwhm

__all__ = ["NlmSettings", "matched", "nlm", "reach", "search_shifts"]

_BLOCK = (40, 64, 96)  # voxels that are worked on together: their arrays stay in the cache
_TINY = 1e-6  # of the largest SD or difference there is: below it noise counts as none

Box = tuple[slice, ...]


@dataclass(frozen=True, kw_only=True)
class NlmSettings:
    """Settings of non-local means.

    Attributes:
        strength: h, in units of the noise.
        fwhm: Width of a Gaussian filter that suits the noise, full width at half maximum [mm];
            chosen by the noise if None.
        guide: Width of the filter before patches are compared, over `fwhm`; 0 is none.
        search: Width of the Gaussian of distance, over `fwhm`.
        reach: Radius of the search, over that width.
        patch: Edge of a patch [mm]; at least 3 voxels along each axis longer than 1.
        spacing: Between the voxels that are looked at, about [mm]: neighbours closer than noise is
            correlated tell little more, and cost as much.
    """

    strength: float = 1.8
    fwhm: float | None = None
    guide: float = 1.1
    search: float = 2.2
    reach: float = 1.0
    patch: float = 5.0
    spacing: float = 3.0

    def __post_init__(self) -> None:
        ranges = {
            "strength": (1e-3, 1e3),
            "fwhm": (0.0, 100.0),
            "guide": (0.0, 10.0),
            "search": (0.1, 10.0),
            "reach": (0.1, 3.0),
            "patch": (0.1, 100.0),
            "spacing": (0.1, 100.0),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value is None and name == "fwhm":
                continue
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(
                    f"non-local means: {name} of {value:g}", f"expected {low:g} to {high:g}"
                )


def matched(
    settings: NlmSettings,
    image: np.ndarray,
    sd: np.ndarray | float,
    voxel: Sequence[float],
    *,
    mask: np.ndarray | None = None,
    grain: float | None = None,
) -> NlmSettings:
    """Return settings whose width is chosen by the noise of an image, where it was left to it.

    With them parts of the image, each with what is within `reach` around it, are denoised as the
    whole is.

    Args:
        settings: Of the filter.
        image: As in `nlm`.
        sd: Likewise.
        voxel: Likewise.
        mask: Likewise.
        grain: Likewise.

    Raises:
        InputError: As `nlm`.
    """
    if settings.fwhm is not None:
        return settings
    return replace(settings, fwhm=matched_fwhm(image, sd, voxel, mask=mask, grain=grain))


def reach(settings: NlmSettings, voxel: Sequence[float]) -> tuple[int, int, int]:
    """Return how far from a voxel the filter looks along each axis [voxels].

    Args:
        settings: With a width: see `matched`.
        voxel: Voxel edges [mm].

    Raises:
        UsageError: If the width is left to the noise.
    """
    if settings.fwhm is None:
        raise UsageError("non-local means without a width", "expected one", "match it to the image")
    sigma = sigma_of_fwhm(settings.guide * settings.fwhm)
    x, y, z = (
        int(settings.reach * settings.search * settings.fwhm / v + 1e-6)
        + _half_patch(settings.patch, v)
        + int(TRUNCATE * sigma / v + 0.5)
        for v in voxel
    )
    return x, y, z


def search_shifts(
    voxel: Sequence[float], radius: float, spacing: float = 0.0
) -> list[tuple[int, int, int]]:
    """Return one of each pair of opposite shifts within a radius, without that of 0 [voxels].

    Args:
        voxel: Voxel edges [mm].
        radius: [mm].
        spacing: Between shifts along an axis, about [mm]; every voxel if smaller than its edge.
    """
    steps = [max(round(spacing / v), 1) for v in voxel]
    x, y, z = (
        range(-(n - n % k), n + 1, k)
        for n, k in ((int(radius / v + 1e-6), k) for v, k in zip(voxel, steps, strict=True))
    )
    return [
        d
        for d in itertools.product(x, y, z)
        if d > (0, 0, 0)
        and sum((k * v) ** 2 for k, v in zip(d, voxel, strict=True)) <= radius**2 * (1 + 1e-6)
    ]


def nlm(
    image: np.ndarray,
    sd: np.ndarray | float,
    voxel: Sequence[float],
    settings: NlmSettings = NlmSettings(),
    *,
    mask: np.ndarray | None = None,
    grain: float | None = None,
    threads: int = 1,
) -> np.ndarray:
    """Return an image denoised by non-local means, shape (X, Y, Z) float32 [SUV].

    Args:
        image: Noisy, shape (X, Y, Z) [SUV].
        sd: Of the noise at each voxel, likewise [SUV], or one number.
        voxel: Voxel edges [mm].
        settings: Of the filter.
        mask: Voxels to denoise, likewise, that the width is chosen in; others stay as they are, but
            are looked at. All if None.
        grain: How far noise is correlated, as in `betaplus.denoising.gaussian.matched_fwhm` [mm].
        threads: Threads to use; the result does not depend on it.

    Raises:
        InputError: If shapes differ, a voxel is no finite number, or an SD is below 0.
    """
    from betaplus.physics.threads import each

    y, variance = _checked(image, sd, mask)
    fwhm = matched(settings, y, sd, voxel, mask=mask, grain=grain).fwhm
    out = y.copy()
    if not fwhm:
        return out
    width = settings.search * fwhm
    shifts = search_shifts(voxel, settings.reach * width, settings.spacing)
    shares = [
        math.exp(
            -0.5 * sum((k * v) ** 2 for k, v in zip(d, voxel, strict=True))
            / sigma_of_fwhm(width) ** 2
        )
        for d in shifts
    ]  # fmt: skip
    half = tuple(
        _half_patch(settings.patch, v) if n > 1 else 0 for v, n in zip(voxel, y.shape, strict=True)
    )
    guide, left = y, 1.0
    if settings.guide > 0:
        guide = gaussian(y, sd, voxel, GaussianSettings(fwhm=settings.guide * fwhm))
        left = noise_left(voxel, settings.guide * fwhm, grain)
    patch = math.prod(2 * n + 1 for n in half)
    scale = -1.0 / (settings.strength**2 * left * patch)

    def denoise(core: Box) -> None:
        if mask is not None:
            if not np.any(mask[core]):
                return
            core = _around(mask, core)
        found = _block(y, guide, variance, core, shifts, shares, half, scale)
        out[core] = found if mask is None else np.where(mask[core], found, y[core])

    each(denoise, [(core,) for core in _blocks(y.shape)], threads)
    return out


def _half_patch(edge: float, voxel: float) -> int:
    return max(round((edge / voxel - 1.0) / 2.0), 1)


def _checked(
    image: np.ndarray, sd: np.ndarray | float, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The image and its variance, which is above 0 everywhere."""
    y = np.asarray(image, np.float32)
    if y.ndim != 3 or y.size == 0:
        raise InputError(f"image of shape {y.shape}", "expected one volume (X, Y, Z)")
    for name, other in (("sd", sd), ("mask", mask)):
        if other is not None and np.ndim(other) and np.shape(other) != y.shape:
            raise InputError(f"image {y.shape} and {name} {np.shape(other)}", "expected one grid")
    noise = np.broadcast_to(np.asarray(sd, np.float32), y.shape)
    if not (np.isfinite(y).all() and np.isfinite(noise).all()):
        raise InputError("image or SD holds a voxel that is not finite", "expected numbers")
    if noise.min() < 0:
        raise InputError(f"an SD of noise is {noise.min():.3g}", "expected 0 or above")
    top = max(float(noise.max()), float(y.max() - y.min()))
    least = np.float32(_TINY * top) ** 2 or np.float32(1.0)
    return y, np.maximum(noise * noise, least)


def _blocks(shape: Sequence[int]) -> Iterator[Box]:
    starts = (range(0, n, b) for n, b in zip(shape, _BLOCK, strict=True))
    for low in itertools.product(*starts):
        yield tuple(slice(a, min(a + b, n)) for a, b, n in zip(low, _BLOCK, shape, strict=True))


def _around(mask: np.ndarray, core: Box) -> Box:
    """The least part of a block that holds what of a mask is in it."""
    found = np.nonzero(mask[core])
    return tuple(
        slice(s.start + int(at.min()), s.start + int(at.max()) + 1)
        for s, at in zip(core, found, strict=True)
    )


def _block(
    y: np.ndarray,
    guide: np.ndarray,
    variance: np.ndarray,
    core: Box,
    shifts: Sequence[tuple[int, int, int]],
    shares: Sequence[float],
    half: Sequence[int],
    scale: float,
) -> np.ndarray:
    """Denoise one block. A pair of voxels is weighed once, and gives to both where both are in it.

    Each voxel sums its neighbours in the order of the shifts, whatever the blocks are.
    """
    most = [max((abs(d[a]) for d in shifts), default=0) for a in range(3)]
    low = [max(c.start - m, 0) for c, m in zip(core, most, strict=True)]
    high = [min(c.stop + m, n) for c, m, n in zip(core, most, y.shape, strict=True)]
    near = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    start = [c.start - a for c, a in zip(core, low, strict=True)]
    stop = [c.stop - a for c, a in zip(core, low, strict=True)]
    size = [b - a for a, b in zip(low, high, strict=True)]
    values = y[near]
    padded, noise = _padded(guide, near, half), _padded(variance, near, half)
    own = y[core]
    change = np.zeros_like(own)
    weights = np.ones_like(own)
    for d, share in zip(shifts, shares, strict=True):
        # Voxels i for which i or i + d is in the core, and both are in the image.
        a = [max(s + min(0, -k), 0, -k) for s, k in zip(start, d, strict=True)]
        b = [min(s + max(0, -k), n, n - k) for s, k, n in zip(stop, d, size, strict=True)]
        if any(p >= q for p, q in zip(a, b, strict=True)):
            continue
        here = tuple(slice(p, q + 2 * h) for p, q, h in zip(a, b, half, strict=True))
        there = tuple(slice(s.start + k, s.stop + k) for s, k in zip(here, d, strict=True))
        t = padded[here] - padded[there]
        t *= t
        t /= noise[here] + noise[there]
        t = _box_sum(t, half)
        t *= np.float32(scale)
        np.exp(t, out=t)
        t *= np.float32(share)
        for sign in (1, -1):  # the voxels i, which take from i + d, and those that take from i - d
            move = [0, 0, 0] if sign == 1 else list(d)
            p = [max(s, u + m) for s, u, m in zip(start, a, move, strict=True)]
            q = [min(s, u + m) for s, u, m in zip(stop, b, move, strict=True)]
            if any(u >= v for u, v in zip(p, q, strict=True)):
                continue
            w = t[
                tuple(slice(u - m - o, v - m - o) for u, v, m, o in zip(p, q, move, a, strict=True))
            ]
            to = tuple(slice(u - s, v - s) for u, v, s in zip(p, q, start, strict=True))
            other = tuple(
                slice(u + sign * k, v + sign * k) for u, v, k in zip(p, q, d, strict=True)
            )
            weights[to] += w
            w = w * (values[other] - own[to])
            change[to] += w
    return own + change / weights


def _padded(x: np.ndarray, box: Box, half: Sequence[int]) -> np.ndarray:
    """A part of a volume and what lies around it; beyond the volume voxels are reflected."""
    index = []
    for s, h, n in zip(box, half, x.shape, strict=True):
        at = np.arange(s.start - h, s.stop + h) % (2 * n)
        index.append(np.where(at < n, at, 2 * n - 1 - at))
    return x[np.ix_(*index)]


def _box_sum(t: np.ndarray, half: Sequence[int]) -> np.ndarray:
    """Sum over patches, without those that reach beyond the array."""
    for axis, h in enumerate(half):
        if h == 0:
            continue
        n = t.shape[axis] - 2 * h
        line = np.moveaxis(t, axis, 0)
        found = line[:n] + line[1 : n + 1]
        for k in range(2, 2 * h + 1):
            found += line[k : n + k]
        t = np.moveaxis(found, 0, axis)
    return t
