"""Gaussian mixtures as proposals of independent jumps: density, draws, and a fit by EM."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import logsumexp, ndtri

from betaplus.kinetics.nuts.counter import uniforms

__all__ = ["Mixture", "draw", "fit_mixture", "join", "log_density", "root_covariance"]

_STEPS = 30
_PRIOR_POINTS = 10.0  # a component's covariance is shrunk to that of all, as by so many points
_RIDGE = 1e-4  # of the points' variances
_TINY = 1e-12
_WIDE, _FACTOR = 0.1, 2.0  # share of draws from components that much wider


class Mixture(NamedTuple):
    """K Gaussians in d coordinates."""

    weight: Array  # (K,)
    mean: Array  # (K, d)
    root: Array  # (K, d, d) lower factors of the covariances
    inverse: Array  # (K, d, d) their inverses
    log_root: Array  # (K,) log determinants of the factors


def root_covariance(points: Array) -> Array:
    """Return the lower factor of the covariance of points (n, d), shape (d, d)."""
    off = points - points.mean(0)
    covariance = (off[:, :, None] * off[:, None, :]).mean(0)
    return jnp.linalg.cholesky(covariance + _TINY * jnp.eye(points.shape[1]))


def fit_mixture(points: Array, components: int, key: Array) -> Mixture:
    """Fit a mixture to points, shape (n, d), by expectation and maximisation.

    Args:
        points: The points.
        components: Number of Gaussians.
        key: Chooses the points to begin from (k-means++).
    """
    centre, outer = points.mean(0), root_covariance(points)
    back = _inverse(outer)
    x = (back * (points - centre)[:, None, :]).sum(-1)
    seeds = _spread_points(x, components, key)
    nearest = ((x[:, None] - seeds) ** 2).sum(-1).argmin(1)
    share = jax.nn.one_hot(nearest, components, dtype=x.dtype)

    def step(_, share):
        mixture = _maximise(x, share)
        log_p = jnp.log(mixture.weight) - mixture.log_root - 0.5 * _distance(mixture, x)
        return jnp.exp(log_p - logsumexp(log_p, axis=1, keepdims=True))

    inner = _maximise(x, lax.fori_loop(0, _STEPS, step, share))
    root = (outer[:, :, None] * inner.root[:, None, :, :]).sum(2)
    mean = centre + (outer * inner.mean[:, None, :]).sum(-1)
    return _mixture(inner.weight, mean, root)


def join(first: Mixture, second: Mixture, share: Array | float) -> Mixture:
    """Return a mixture of two, the first with weight `share`."""
    both = [jnp.concatenate(parts) for parts in zip(first, second, strict=True)]
    weight = jnp.concatenate([share * first.weight, (1.0 - share) * second.weight])
    return Mixture(weight, *both[1:])


def draw(mixture: Mixture, uniform: Array) -> Array:
    """Return draws from uniforms, shape (n, d + 2); a tenth from components twice as wide."""
    level = jnp.cumsum(mixture.weight)
    chosen = jnp.clip((uniform[:, :1] * level[-1] > level).sum(-1), 0, level.size - 1)
    wide = jnp.where(uniform[:, 1:2] < _WIDE, _FACTOR, 1.0)
    normal = wide * ndtri(uniform[:, 2:])
    return mixture.mean[chosen] + (mixture.root[chosen] * normal[:, None, :]).sum(-1)


def log_density(mixture: Mixture, x: Array) -> Array:
    """Return the log density of `draw` at x, shape (n, d), up to a constant; shape (n,)."""
    square, d = _distance(mixture, x), x.shape[1]
    kernel = jnp.logaddexp(
        jnp.log1p(-_WIDE) - 0.5 * square,
        jnp.log(_WIDE) - d * jnp.log(_FACTOR) - 0.5 * square / _FACTOR**2,
    )
    return logsumexp(jnp.log(mixture.weight) - mixture.log_root + kernel, axis=1)


def _distance(mixture: Mixture, x: Array) -> Array:
    """Squared Mahalanobis distances of x (n, d) from the components, shape (n, K)."""
    off = x[:, None, :] - mixture.mean
    return ((mixture.inverse * off[:, :, None, :]).sum(-1) ** 2).sum(-1)


def _maximise(x: Array, share: Array) -> Mixture:
    n, d = x.shape
    size = share.sum(0) + _TINY
    mean = (share[:, :, None] * x[:, None, :]).sum(0) / size[:, None]
    off = x[:, None, :] - mean
    scatter = (share[:, :, None, None] * off[:, :, :, None] * off[:, :, None, :]).sum(0)
    typical = scatter.sum(0) / n
    typical = 0.5 * (typical + jnp.diag(jnp.diag(typical)))
    covariance = (scatter + _PRIOR_POINTS * typical) / (size + _PRIOR_POINTS)[:, None, None]
    root = jnp.linalg.cholesky(covariance + _RIDGE * jnp.eye(d))
    return _mixture((size + 1.0) / (n + share.shape[1]), mean, root)


def _mixture(weight: Array, mean: Array, root: Array) -> Mixture:
    log_root = jnp.log(jnp.diagonal(root, axis1=-2, axis2=-1)).sum(-1)
    return Mixture(weight, mean, root, jax.vmap(_inverse)(root), log_root)


def _inverse(root: Array) -> Array:
    return solve_triangular(root, jnp.eye(root.shape[-1]), lower=True)


def _spread_points(x: Array, n: int, key: Array) -> Array:
    """Choose n of the points, each likelier the farther it lies from those before it."""
    uniform = uniforms(key, (n,))
    last = len(x) - 1
    first = x[(uniform[0] * len(x)).astype(int)]

    def add(i: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        chosen, least = state
        level = jnp.cumsum(least)
        new = x[jnp.clip(jnp.searchsorted(level, uniform[i] * level[-1]), 0, last)]
        return chosen.at[i].set(new), jnp.minimum(least, ((x - new) ** 2).sum(1))

    start = jnp.broadcast_to(first, (n, x.shape[1])), ((x - first) ** 2).sum(1)
    return lax.fori_loop(1, n, add, start)[0]
