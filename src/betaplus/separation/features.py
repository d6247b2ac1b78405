"""What the separation network is shown of a scan.

Images are of coefficients of the tracers' curves, K = K1 + K2 of them, in units of their prior: the
linear estimate from each voxel alone, and from the mixture through two Gaussian filters; how far
the first two are from the third, in units of the posterior SD; how much of the mixture the estimate
leaves; how noisy the voxel is. None has an axis of frames, so that one network serves any protocol,
and none has a unit of activity. Numbers tell the scan: its delay, half-lives, voxels, how well it
tells the coefficients apart.

The network itself works on u = (c - center) / spread, spread being the posterior SD at the usual
noise of the scan: a coefficient that is known to 1 % of its prior is changed by 1 %, not by all of
it. The center is where the linear estimate z has u = asinh d, d being how many spreads z is from
the estimate through the widest filter, w: with few spreads in between it is w, so that u tells the
two apart, and with many, as at an edge seen with little noise, it follows z, so that u stays of
order 1 as the errors of z are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.physics.blur import GaussianBlur
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.smoothing import noise_left

__all__ = [
    "WIDTHS",
    "Features",
    "condition_count",
    "context_count",
    "features",
    "noise_level",
    "reach",
    "relative_noise",
]

WIDTHS = (5.0, 10.0)
"""Of the filters, full width at half maximum [mm]."""

_BOUND = 6.0  # of coefficients, which have an SD of 1
_HOUR = 3600.0
_USUAL_DELAY = 1200.0  # s
_USUAL_WIDTH = 5.0  # mm
_USUAL_VOXEL = 2.5  # mm
_USUAL_NOISE = 0.05
_LEAST = 1e-6
_THIN = 1e-6
_SURE = 1e-3  # of the prior: no coefficient is known better


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """What the network sees.

    Attributes:
        linear: z, the linear estimate of the coefficients, shape (K, X, Y, Z).
        condition: Images, shape (condition_count(K), X, Y, Z).
        context: Numbers, shape (context_count(K),).
        center: Coefficients that are 0 to the network, shape (K, X, Y, Z).
        spread: Of what is 1 to it, shape (K, 1, 1, 1).
        estimate: How z is made, and curves from coefficients.
    """

    linear: Tensor
    condition: Tensor
    context: Tensor
    center: Tensor
    spread: Tensor
    estimate: LinearEstimate

    @property
    def start(self) -> Tensor:
        """What the network starts from: z in its units, shape (K, X, Y, Z)."""
        return self.scaled(self.linear)

    def scaled(self, c: Tensor) -> Tensor:
        """Return coefficients in the network's units, shape (K, X, Y, Z)."""
        return (c - self.center) / self.spread

    def coefficients(self, u: Tensor) -> Tensor:
        """Return coefficients from what is in the network's units, shape (K, X, Y, Z)."""
        return self.center + self.spread * u


def condition_count(coefficients: int) -> int:
    """Return the number of condition images."""
    return (1 + 2 * len(WIDTHS)) * coefficients + 3


def context_count(coefficients: int) -> int:
    """Return the number of context numbers."""
    return coefficients + 6


def reach(voxel: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return how far away a voxel can be that features of another depend on [voxels]."""
    # the blur ends at 3.5 standard deviations, rounded
    x, y, z = (math.ceil(3.5 * max(WIDTHS) / (math.sqrt(8.0 * math.log(2.0)) * v)) for v in voxel)
    return x + 1, y + 1, z + 1


def noise_level(problem: SeparationProblem) -> float:
    """Return the median SD of the noise of a frame of weight 1, in the mask [scale]."""
    inside = problem.noise[problem.mask]
    return float(inside.median()) if len(inside) else 0.0


def relative_noise(problem: SeparationProblem) -> float:
    """Return `noise_level` over the root mean square of the expected mixture.

    Args:
        problem: With spaces of curves.
    """
    if problem.spaces is None:
        raise UsageError("no spaces of curves", "expected a prior of both tracers")
    estimate = LinearEstimate(problem.spaces, problem.decay, problem.weights)
    return noise_level(problem) / _signal(estimate)


def features(problem: SeparationProblem, *, level: float | None = None) -> Features:
    """Return what the network is shown of a scan, or of a part of one.

    Args:
        problem: With spaces of curves whose directions are `canonical`.
        level: `noise_level` of the whole scan, where the problem is a part; its own if None.

    Raises:
        UsageError: If there are no spaces.
    """
    if problem.spaces is None:
        raise UsageError("no spaces of curves", "expected a prior of both tracers")
    estimate = LinearEstimate(problem.spaces, problem.decay, problem.weights)
    signal = _signal(estimate)
    middle = max(noise_level(problem) if level is None else level, _LEAST * signal)
    held = problem.mask.flatten().nonzero()[:, 0]
    noise = problem.noise.flatten()[held].clamp_min(_LEAST * middle)
    inside = problem.mixture.flatten(0, 2)[held].double()  # a misfit is a small difference
    white = estimate.whitened(inside)
    misfit = _misfit(estimate, inside, white, noise.double()).float()
    white = white.float()
    images = [_volume(estimate.shrunk(white, noise).T, held, problem)]
    whole = _volume(white.T, held, problem)
    for width in WIDTHS:
        seen, left = _filtered(whole, held, problem, width)
        images.append(_volume(estimate.shrunk(seen, left).T, held, problem))
    log = torch.log(noise / middle)
    scalars = torch.stack([misfit, log, torch.ones_like(log)])
    linear, wide = images[0], images[-1]
    deviation = np.sqrt(np.diag(estimate.covariance(middle)))
    spread = torch.as_tensor(deviation, dtype=torch.float32).clamp_min(_SURE)[:, None, None, None]
    images += [_asinh((image - wide) / spread) for image in images[:-1]]
    center = linear - spread * images[len(WIDTHS) + 1]
    images.append(_volume(scalars, held, problem))
    return Features(
        linear=linear,
        condition=torch.cat([x.clamp(-_BOUND, _BOUND) for x in images]),
        context=_context(estimate, problem, middle, signal),
        center=center,
        spread=spread,
        estimate=estimate,
    )


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
    return 0.5 * torch.log(left / noise.square() + _LEAST)


def _volume(values: Tensor, held: Tensor, problem: SeparationProblem) -> Tensor:
    """Return values (C, N) of the voxels `held` as images (C, X, Y, Z), 0 elsewhere."""
    out = values.new_zeros(len(values), problem.mask.numel())
    return out.index_copy_(1, held, values).reshape(-1, *problem.shape)


def _signal(estimate: LinearEstimate) -> float:
    """Return the root mean square of the expected mixture, frames by their weights [scale]."""
    return max(float(np.sqrt(np.mean((estimate.root * estimate.mean) ** 2))), 1e-30)


def _context(
    estimate: LinearEstimate, problem: SeparationProblem, noise: float, signal: float
) -> Tensor:
    spread = np.sqrt(np.diag(estimate.covariance(noise)))
    edge = float(np.prod(problem.voxel)) ** (1.0 / 3.0)
    numbers = [
        *spread,
        problem.delay / _USUAL_DELAY - 1.0,
        *(math.log(tracer.half_life / _HOUR) for tracer in problem.tracers),
        problem.noise_fwhm / _USUAL_WIDTH - 1.0,
        2.0 * math.log(edge / _USUAL_VOXEL),
        0.5 * math.log(noise / signal / _USUAL_NOISE),
    ]
    return torch.tensor(numbers, dtype=torch.float32)
