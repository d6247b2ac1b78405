r"""The tissues of the person in the scan, from the scan itself.

:math:`\theta` and the weights :math:`\pi` of components are those that make

.. math:: J = \frac{1}{\nu} \sum_v \log \sum_k \pi_k N(y_v; F m_k, F C_k F^T + s_v^2)
   - \tfrac12 (\theta - \bar\theta)^T B^{-1} (\theta - \bar\theta) + \sum_k \alpha_k \log \pi_k

largest, by expectation maximisation (Dempster et al., J R Stat Soc B 1977, 39:1): with
:math:`m_k = H_k \theta + o_k`, H the shares of regions, the best :math:`\theta` for given
responsibilities is the solution of a linear system. :math:`\nu` voxels share one noise and count
as one. Covariances are those of the last :math:`\theta`: J rises with every step for covariances
held as they are.

How voxels of a region depart from it varies smoothly, and :math:`\lambda \nu` of them share one
departure. A mean over a region is so much less sure: in the linear system, which asks for means,
:math:`F C_k F^T + s^2` is replaced by :math:`\lambda F C_k F^T + s^2`, as in generalised estimating
equations (Liang and Zeger, Biometrika 1986, 73:13). Without it, frames that show much say too
surely what :math:`\theta` is, and B carries their errors over to what frames show badly: with both
tracers injected together, images had errors 1.5 to 2 times as large.
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
from betaplus.separation.tissue_person import PersonKinetics
from betaplus.separation.tissue_prior import TissuePrior

__all__ = ["TissueFit", "fit_tissues", "mixture_of", "objective", "step", "voxels_alike"]

_COUNTED = 20.0  # voxels that the weights at the beginning count as
_SEED = 5
_UNUSED = 0.2  # voxels of the sample: a component with fewer is left out
_LINEAR = 3  # steps before kinetics are looked for
_FIRST, _NEXT = 9, 3  # steps of their search
_PRESENT = 3e-3  # of the sample: a region with fewer is not there


@dataclass(frozen=True, kw_only=True)
class TissueFit:
    """How the tissues of the person are found.

    Attributes:
        steps: Of expectation maximisation; 0 keeps to the tissues of people at large.
        sample: Voxels that are looked at.
        broad: SD of the component for what is like no tissue, over that of `linear`.
        alike: Width of the smooth field by which voxels of a region depart from it, full width at
            half maximum [mm]; 0 is each for itself.
        kinetics: Whether the tissues are found by their kinetics after some steps, where blood and
            arrivals are known (`betaplus.separation.tissue_person`).
    """

    steps: int = 8
    sample: int = 4000
    broad: float = 2.0
    alike: float = 10.0
    kinetics: bool = False

    def __post_init__(self) -> None:
        if self.steps < 0 or self.sample < 1 or not 0.0 < self.broad < math.inf:
            raise UsageError(
                f"{self.steps} steps on {self.sample} voxels, broad {self.broad:g}",
                "expected 0 steps or more, 1 voxel or more and a number above 0",
            )
        if not 0.0 <= self.alike <= 100.0:
            raise UsageError(f"alike is {self.alike:g}", "expected 0 to 100 mm")


def voxels_alike(problem: SeparationProblem, fwhm: float | None = None) -> float:
    """Return nu: voxels that share one value of a field.

    Args:
        problem: The scan.
        fwhm: Of the Gaussian that white noise went through to be the field [mm]; if None, of that
            which correlates the noise of the scan.
    """
    sigma = (problem.noise_fwhm if fwhm is None else fwhm) / math.sqrt(8.0 * math.log(2.0))
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
    common = max(voxels_alike(problem, settings.alike) / voxels_alike(problem), 1.0)
    held = np.ones(mixture.count)
    person = _person(problem) if settings.kinetics else None
    phi = None if person is None else person.mean
    for n in range(settings.steps):
        shares, _ = mixture.responsibilities(white, noise)
        held = shares.sum(0).double().numpy()
        told = white, noise, shares, stands, common
        if person is None or phi is None or n < _LINEAR:
            state = step(mixture, components, precision, *told)
        else:
            system, right = gathered(mixture, components, *told)
            phi, covariance = person.fitted(system, right, phi, _FIRST if n == _LINEAR else _NEXT)
            weights = _weights(components, shares, stands)
            components = TissueComponents(person.prior(phi, covariance), settings.broad)
            of = components.prior
            state = TissueState(theta=of.mean, uncertain=of.between, weights=weights)
        mixture = mixture_of(components, state, estimate)
    return mixture.kept(_used(components, held))


def _person(problem: SeparationProblem) -> PersonKinetics | None:
    source = None if problem.tissues is None else problem.tissues.source
    if source is None or problem.spaces is None:
        return None
    return PersonKinetics(source, problem.spaces, problem.decay, problem.weights)


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
    common: float = 1.0,
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
        common: lambda, voxels that share one departure from their tissue, over those that share one
            noise.
    """
    prior = components.prior
    regions, size = prior.mean.shape
    system, right = gathered(mixture, components, white, noise, shares, stands, common)
    system += precision
    covariance = np.linalg.inv(system)
    theta = covariance @ (right + precision @ prior.mean.reshape(-1))
    return TissueState(
        theta=theta.reshape(regions, size),
        uncertain=covariance.reshape(prior.between.shape),
        weights=_weights(components, shares, stands),
    )


def gathered(
    mixture: TissueMixture,
    components: TissueComponents,
    white: Tensor,
    noise: Tensor,
    shares: Tensor,
    stands: float,
    common: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return A, shape (R K, R K), and b: voxels say -theta' A theta / 2 + b' theta of theta.

    Arguments are those of `step`.
    """
    regions, size = components.prior.mean.shape
    values = torch.as_tensor(mixture.values, dtype=white.dtype)
    weight = shares[:, :, None] / (common * values + noise[:, None, None].to(white.dtype) ** 2)
    total = weight.sum(0).double().numpy()
    ways = np.einsum("sc,ksj->kcj", mixture.seen, mixture.vectors)
    own = mixture.start - np.einsum("kc,kcj->kj", components.offset, ways)
    drawn = (weight * mixture.turned(white)).sum(0).double().numpy() + total * own
    each = np.einsum("kcj,kj,kdj->kcd", ways, total, ways, optimize=True)
    pulled = np.einsum("kcj,kj->kc", ways, drawn)
    of = components.shares
    system = np.einsum("kr,kq,kcd->rcqd", of, of, each, optimize=True)
    system = stands * system.reshape(regions * size, -1)
    right = stands * np.einsum("kr,kc->rc", of, pulled).reshape(-1)
    return system, right


def _weights(components: TissueComponents, shares: Tensor, stands: float) -> np.ndarray:
    counted = stands * shares.sum(0).double().numpy() + _COUNTED * components.weights
    return np.asarray(counted / counted.sum())


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
