"""What is compiled, once per layout: functions of a group of curves with one posterior each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from betaplus.kinetics.nuts.counter import derive
from betaplus.kinetics.nuts.lead import lead
from betaplus.kinetics.nuts.mixture import (
    Mixture,
    fit_mixture,
    join,
    log_density,
    root_covariance,
)
from betaplus.kinetics.nuts.response import Table
from betaplus.kinetics.nuts.sampler import Chain, Effort, advance
from betaplus.kinetics.nuts.target import Layout, potential, prediction

__all__ = ["POOL", "TEMPERED", "Programs", "Proposals", "compile_programs"]

POOL = 1000
"""Points that a mixture is fitted to."""

TEMPERED = 0.3
"""Power of the likelihood at which chains begin."""

_COMPONENTS = 12
_HOT, _RARE = 0.2, 0.3  # shares of the jumps
_FLATTENED = 0.5  # power of the ratio of posterior to proposals that chooses rare draws
_LEADING, _DRAWING, _FITTING, _FITTING_RARE = range(4)  # what random numbers are for


class Proposals(NamedTuple):
    """Mixtures that jumps are drawn from; what only one of them reaches is not out of reach."""

    hot: Mixture  # of the tempered posterior
    rare: Mixture  # of draws for which there were too few proposals
    cold: Mixture  # of the posterior

    def joined(self) -> Mixture:
        """Return all as one mixture."""
        aside = join(self.hot, self.rare, _HOT / (_HOT + _RARE))
        return join(aside, self.cold, _HOT + _RARE)


@dataclass(frozen=True)
class Programs:
    """Compiled functions; the first axis of what is a curve's own are the curves of a group.

    Attributes:
        lead: Table, known, y, key to particles of every chain.
        fit: Points, key, turn to their mixture and the factor of their covariance.
        fit_rare: Points, energies, key, turn, proposals to the mixture of the rare ones.
        advance: See `betaplus.kinetics.nuts.sampler.advance`.
        predict: Table, known, coordinates to curves and variances.
    """

    lead: Callable[..., Any]
    fit: Callable[..., Any]
    fit_rare: Callable[..., Any]
    advance: Callable[..., Any]
    predict: Callable[..., Any]


@functools.lru_cache(maxsize=32)
def compile_programs(layout: Layout, effort: Effort, n_chains: int) -> Programs:
    """Return the functions for posteriors of one layout."""
    d = len(layout.names)

    def keys(key: Array, purpose: int) -> Array:
        return derive(derive(key, purpose), jnp.arange(n_chains))

    def likelihood(table: Table, known: Array, y: Array) -> Callable[[Array], Array]:
        return lambda z: -potential(layout, table, known, y, z)

    def lead_curve(table: Table, known: Array, y: Array, key: Array) -> Array:
        run = functools.partial(lead, likelihood(table, known, y), d, TEMPERED)
        return jax.vmap(run)(keys(key, _LEADING))

    def fit(points: Array, key: Array, turn: Array) -> tuple[Mixture, Array]:
        own = derive(derive(key, _FITTING), turn)
        return fit_mixture(points, _COMPONENTS, own), root_covariance(points)

    def fit_rare(
        points: Array, energy: Array, key: Array, turn: Array, proposals: Proposals
    ) -> Mixture:
        short = -energy - log_density(proposals.joined(), points)
        level = jnp.cumsum(jnp.exp(_FLATTENED * (short - short.max())))
        at = (jnp.arange(POOL) + 0.5) / POOL * level[-1]
        chosen = jnp.clip(jnp.searchsorted(level, at), 0, len(points) - 1)
        own = derive(derive(key, _FITTING_RARE), turn)
        return fit_mixture(points[chosen], _COMPONENTS, own)

    def advance_curve(
        table: Table,
        known: Array,
        y: Array,
        key: Array,
        at: Chain,
        proposals: Proposals,
        root: Array,
        power: Array,
        first: Array,
        count: Array,
        tune: Array,
    ) -> tuple[Chain, Array, Array]:
        density, mixture = likelihood(table, known, y), proposals.joined()

        def run(chain: Chain, key: Array) -> tuple[Chain, Array, Array]:
            return advance(density, effort, chain, mixture, root, power, key, first, count, tune)

        return jax.vmap(run)(at, keys(key, _DRAWING))

    def predict(table: Table, known: Array, z: Array) -> tuple[Array, Array]:
        return jax.vmap(lambda point: prediction(layout, table, known, point))(z)

    one, own = None, 0
    return Programs(
        jax.jit(jax.vmap(lead_curve, in_axes=(one, one, own, own))),
        jax.jit(jax.vmap(fit, in_axes=(own, own, one))),
        jax.jit(jax.vmap(fit_rare, in_axes=(own, own, own, one, own))),
        jax.jit(jax.vmap(advance_curve, in_axes=(one,) * 2 + (own,) * 5 + (one,) * 4)),
        jax.jit(jax.vmap(predict, in_axes=(one, one, own))),
    )
