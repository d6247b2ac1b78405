"""What the separation network is shown of a scan.

Images are of coefficients of the tracers' curves, K = K1 + K2 of them, in units of their prior: the
estimate from tissues (`betaplus.separation.tissues`) of each voxel; how far it is from what it is
about there, through a wide Gaussian filter; how far the linear estimates are from it, of the voxel
and of the mixture through a narrower filter; its posterior SD; how much of the mixture the linear
estimate leaves, how noisy the voxel is, how sure its tissue. None has an axis of frames, so that
one network serves any protocol, and none has a unit of activity. Numbers tell the scan: its delay,
half-lives, voxels, how well it tells the coefficients apart.

The network itself works on u = (c - center) / spread, spread being the posterior SD that is usual
in the scan: a coefficient that is known to 1 % of its prior is changed by 1 %, not by all of it.
The center is where the estimate z has u = asinh d, d being how many spreads z is from its
surroundings, w: with few spreads in between it is w, so that u tells the two apart, and with many,
as at an edge, it follows z, so that u stays of order 1 as the errors of z are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.physics.blur import GaussianBlur
from betaplus.separation.known import LEAST, Known, known_of, moments_of, signal_level
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.smoothing import noise_left

__all__ = [
    "NARROW",
    "WIDE",
    "Features",
    "condition_count",
    "context_count",
    "features",
    "reach",
]

NARROW = 5.0
"""Of the filter on the mixture, full width at half maximum [mm]."""

WIDE = 10.0
"""Of that which says what an estimate is about in a place, likewise."""

_BOUND = 6.0  # of coefficients, which have an SD of 1
_HOUR = 3600.0
_USUAL_DELAY = 1200.0  # s
_USUAL_WIDTH = 5.0  # mm
_USUAL_VOXEL = 2.5  # mm
_USUAL_NOISE = 0.05
_THIN = 1e-6
_LEAST_SPREAD = 1e-2  # of the usual posterior SD


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """What the network sees.

    Attributes:
        base: z, the estimate of the coefficients from tissues, shape (K, X, Y, Z).
        condition: Images, shape (condition_count(K), X, Y, Z).
        context: Numbers, shape (context_count(K),).
        center: Coefficients that are 0 to the network, shape (K, X, Y, Z).
        spread: Of what is 1 to it, shape (K, 1, 1, 1).
        known: Of the scan.
    """

    base: Tensor
    condition: Tensor
    context: Tensor
    center: Tensor
    spread: Tensor
    known: Known

    @property
    def estimate(self) -> LinearEstimate:
        """What is seen of coefficients, and curves from them."""
        return self.known.mixture.estimate

    @property
    def start(self) -> Tensor:
        """What the network starts from: z in its units, shape (K, X, Y, Z)."""
        return self.scaled(self.base)

    def scaled(self, c: Tensor) -> Tensor:
        """Return coefficients in the network's units, shape (K, X, Y, Z)."""
        return (c - self.center) / self.spread

    def coefficients(self, u: Tensor) -> Tensor:
        """Return coefficients from what is in the network's units, shape (K, X, Y, Z)."""
        return self.center + self.spread * u


def condition_count(coefficients: int) -> int:
    """Return the number of condition images."""
    return 5 * coefficients + 4


def context_count(coefficients: int) -> int:
    """Return the number of context numbers."""
    return coefficients + 6


def reach(voxel: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return how far away a voxel can be that features of another depend on [voxels]."""
    # the blur ends at 3.5 standard deviations, rounded
    x, y, z = (math.ceil(3.5 * WIDE / (math.sqrt(8.0 * math.log(2.0)) * v)) for v in voxel)
    return x + 1, y + 1, z + 1


def features(problem: SeparationProblem, *, known: Known | None = None) -> Features:
    """Return what the network is shown of a scan, or of a part of one.

    Args:
        problem: With spaces of curves whose directions are `canonical`, and tissues.
        known: Of the whole scan, where the problem is a part; its own if None.

    Raises:
        UsageError: If there are no spaces or no tissues.
    """
    known = known or known_of(problem)
    mixture, level = known.mixture, known.level
    estimate = mixture.estimate
    held = problem.mask.flatten().nonzero()[:, 0]
    noise = problem.noise.flatten()[held].clamp_min(LEAST * level)
    inside = problem.mixture.flatten(0, 2)[held].double()  # a misfit is a small difference
    white = estimate.whitened(inside)
    misfit = _misfit(estimate, inside, white, noise.double()).float()
    white = white.float()
    moments, sure = moments_of(mixture, white, noise)
    assert moments.variance is not None
    spread = known.spread[:, None]
    base = moments.mean.T
    wide = _wide(_volume(base, held, problem), held, problem)
    seen, left = _filtered(_volume(white.T, held, problem), held, problem, NARROW)
    away = _asinh((base - wide) / spread)
    own, near = (estimate.shrunk(*one).T for one in ((white, noise), (seen, left)))
    log = torch.log(noise / level)
    images = [
        base,
        away,
        _asinh((own - base) / spread),
        _asinh((near - base) / spread),
        0.5 * torch.log(moments.variance.T / spread**2 + _LEAST_SPREAD**2),
        torch.stack([misfit, log, torch.log(sure + _LEAST_SPREAD), torch.ones_like(log)]),
    ]
    return Features(
        base=_volume(base, held, problem),
        condition=_volume(torch.cat(images).clamp(-_BOUND, _BOUND), held, problem),
        context=_context(known.spread, problem, level, signal_level(estimate)),
        center=_volume(base - spread * away, held, problem),
        spread=known.spread[:, None, None, None],
        known=known,
    )


def _wide(images: Tensor, held: Tensor, problem: SeparationProblem) -> Tensor:
    """Return images (K, X, Y, Z) of the mask through the wide filter, shape (K, N)."""
    inside = problem.mask[None].float()
    blur = GaussianBlur(problem.shape, problem.voxel, WIDE)
    seen = torch.from_numpy(blur.stack(torch.cat([images, inside]).numpy())).flatten(1)[:, held]
    return seen[:-1] / seen[-1].clamp_min(_THIN)


def _filtered(
    whole: Tensor, held: Tensor, problem: SeparationProblem, width: float
) -> tuple[Tensor, Tensor]:
    """Return whitened components through a filter, (N, S), and the SD of their noise, (N,).

    As `betaplus.separation.smoothing.smoothed` on the frames, with which it commutes.
    """
    inside = problem.mask[None].float()
    variance = problem.noise[None].square() * inside
    blur = GaussianBlur(problem.shape, problem.voxel, width)
    images = torch.cat([whole, variance, inside]).numpy()
    seen = torch.from_numpy(blur.stack(images)).flatten(1)[:, held]
    seen = seen[:-1] / seen[-1].clamp_min(_THIN)
    left = noise_left(width, problem.noise_fwhm, problem.voxel)
    return seen[:-1].T, (seen[-1] * left).sqrt()


def _asinh(x: Tensor) -> Tensor:
    """Return asinh x, several times as fast as torch's."""
    size = x.abs()
    return torch.log(size + (size * size + 1.0).sqrt()).copysign(x)


def _misfit(estimate: LinearEstimate, mixture: Tensor, white: Tensor, noise: Tensor) -> Tensor:
    """Return the logarithm of what the linear estimate leaves, over what noise leaves, (N,)."""
    root = torch.as_tensor(estimate.root, dtype=mixture.dtype)
    mean = torch.as_tensor(estimate.mean, dtype=mixture.dtype)
    total = ((mixture - mean) * root).square().sum(1)
    s = torch.as_tensor(estimate.singular, dtype=mixture.dtype).square()
    variance = noise.square()[:, None]
    kept = (variance / (s + variance)).square()  # of the square of each component
    left = (total - (white.square() * (1.0 - kept)).sum(1)).clamp_min(0.0) / len(root)
    return 0.5 * torch.log(left / noise.square() + LEAST)


def _volume(values: Tensor, held: Tensor, problem: SeparationProblem) -> Tensor:
    """Return values (C, N) of the voxels `held` as images (C, X, Y, Z), 0 elsewhere."""
    out = values.new_zeros(len(values), problem.mask.numel())
    return out.index_copy_(1, held, values).reshape(-1, *problem.shape)


def _context(spread: Tensor, problem: SeparationProblem, noise: float, signal: float) -> Tensor:
    edge = float(np.prod(problem.voxel)) ** (1.0 / 3.0)
    numbers = [
        *(0.5 * torch.log(spread)).tolist(),
        problem.delay / _USUAL_DELAY - 1.0,
        *(math.log(tracer.half_life / _HOUR) for tracer in problem.tracers),
        problem.noise_fwhm / _USUAL_WIDTH - 1.0,
        2.0 * math.log(edge / _USUAL_VOXEL),
        0.5 * math.log(noise / signal / _USUAL_NOISE),
    ]
    return torch.tensor(numbers, dtype=torch.float32)
