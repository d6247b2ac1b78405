"""From the prior to a tempered posterior: sequential Monte Carlo with resampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.special import ndtri

from betaplus.kinetics.nuts.counter import derive, uniforms

__all__ = ["PARTICLES", "lead"]

PARTICLES = 250
"""Particles of a chain."""

_FIRST = 4096  # points drawn from the prior
_SHARE = 0.9  # effective share of the particles that a step of the power leaves
_MOVES = 12  # after each step; every fourth jumps by the difference of two particles
_STAGES = 200
_BISECTIONS = 40
_LEAST_POWER = 1e-25
_WANTED = 0.25  # acceptance
_SCALE, _NARROW, _WIDE = 0.7, 0.05, 2.0  # of moves, in standard deviations of the crowd
_RIDGE = 1e-10

LogLikelihood = Callable[[Array], Array]


def lead(log_likelihood: LogLikelihood, d: int, power: float, key: Array) -> Array:
    """Return draws from prior x likelihood^power, shape (PARTICLES, d).

    Points from the unit Gaussian prior are resampled and moved as the power of the likelihood
    grows, each time by as much as leaves nine tenths of the particles effective (Del Moral, Doucet
    and Jasra, J. R. Stat. Soc. B 2006). Draws of a low power lie wider than the posterior, so that
    chains that start from them disagree until each has found all of it.

    Args:
        log_likelihood: Of one point, shape (d,).
        d: Coordinates.
        power: Where to stop.
        key: Key, uint64.
    """
    score = jax.vmap(lambda z: jnp.nan_to_num(log_likelihood(z), nan=-1e300, neginf=-1e300))
    key, first_key = derive(key, 0), derive(key, 1)
    uniform = uniforms(first_key, (_FIRST * d + 1,))
    z = ndtri(uniform[1:]).reshape(_FIRST, d)
    value = score(z)
    step = _step(value, jnp.asarray(power), 0.5 * PARTICLES)
    chosen = _resample(uniform[0], value, step, PARTICLES)
    nothing, scale = jnp.asarray(0), jnp.asarray(_SCALE)
    start = _Crowd(z[chosen], value[chosen], step, scale, nothing, jnp.asarray(False))

    def unfinished(crowd: _Crowd) -> Array:
        return ~crowd.done & (crowd.stage < _STAGES)

    def stage(crowd: _Crowd) -> _Crowd:
        at = crowd.stage * (_MOVES + 1)
        crowd = _moved(score, crowd, key, at)
        left = power - crowd.reached
        step = _step(crowd.value, left, _SHARE * PARTICLES)
        uniform = uniforms(derive(key, at + _MOVES), (1,))
        chosen = _resample(uniform[0], crowd.value, step, PARTICLES)
        return crowd._replace(
            z=crowd.z[chosen],
            value=crowd.value[chosen],
            reached=jnp.where(step >= left, power, crowd.reached + step),
            stage=crowd.stage + 1,
            done=left <= 0.0,
        )

    return lax.while_loop(unfinished, stage, start).z


class _Crowd(NamedTuple):
    z: Array  # (n, d)
    value: Array  # (n,) log likelihoods
    reached: Array  # power of the likelihood
    scale: Array  # of moves
    stage: Array
    done: Array


def _effective(value: Array, step: Array) -> Array:
    weight = jnp.exp(step * (value - value.max()))
    return weight.sum() ** 2 / (weight * weight).sum()


def _step(value: Array, left: Array | float, wanted: float) -> Array:
    """By how much the power may grow."""

    def bisect(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        fine = _effective(value, jnp.exp(middle)) >= wanted
        return jnp.where(fine, middle, low), jnp.where(fine, high, middle)

    ends = jnp.log(_LEAST_POWER), jnp.log(jnp.maximum(left, _LEAST_POWER))
    low, _ = lax.fori_loop(0, _BISECTIONS, bisect, ends)
    return jnp.where(_effective(value, left) >= wanted, left, jnp.exp(low))


def _resample(uniform: Array, value: Array, step: Array, n: int) -> Array:
    """Indices of n points by weight exp(step x value), systematically; in order if step is 0."""
    weight = jnp.exp(step * (value - value.max()))
    level = jnp.cumsum(weight) / weight.sum()
    at = (jnp.arange(n) + uniform) / n
    return jnp.clip(jnp.searchsorted(level, at), 0, value.size - 1)


def _moved(score: Callable[[Array], Array], crowd: _Crowd, key: Array, first: Array) -> _Crowd:
    """Metropolis moves that leave prior x likelihood^reached as it is."""
    n, d = crowd.z.shape
    off = crowd.z - crowd.z.mean(0)
    covariance = (off[:, :, None] * off[:, None, :]).mean(0) + _RIDGE * jnp.eye(d)
    root = jnp.linalg.cholesky(covariance)
    half = n // 2
    low_half = jnp.arange(n) < half

    def move(i: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        z, value, accepted = carry
        uniform = uniforms(derive(key, first + i), (n, d + 4))
        normal, length = ndtri(uniform[:, :d]), -crowd.scale * jnp.log(uniform[:, d])
        walk = length[:, None] * (root * normal[:, None, :]).sum(-1)
        # A jump joins two particles of the half that stays.
        pair = (half * uniform[:, d + 1 : d + 3]).astype(int) + jnp.where(low_half, half, 0)[
            :, None
        ]
        jumps = i % 4 == 3
        may = ~jumps | (low_half == ((i // 4) % 2 == 0))
        proposal = z + jnp.where(jumps, z[pair[:, 0]] - z[pair[:, 1]], walk)
        new = score(proposal)
        gain = crowd.reached * (new - value) - 0.5 * ((proposal**2).sum(-1) - (z**2).sum(-1))
        taken = (jnp.log(uniform[:, d + 3]) < gain) & may
        accepted += jnp.where(jumps, 0.0, taken.mean())
        return jnp.where(taken[:, None], proposal, z), jnp.where(taken, new, value), accepted

    start = crowd.z, crowd.value, jnp.asarray(0.0)
    z, value, accepted = lax.fori_loop(0, _MOVES, move, start)
    share = accepted / (_MOVES - _MOVES // 4)
    scale = jnp.clip(crowd.scale * jnp.exp(2.0 * (share - _WANTED)), _NARROW, _WIDE)
    return crowd._replace(z=z, value=value, scale=scale)
