"""Non-local means as the network's starting point, over few places.

Each voxel becomes a weighted mean of those around it whose neighbourhoods look alike (Buades, Coll
and Morel, Multiscale Model Simul 4, 490, 2005): within two voxels, in five grades of strictness,
then, on what the least strict gave, two and four voxels away. The strictest leaves nearly all as it
is, the least strict takes all that noise could explain, even where there is more of it than was
measured; how much of each to take is the network's to say. For the method `nlm`, which looks
further, see `betaplus.denoising.nlm`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from betaplus.denoising.noise import NoiseMaps
from betaplus.physics.threads import each

__all__ = ["MEANS", "non_local_means"]

MEANS = 6
"""Means, each smoother than the one before."""

_GRADES = 5
_LEAST_STRICT = 0.4  # weights are exp(-that times the squared distance in units of the noise)
_TIMES = 3  # from grade to grade
_AGAIN = 1.2
_LEFT = 0.06  # variance that the least strict mean leaves, of that of a smoothed image
_SLAB = 1 << 20  # voxels: what is computed at a time, by a thread


def non_local_means(image: Tensor, noise: NoiseMaps, threads: int = 1) -> Tensor:
    """Return means, shape (B, 6, X, Y, Z) [SUV].

    Args:
        image: Noisy, shape (B, 1, X, Y, Z) [SUV].
        noise: Of it.
        threads: Slabs at a time; bits do not depend on it.
    """
    variance = noise.bands[:, 1:].square().sum(1, keepdim=True) * noise.sd.square()
    guide = image - noise.details[:, :1]
    means = image.new_empty((len(image), MEANS, *image.shape[2:]))
    first, again = means[:, :_GRADES], means[:, _GRADES:]
    _in_slabs(first, (image, guide, variance), 1, _LEAST_STRICT, threads)
    last = first[:, -1:].contiguous()
    _in_slabs(again, (last, last, _LEFT * variance), 2, _AGAIN, threads)
    return means


def _in_slabs(
    means: Tensor, inputs: tuple[Tensor, Tensor, Tensor], step: int, strict: float, threads: int
) -> None:
    """Fill in means, slab by slab along the first axis; see `_means`."""
    n, places, grades = means.shape[2], _places(step), means.shape[1]
    halo = 2 * step + 1  # as far as a voxel's neighbours have neighbourhoods
    thick = max(_SLAB * n // means[:, 0].numel(), 2 * halo)

    def fill(start: int) -> None:
        first, last = max(start - halo, 0), min(start + thick + halo, n)
        parts = (x[:, :, first:last] for x in inputs)
        found = _means(*parts, places, strict, grades)
        inside = slice(start - first, min(start + thick, n) - first)
        for grade, mean in enumerate(found):
            means[:, grade : grade + 1, start : start + thick] = mean[:, :, inside]

    each(fill, ((start,) for start in range(0, n, thick)), threads)


def _places(step: int) -> list[tuple[int, int, int]]:
    """Return one of each pair of opposite shifts within two steps and a half."""
    every = itertools.product((-2, -1, 0, 1, 2), repeat=3)
    near = (d for d in every if d > (0, 0, 0) and sum(k * k for k in d) <= 6)
    return [(step * a, step * b, step * c) for a, b, c in near]


def _means(
    image: Tensor,
    guide: Tensor,
    variance: Tensor,
    shifts: Sequence[tuple[int, int, int]],
    strict: float,
    grades: int,
) -> list[Tensor]:
    """Return means over shifts and their opposites, the strictest first."""
    with torch.no_grad():
        change = [torch.zeros_like(image) for _ in range(grades)]
        weight = [torch.ones_like(image) for _ in range(grades)]
        for shift in shifts:
            here, there = _pair(shift, image.shape[2:])
            off = (guide[here] - guide[there]).square_()
            off /= variance[here] + variance[there]
            alike = _patches(off).mul_(-strict).exp_()
            step = image[there] - image[here]
            for grade in reversed(range(grades)):
                weight[grade][here] += alike
                weight[grade][there] += alike
                given = alike * step
                change[grade][here] += given
                change[grade][there] -= given
                if grade:
                    alike = alike.pow_(_TIMES)
        return [image + c / w for c, w in zip(change, weight, strict=True)]


def _patches(x: Tensor) -> Tensor:
    """Return means over 3 x 3 x 3 voxels; beyond the border the voxel at the border counts."""
    for axis in (2, 3, 4):
        n = x.shape[axis]
        total = x.clone()
        total.narrow(axis, 0, n - 1).add_(x.narrow(axis, 1, n - 1))
        total.narrow(axis, 1, n - 1).add_(x.narrow(axis, 0, n - 1))
        total.select(axis, 0).add_(x.select(axis, 0))
        total.select(axis, n - 1).add_(x.select(axis, n - 1))
        x = total
    return x.mul_(1.0 / 27.0)


def _pair(
    shift: tuple[int, int, int], shape: torch.Size
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the voxels i, and i + shift, for which both are in the volume."""
    here, there = [slice(None)] * 2, [slice(None)] * 2
    for d, n in zip(shift, shape, strict=True):
        here.append(slice(max(0, -d), n - max(0, d)))
        there.append(slice(max(0, d), n - max(0, -d)))
    return tuple(here), tuple(there)
