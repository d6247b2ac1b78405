r"""Chains of a curve: independence jumps between modes, then a NUTS transition.

A draw is `proposals` Metropolis steps from a fixed Gaussian mixture (which finds its way between
modes and along ridges), then one transition of the No-U-Turn sampler (Hoffman and Gelman, JMLR
2014; Betancourt 2017) by numpyro. Both leave the target as it is. The target is
prior x likelihood^power.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.special import ndtri
from numpyro.infer.hmc_util import (
    build_tree,
    dual_averaging,
    euclidean_kinetic_energy,
    velocity_verlet,
)

from betaplus.kinetics.nuts.counter import derive, threefry_key, uniforms
from betaplus.kinetics.nuts.mixture import Mixture, draw, log_density

__all__ = ["BUFFER", "Chain", "Effort", "advance"]

BUFFER = 500
"""Most draws of one call."""


class Effort(NamedTuple):
    """How much one draw costs; compiled in."""

    proposals: int
    depth: int
    accept: float


class Chain(NamedTuple):
    """Where a chain stands."""

    z: Array  # (d,)
    step: Array  # step size of NUTS in whitened coordinates


def advance(
    log_likelihood: Callable[[Array], Array],
    effort: Effort,
    chain: Chain,
    mixture: Mixture,
    root: Array,
    power: Array,
    key: Array,
    first: Array,
    count: Array,
    tune: Array,
) -> tuple[Chain, Array, Array]:
    """Make `count` draws.

    Args:
        log_likelihood: Of one point, shape (d,).
        effort: How much a draw costs.
        chain: Where to begin.
        mixture: Proposals of the jumps.
        root: NUTS moves in x with z = z0 + root x, shape (d, d).
        power: Power of the likelihood.
        key: Key of the chain.
        first: Number of the first draw: every draw of a chain has its own key.
        count: Number of draws, at most `BUFFER`.
        tune: Whether to tune the step size.

    Returns:
        The chain, draws (BUFFER, d) and their energies (BUFFER,), of which `count` are filled.
    """

    def energy(z: Array) -> Array:
        value = 0.5 * (z * z).sum() - power * log_likelihood(z)
        return jnp.where(jnp.isnan(value), jnp.inf, value)

    start, update = dual_averaging()
    tuning = start(jnp.log(10.0 * chain.step))
    tuning = (jnp.log(chain.step), *tuning[1:])

    def more(state):
        return state[0] < count

    def one(state):
        i, z, tuning, draws, energies = state
        mine = derive(key, first + i)
        uniform = uniforms(mine, (effort.proposals + 1, z.size + 3))
        z = _jump(energy, mixture, z, uniform[1:])
        step = jnp.where(tune, jnp.exp(tuning[0]), chain.step)
        momentum = ndtri(uniform[0, : z.size])
        z, value, accepted = _nuts(energy, effort.depth, root, step, z, momentum, mine)
        tuning = update(effort.accept - accepted, tuning)
        return i + 1, z, tuning, draws.at[i].set(z), energies.at[i].set(value)

    blank = jnp.zeros((BUFFER, chain.z.size)), jnp.zeros(BUFFER)
    _, z, tuning, draws, energies = lax.while_loop(
        more, one, (jnp.zeros_like(count), chain.z, tuning, *blank)
    )
    step = jnp.where(tune, jnp.exp(tuning[1]), chain.step)
    return Chain(z, step), draws, energies


def _jump(energy: Callable[[Array], Array], mixture: Mixture, z: Array, uniform: Array) -> Array:
    """Metropolis steps with independent proposals, evaluated at once; uniforms (n, d + 3)."""
    points = jnp.concatenate([z[None], draw(mixture, uniform[:, 1:])])
    log_weight = -jax.vmap(energy)(points) - log_density(mixture, points)
    threshold = jnp.log(uniform[:, 0])

    def step(i: Array, at: Array) -> Array:
        return jnp.where(threshold[i - 1] < log_weight[i] - log_weight[at], i, at)

    return points[lax.fori_loop(1, len(points), step, jnp.asarray(0))]


def _nuts(
    energy: Callable[[Array], Array],
    depth: int,
    root: Array,
    step: Array,
    z: Array,
    momentum: Array,
    key: Array,
) -> tuple[Array, Array, Array]:
    """One transition from z; returns the new z, its energy and the acceptance statistic."""

    def moved(x: Array) -> Array:
        return z + (root * x).sum(-1)

    def whitened(x: Array) -> Array:
        return energy(moved(x))

    origin = jnp.zeros_like(z)
    _, verlet = velocity_verlet(whitened, euclidean_kinetic_energy)
    value, slope = jax.value_and_grad(whitened)(origin)
    tree = build_tree(
        verlet,
        euclidean_kinetic_energy,
        (origin, momentum, value, slope),
        jnp.ones_like(z),
        step,
        threefry_key(key),
        max_tree_depth=depth,
    )
    accepted = tree.sum_accept_probs / tree.num_proposals
    return moved(tree.z_proposal), tree.z_proposal_pe, accepted
