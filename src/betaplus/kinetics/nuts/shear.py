r"""Curved ridges made straight: coordinates in which K1 and VB no longer follow the rates.

Posteriors of two-tissue models run out along ridges, thin and curved, on which K1 (and VB) are
functions of the rate constants. With :math:`\psi = z - f(u)` in the places of K1 and VB, u the
prior probabilities below the rates and f quadratic, the ridge is straight, and the map has a unit
Jacobian: short trajectories and few Gaussians do for what was curved.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import cho_solve
from jax.scipy.special import ndtr

from betaplus.kinetics.nuts.target import Layout

__all__ = ["Shear", "fit_shear"]

_RIDGE = 1e-6  # of the features' variances


class Shear(NamedTuple):
    """The map of one curve.

    Attributes:
        slopes: By coordinate, shape (d, F); 0 but for K1 and VB.
    """

    slopes: Array

    def straight(self, layout: Layout, z: Array) -> Array:
        """Return psi at z, shape (..., d)."""
        return z - self._bow(layout, z)

    def curved(self, layout: Layout, psi: Array) -> Array:
        """Return z at psi, shape (..., d)."""
        return psi + self._bow(layout, psi)

    def _bow(self, layout: Layout, z: Array) -> Array:
        return (self.slopes * _features(layout, z)[..., None, :]).sum(-1)


def fit_shear(layout: Layout, z: Array, weight: Array) -> Shear:
    """Fit the map to points z, shape (n, d), with weights, shape (n,), by least squares."""
    features = _features(layout, z)
    weight = (weight / weight.sum())[:, None]
    features = features - (weight * features).sum(0)
    moved = z - (weight * z).sum(0)
    normal = (weight[:, :, None] * features[:, :, None] * features[:, None, :]).sum(0)
    right = (weight[:, :, None] * features[:, :, None] * moved[:, None, :]).sum(0)
    size = jnp.sqrt(jnp.diag(normal)) + 1e-12
    scaled = normal / (size[:, None] * size) + _RIDGE * jnp.eye(len(size))
    slopes = cho_solve((jnp.linalg.cholesky(scaled), True), right / size[:, None]) / size[:, None]
    follows = jnp.asarray([name in ("K1", "VB") for name in layout.names])
    return Shear(jnp.where(follows[:, None], slopes.T, 0.0))


def _features(layout: Layout, z: Array) -> Array:
    """Linear and quadratic terms of the rates' probabilities, shape (..., F)."""
    rates = [i for i, name in enumerate(layout.names) if name in ("k2", "k3", "k4")]
    u = [ndtr(z[..., i]) - 0.5 for i in rates]
    products = [u[i] * u[j] for i in range(len(u)) for j in range(i, len(u))]
    return jnp.stack([*u, *products, jnp.zeros(z.shape[:-1])], axis=-1)
