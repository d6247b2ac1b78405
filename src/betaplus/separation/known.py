"""What is known of a whole scan before its parts are looked at, and so of any of them.

The tissues of the person, how large the noise is, and the posterior SD that is usual: tiles of a
scan are all shown in these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.tissue_fit import TissueFit
from betaplus.separation.tissue_mixture import Moments, TissueMixture
from betaplus.separation.tissues import tissue_mixture

__all__ = [
    "FIT",
    "LEAST",
    "Known",
    "known_of",
    "moments_of",
    "noise_level",
    "relative_noise",
    "signal_level",
]

FIT = TissueFit()
"""How the tissues of the person are found."""

LEAST = 1e-6
"""Of the signal, or of the usual noise: noise that is allowed for, at least."""

_SURE = 1e-3  # of the prior: no coefficient is known better
_SAMPLE = 2000  # voxels that the spread is taken from


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """What is known of a whole scan, and so of any part of it.

    Attributes:
        mixture: Of the person's tissues.
        level: `noise_level`.
        spread: Posterior SD that is usual, shape (K,).
    """

    mixture: TissueMixture
    level: float
    spread: Tensor


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
    return noise_level(problem) / signal_level(estimate)


def known_of(problem: SeparationProblem, fit: TissueFit = FIT) -> Known:
    """Return what is known of a whole scan.

    Args:
        problem: With spaces of curves whose directions are `canonical`, and tissues.
        fit: How the tissues of the person are found.

    Raises:
        UsageError: If there are no spaces or no tissues.
    """
    mixture = tissue_mixture(problem, fit)
    level = max(noise_level(problem), LEAST * signal_level(mixture.estimate))
    held = problem.mask.flatten().nonzero()[:, 0]
    held = held[:: max(len(held) // _SAMPLE, 1)]
    white = mixture.estimate.whitened(problem.mixture.flatten(0, 2)[held].double()).float()
    noise = problem.noise.flatten()[held].clamp_min(LEAST * level)
    variance = moments_of(mixture, white, noise)[0].variance
    assert variance is not None
    spread = variance.mean(0).sqrt() if len(held) else torch.ones(variance.shape[1])
    return Known(mixture=mixture, level=level, spread=spread.clamp_min(_SURE))


def moments_of(mixture: TissueMixture, white: Tensor, noise: Tensor) -> tuple[Moments, Tensor]:
    """Return the posterior of coefficients, and the probability of the likeliest tissue, (N,)."""
    shares, _ = mixture.responsibilities(white, noise)
    spread = torch.eye(mixture.mean.shape[1])
    moments = mixture.moments(white, noise, shares, spread=spread)
    return moments, shares.amax(1) if len(shares) else noise


def signal_level(estimate: LinearEstimate) -> float:
    """Return the root mean square of the expected mixture, frames by their weights [scale]."""
    return max(float(np.sqrt(np.mean((estimate.root * estimate.mean) ** 2))), 1e-30)
