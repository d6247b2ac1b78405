r"""Weighted means over shifts, the weights from two channels at once.

.. math::
    w_{ij} = \exp(-D_{ij} / h^2)\, \exp(-|r_i - r_j|^2 / 2 t^2), \quad
    D_{ij} = \langle |g_{i+k} - g_{j+k}|^2 / 2 (\sigma_{i+k}^2 + \sigma_{j+k}^2) \rangle_k

over patches of 3 voxels along each axis. D is 1 on average where two patches differ by independent
noise alone, at any dose: h has no unit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from betaplus.core.crew import Crew
from betaplus.core.progress import Progress
from betaplus.simulation.fields import sigma_of_fwhm

__all__ = ["local_means", "shifts_within"]

_PLANES = 8  # of x that are worked on together: their arrays stay small


def shifts_within(
    voxel: Sequence[float], radius: float, spacing: float
) -> list[tuple[int, int, int]]:
    """Return one of each pair of opposite shifts within a radius, without that of 0 [voxels].

    Args:
        voxel: Edges [mm].
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


def local_means(
    u: Tensor,
    features: Tensor,
    variance: Tensor,
    mask: Tensor,
    voxel: Sequence[float],
    shifts: Sequence[tuple[int, int, int]],
    *,
    strength: float,
    width: float,
    crew: Crew,
    progress: Progress,
) -> Tensor:
    """Return the means, shape (2, X, Y, Z) float32; 0 outside the mask.

    Args:
        u: What is averaged, likewise.
        features: g, what is compared, likewise.
        variance: sigma^2, of the noise of each channel of the features, shape (X, Y, Z).
        mask: Voxels that are wanted, and the only ones that count, likewise.
        voxel: Edges [mm].
        shifts: One of each opposite pair.
        strength: h.
        width: Of the Gaussian of distance, full width at half maximum [mm].
        crew: Who computes blocks, and keeps what is finished; means do not depend on it.
        progress: Told of each block.
    """
    out = torch.zeros_like(u)
    reach = [max((abs(d[a]) for d in shifts), default=0) + 1 for a in range(3)]
    around = [n for r in reversed(reach) for n in (r, r)]
    wide = functional.pad(torch.cat([u * mask, features]), around)
    noise = functional.pad(variance, around, value=float(variance[mask].mean()))
    inside = functional.pad(mask.float(), around)
    spread = sigma_of_fwhm(width)
    shares = [
        math.exp(-0.5 * sum((k * v) ** 2 for k, v in zip(d, voxel, strict=True)) / spread**2)
        for d in shifts
    ]
    blocks = [
        (a, min(a + _PLANES, mask.shape[0]))
        for a in range(0, mask.shape[0], _PLANES)
        if bool(mask[a : a + _PLANES].any())
    ]

    def part(index: int) -> tuple[np.ndarray, ...]:
        first, last = blocks[index]
        planes = slice(first, last + 2 * reach[0])
        arrays = wide[:, planes], noise[planes], inside[planes]
        return tuple(array.contiguous().numpy() for array in arrays)

    shared = reach, list(shifts), shares, strength
    progress.start("non-local means", len(blocks))
    found = crew.each(_average, shared, len(blocks), part, "means")
    for (first, last), result in zip(blocks, found, strict=True):
        out[:, first:last] = torch.from_numpy(result["means"]) * mask[first:last]
        progress.advance()
    progress.finish()
    return out


def _average(
    shared: tuple[list[int], list[tuple[int, int, int]], list[float], float],
    wide: np.ndarray,
    noise: np.ndarray,
    inside: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the means of a block that comes with what is around it."""
    reach, shifts, shares, strength = shared
    both, sigma2, counted = (torch.from_numpy(array) for array in (wide, noise, inside))
    shape = [n - 2 * r for n, r in zip(noise.shape, reach, strict=True)]
    total, sums = torch.ones(shape), both[:2][_at(reach, shape)].clone()
    for shift, share in zip(shifts, shares, strict=True):
        for sign in (1, -1):
            move = [sign * k for k in shift]
            w = _weights(both[2:], sigma2, reach, shape, move, strength)
            other = _at(reach, shape, move)
            w *= share * counted[other[1:]]
            total += w
            sums += w * both[:2][other]
    return {"means": (sums / total).numpy()}


def _weights(
    g: Tensor,
    noise: Tensor,
    reach: Sequence[int],
    shape: Sequence[int],
    move: Sequence[int],
    strength: float,
) -> Tensor:
    """Return exp(-D / h^2) of a block and a shift."""
    own = _at(reach, shape, halo=1)
    other = _at(reach, shape, move, halo=1)
    far = (g[own] - g[other]).square_().sum(0)
    far /= noise[own[1:]] + noise[other[1:]]
    for axis, n in enumerate(shape):
        far = far.narrow(axis, 0, n) + far.narrow(axis, 1, n) + far.narrow(axis, 2, n)
    return far.mul_(-1.0 / (54.0 * strength**2)).exp_()


def _at(
    reach: Sequence[int],
    shape: Sequence[int],
    move: Sequence[int] = (0, 0, 0),
    *,
    halo: int = 0,
) -> tuple[slice, ...]:
    """Return where a block of padded arrays lies, all channels of it."""
    return (
        slice(None),
        *(
            slice(r + m - halo, r + m + n + halo)
            for r, m, n in zip(reach, move, shape, strict=True)
        ),
    )
