r"""The posterior of kinetic parameters by long ensemble MCMC, sharing no code with `exact`.

The target is written out in full: with :math:`\theta` = K1, the rate constants, VB and the noise
level l, each under its prior,

.. math:: y_f \sim N(C_f(\theta), \sigma_f^2), \quad
    \sigma_f^2 = l^2 (C_f(\theta) + c_0) \, DCF_f / D_f ,

with the log-determinant of the variances. The level is sampled, not integrated out. Walkers move
in the CDFs u of the priors, where the prior with its Jacobian is 1 inside the unit cube. (In the
logits of u, posteriors that lean on a bound have long tails, and chains are up to ten times
slower.)
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from betaplus.core.seeds import generator
from betaplus.evaluation.convergence import ensemble_ess, ensemble_sd_error, split_rhat
from betaplus.evaluation.ensemble import sample_ensemble
from betaplus.kinetics.prior import Distribution, Prior
from betaplus.physics.compartments import CompartmentModel
from betaplus.physics.noise import NOISE_FLOOR, noise_gain
from betaplus.physics.response import InputResponse
from betaplus.pipeline.benchmark.kinetics.mcmc.forward import TabulatedForward

__all__ = ["Posterior", "Reference", "sample_posterior"]

_ENSEMBLES, _WALKERS = 4, 48
_CROWD = 240  # walkers of an ensemble on the way from the prior to the posterior
_RAMP, _SETTLE = 60, 15  # powers of the likelihood on that way, steps at each
_KEPT = 400  # steps of a walker that are kept
_FIRST = 2000  # steps of the first round
_JUMPS = 0.25
_COLUMNS = ("mean", "std", "rhat", "ess", "std_error")


class Posterior:
    """Log posterior densities of B curves with one input function.

    Args:
        response: Input function and frames [Bq/mL].
        model: Compartment model.
        prior: Priors of K1, rate constants, VB and noise.
        curves: Shape (B, T) [Bq/mL].
        noise: The noise level where it is known.
    """

    def __init__(
        self,
        response: InputResponse,
        model: CompartmentModel,
        prior: Prior,
        curves: np.ndarray,
        *,
        noise: float | None = None,
        forward: TabulatedForward | None = None,
    ) -> None:
        self.names = (*model.parameters, *(["noise"] if noise is None else []))
        self._distributions = [prior[name] for name in self.names]
        self._noise = noise
        self.forward = forward or TabulatedForward(response, _fastest(model, prior))
        self._gain = noise_gain(response.frames, response.half_life)
        self._floor = NOISE_FLOOR * float(response.plasma_mean().max())
        self._curves = np.ascontiguousarray(curves, dtype=np.float64)
        self._setup = response, model, prior

    def select(self, keep: np.ndarray) -> Posterior:
        """Return the posteriors of some of the curves."""
        response, model, prior = self._setup
        return Posterior(
            response, model, prior, self._curves[keep], noise=self._noise, forward=self.forward
        )

    def __len__(self) -> int:
        return len(self._curves)

    def parameters(self, u: np.ndarray) -> dict[str, np.ndarray]:
        """Return parameters at coordinates u, shape (..., d), name to shape (...)."""
        columns = zip(self.names, self._distributions, np.moveaxis(u, -1, 0), strict=True)
        return {name: _quantile(distribution, column) for name, distribution, column in columns}

    def log_likelihood(self, u: np.ndarray) -> np.ndarray:
        """Return log p(curve | parameters) at u inside the unit cube, shape (B, n, d)."""
        values = self.parameters(u)
        level = values["noise"] if self._noise is None else np.full(u.shape[:-1], self._noise)
        return self.forward.log_likelihood(values, level, self._curves, self._gain, self._floor)

    def log_density(self, u: np.ndarray, power: float = 1.0) -> np.ndarray:
        """Return the log posterior density at u, shape (B, n, d), with the likelihood to a power.

        The prior's density and the Jacobian of u cancel.
        """
        inside = ((u > 0.0) & (u < 1.0)).all(axis=-1)
        safe = np.where(inside[..., None], u, 0.5)
        return np.where(inside, power * self.log_likelihood(safe), -np.inf)


@dataclass(frozen=True, eq=False)
class Reference:
    """Moments of B posteriors and what they can be trusted to.

    Attributes:
        names: Parameters, then Ki where the model has k3.
        mean: Shape (B, P).
        std: Shape (B, P).
        rhat: Split R-hat, shape (B, P).
        ess: Bulk effective sample size, shape (B, P).
        std_error: Relative Monte Carlo standard error of the SD, shape (B, P).
        steps: Steps of the last round by curve, shape (B,).
        acceptance: Share of accepted moves, shape (B,).
    """

    names: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    rhat: np.ndarray
    ess: np.ndarray
    std_error: np.ndarray
    steps: np.ndarray
    acceptance: np.ndarray


def sample_posterior(
    posterior: Posterior,
    seed: int = 0,
    *,
    rhat: float = 1.01,
    ess: float = 4000.0,
    std_error: float = 0.02,
    rounds: int = 7,
) -> Reference:
    """Sample until every parameter of every curve has converged.

    Four independent ensembles start from the prior and are led to the posterior by growing powers
    of the likelihood, with resampling, so that walkers in modes of negligible mass die out (Del
    Moral, Doucet and Jasra, J. R. Stat. Soc. B 2006). Then 48 walkers of each run in rounds, each
    twice as long as the one before: a round that does not meet `rhat`, `ess` and `std_error` is
    the warm-up of the next.

    Args:
        posterior: The targets.
        seed: Seed.
        rhat: Largest split R-hat of four independent ensembles.
        ess: Smallest bulk effective sample size.
        std_error: Largest relative standard error of the SD.
        rounds: Most rounds; a curve that has not converged by then keeps its numbers, which say so.
    """
    n, d = len(posterior), len(posterior.names)
    rng = generator(seed)
    position = _lead(posterior, rng.random((n, _ENSEMBLES, _CROWD, d)), rng)
    macro = ("Ki",) if "k3" in posterior.names else ()
    names = (*posterior.names, *macro)
    out = {key: np.empty((n, len(names))) for key in _COLUMNS}
    steps_of, acceptance = np.zeros(n, dtype=int), np.zeros(n)
    left, target = np.arange(n), posterior
    for turn in range(rounds):
        steps = _FIRST << turn
        run = sample_ensemble(
            target.log_density, position, steps, rng, thin=steps // _KEPT, jumps=_JUMPS
        )
        values = target.parameters(run.chain)
        if macro:
            values["Ki"] = values["K1"] * values["k3"] / (values["k2"] + values["k3"])
        draws = np.stack([values[name] for name in names], axis=1)  # (b, P, E, W, N)
        out["mean"][left] = draws.mean(axis=(2, 3, 4))
        out["std"][left] = draws.std(axis=(2, 3, 4))
        out["ess"][left] = ensemble_ess(draws)
        out["rhat"][left] = split_rhat(_by_ensemble(draws))
        out["std_error"][left] = ensemble_sd_error(draws)
        steps_of[left], acceptance[left] = steps, run.acceptance
        bad = (out["rhat"] >= rhat) | (out["ess"] < ess) | (out["std_error"] > std_error)
        failed = bad[left].any(axis=1)
        if not failed.any():
            break
        left, position, target = left[failed], run.last[failed], target.select(failed)
    return Reference(names, **out, steps=steps_of, acceptance=acceptance)


def _lead(posterior: Posterior, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lead a crowd, (B, E, many, d), from the prior to the posterior; return 48 of each ensemble.

    At every power of the likelihood walkers are resampled by what it adds, then moved.
    """
    position, crowd, last = start, start.shape[2], 0.0
    for power in np.geomspace(1e-5, 1.0, _RAMP):
        flat = position.reshape(len(position), -1, position.shape[-1])
        gain = (power - last) * posterior.log_likelihood(flat).reshape(position.shape[:3])
        weight = np.exp(gain - gain.max(axis=2, keepdims=True))
        level = np.cumsum(weight, axis=2) / weight.sum(axis=2, keepdims=True)
        at = (np.arange(crowd) + rng.random((*position.shape[:2], 1))) / crowd
        chosen = (at[..., None] > level[:, :, None, :-1]).sum(axis=-1)
        chosen = rng.permuted(chosen, axis=2)
        position = np.take_along_axis(position, chosen[..., None], axis=2)
        density = functools.partial(posterior.log_density, power=float(power))
        position = sample_ensemble(density, position, _SETTLE, rng, thin=_SETTLE, jumps=_JUMPS).last
        last = power
    return position[:, :, :_WALKERS]


def _by_ensemble(draws: np.ndarray) -> np.ndarray:
    """(b, P, E, W, N) to (b, P, E, N W): an ensemble is one chain, its steps in order."""
    return np.swapaxes(draws, 3, 4).reshape(*draws.shape[:3], -1)


def _quantile(distribution: Distribution, u: np.ndarray) -> np.ndarray:
    if distribution.dist == "uniform":
        return distribution.low + u * (distribution.high - distribution.low)
    if distribution.dist == "loguniform":
        return distribution.low * (distribution.high / distribution.low) ** u
    return distribution.at_probit(ndtri(u))


def _fastest(model: CompartmentModel, prior: Prior) -> tuple[float, float]:
    """Smallest and largest exponential rate under the prior [1/min]."""
    lowest = min(0.0, prior["k4"].low) if "k4" in model.rates else 0.0
    return lowest, sum(max(prior[name].high, 0.0) for name in model.rates)
