r"""The tissues of the person in the scan, from the scan itself.

:math:`\theta` and the weights :math:`\pi` of components are those that make

.. math:: J = \frac{1}{\nu} \sum_v \log \sum_k \pi_k N(y_v; F m_k, F C_k F^T + s_v^2)
   - \tfrac12 (\theta - \bar\theta)^T B^{-1} (\theta - \bar\theta) + \sum_k \alpha_k \log \pi_k

largest, by expectation maximisation (Dempster et al., J R Stat Soc B 1977, 39:1): with
:math:`m_k = H_k \theta + o_k`, H the shares of regions, the best :math:`\theta` for given
responsibilities is the solution of a linear system. :math:`\nu` voxels share one noise and count
as one. Covariances are those of the last :math:`\theta`: J rises with every step for covariances
held as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.tissue_components import TissueComponents, TissueState
from betaplus.separation.tissue_mixture import TissueMixture
from betaplus.separation.tissue_prior import TissuePrior

__all__ = ["TissueFit", "fit_tissues", "mixture_of", "objective", "step", "voxels_alike"]

_COUNTED = 20.0  # voxels that the weights at the beginning count as
_SEED = 5
_UNUSED = 0.2  # voxels of the sample: a component with fewer is left out
_PRESENT = 3e-3  # of the sample: a region with fewer is not there


@dataclass(frozen=True, kw_only=True)
class TissueFit:
    """How the tissues of the person are found.

    Attributes:
        steps: Of expectation maximisation; 0 keeps to the tissues of people at large.
        sample: Voxels that are looked at.
        broad: SD of the component for what is like no tissue, over that of `linear`.
    """

    steps: int = 8
    sample: int = 4000
    broad: float = 2.0

    def __post_init__(self) -> None:
        if self.steps < 0 or self.sample < 1 or not 0.0 < self.broad < math.inf:
            raise UsageError(
                f"{self.steps} steps on {self.sample} voxels, broad {self.broad:g}",
                "expected 0 steps or more, 1 voxel or more and a number above 0",
            )


def voxels_alike(problem: SeparationProblem) -> float:
    """Return nu: voxels that share one noise, from the width that correlates it."""
    sigma = problem.noise_fwhm / math.sqrt(8.0 * math.log(2.0))
    sizes = [max(math.sqrt(4.0 * math.pi) * sigma / edge, 1.0) for edge in problem.voxel]
    return float(np.prod([min(s, n) for s, n in zip(sizes, problem.shape, strict=True)]))


def fit_tissues(
    problem: SeparationProblem,
    estimate: LinearEstimate,
    prior: TissuePrior,
    settings: TissueFit | None = None,
) -> TissueMixture:
    """Return the mixture of the tissues of the person in a scan.

    Args:
        problem: The scan.
        estimate: Of its spaces.
        prior: Of its tracers, in the same spaces.
        settings: How it is found; the defaults if None.
    """
    settings = settings or TissueFit()
    components = TissueComponents(prior, settings.broad)
    mixture = mixture_of(components, components.first, estimate)
    if not settings.steps:
        return mixture
    inside = problem.mask.flatten().nonzero()[:, 0]
    if len(inside) > settings.sample:
        order = torch.randperm(len(inside), generator=torch.Generator().manual_seed(_SEED))
        chosen = inside[order[: settings.sample]]
    else:
        chosen = inside
    stands = len(inside) / max(len(chosen), 1) / voxels_alike(problem)
    white = estimate.whitened(problem.mixture.flatten(0, 2)[chosen].double()).float()
    noise = problem.noise.flatten()[chosen]
    noise = noise.clamp_min(1e-6 * float(noise.max()) if len(noise) else 0.0)
    precision = np.linalg.inv(_flat(prior.between))
    held = np.ones(mixture.count)
    for _ in range(settings.steps):
        shares, _ = mixture.responsibilities(white, noise)
        held = shares.sum(0).double().numpy()
        state = step(mixture, components, precision, white, noise, shares, stands)
        mixture = mixture_of(components, state, estimate)
    return mixture.kept(_used(components, held))


def mixture_of(
    components: TissueComponents, state: TissueState, estimate: LinearEstimate
) -> TissueMixture:
    """Return the mixture of a person who is known as far as a state says."""
    mean, covariance = components.moments(state)
    return TissueMixture(estimate, mean, covariance, np.log(state.weights))


def _used(components: TissueComponents, held: np.ndarray) -> np.ndarray:
    """Return the components that are needed, shape (M,) bool.

    Regions and blends of which the sample holds any, altered tissue, which may be small, in regions
    that it holds, and the broad one.
    """
    regions, altered = components.prior.regions, len(components.altered)
    used = held > _UNUSED
    for k, (host, _) in enumerate(components.altered, start=components.count - 1 - altered):
        used[k] |= held[:regions][host] > _PRESENT * held.sum()
    used[-1] = True
    return np.asarray(used)


def step(
    mixture: TissueMixture,
    components: TissueComponents,
    precision: np.ndarray,
    white: Tensor,
    noise: Tensor,
    shares: Tensor,
    stands: float,
) -> TissueState:
    """Return the tissues and weights that are best for given responsibilities.

    Args:
        mixture: Whose covariances are held.
        components: What it is made of.
        precision: The inverse of B, shape (R K, R K).
        white: y of the voxels, shape (N, S).
        noise: s, shape (N,).
        shares: Responsibilities, shape (N, M).
        stands: Independent voxels that each of them stands for.
    """
    prior = components.prior
    regions, size = prior.mean.shape
    values = torch.as_tensor(mixture.values, dtype=white.dtype)
    weight = shares[:, :, None] / (values + noise[:, None, None].to(white.dtype) ** 2)
    total = weight.sum(0).double().numpy()
    ways = np.einsum("sc,ksj->kcj", mixture.seen, mixture.vectors)
    own = mixture.start - np.einsum("kc,kcj->kj", components.offset, ways)
    drawn = (weight * mixture.turned(white)).sum(0).double().numpy() + total * own
    each = np.einsum("kcj,kj,kdj->kcd", ways, total, ways, optimize=True)
    pulled = np.einsum("kcj,kj->kc", ways, drawn)
    of = components.shares
    system = np.einsum("kr,kq,kcd->rcqd", of, of, each, optimize=True)
    system = stands * system.reshape(regions * size, -1) + precision
    right = stands * np.einsum("kr,kc->rc", of, pulled).reshape(-1)
    covariance = np.linalg.inv(system)
    theta = covariance @ (right + precision @ prior.mean.reshape(-1))
    counted = stands * shares.sum(0).double().numpy() + _COUNTED * components.weights
    return TissueState(
        theta=theta.reshape(regions, size),
        uncertain=covariance.reshape(prior.between.shape),
        weights=counted / counted.sum(),
    )


def objective(
    state: TissueState,
    components: TissueComponents,
    precision: np.ndarray,
    evidence: Tensor,
    stands: float,
) -> float:
    """Return J.

    Args:
        state: The tissues and weights.
        components: What the mixture is made of.
        precision: The inverse of B, shape (R K, R K).
        evidence: Its logarithm for each voxel, shape (N,).
        stands: Independent voxels that each of them stands for.
    """
    off = (state.theta - components.prior.mean).reshape(-1)
    known = _COUNTED * components.weights @ np.log(state.weights)
    return float(stands * evidence.double().sum() - 0.5 * off @ precision @ off + known)


def _flat(between: np.ndarray) -> np.ndarray:
    size = between.shape[0] * between.shape[1]
    return between.reshape(size, size)
