r"""The posterior of a task's curves in JAX.

.. math:: y_f \sim N(C_f(\theta), v_f), \quad v_f = l^2 (s_f + g_f \max(C_f, 0)),

log-determinant included. The coordinates z are probits: Phi(z) is the prior probability below the
parameter, so that the prior is a unit Gaussian and needs no Jacobian.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtr, ndtri

from betaplus.kinetics.method import Task
from betaplus.kinetics.nuts.response import Table, curve, deviance, make_table
from betaplus.kinetics.prior import Distribution
from betaplus.physics.compartments import find_model
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse

__all__ = ["NAMES", "Layout", "Target", "make_target", "potential", "prediction"]

NAMES = ("K1", "k2", "k3", "k4", "VB", "delay", "noise")
"""Every parameter of the posterior, known or free."""

_LEAST_GAP = 1e-18


@dataclass(frozen=True)
class Layout:
    """What is compiled in.

    Attributes:
        priors: Priors of the free parameters in the order of `NAMES`; they are the coordinates.
        one_tissue: Whether there is a single exponential.
    """

    priors: tuple[tuple[str, Distribution], ...]
    one_tissue: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return tuple(name for name, _ in self.priors)


@dataclass(frozen=True, eq=False)
class Target:
    """The posterior of a task's curves, up to the curve.

    Attributes:
        layout: What is compiled in.
        table: Responses and noise.
        known: Values of what is not free, in the order of `NAMES`.
    """

    layout: Layout
    table: Table
    known: Array


def make_target(task: Task) -> Target:
    """Tabulate the responses of a task; to be called in double precision."""
    model = find_model(task.model)
    response = InputResponse(task.curve, task.frames, task.half_life, dispersion=task.dispersion)
    priors = {name: task.prior[name] for name in NAMES}
    for name in ("k3", "k4"):
        if name not in model.rates:
            priors[name] = Distribution.at(0.0)
    if task.delay is not None:
        priors["delay"] = Distribution.at(float(task.delay))
    if isinstance(task.noise, np.ndarray):
        priors["noise"] = Distribution.at(1.0)
    elif not isinstance(task.noise, str):
        priors["noise"] = Distribution.at(float(task.noise))
    fastest = priors["k2"].high + priors["k3"].high + max(0.0, priors["k4"].high)
    delays = priors["delay"].low, priors["delay"].high
    rates = min(0.0, priors["k4"].low), fastest
    layout = Layout(
        tuple((name, prior) for name, prior in priors.items() if not prior.fixed),
        one_tissue="k3" not in model.rates,
    )
    known = jnp.asarray([prior.low for prior in priors.values()], dtype=jnp.float64)
    return Target(layout, make_table(response, rates, delays, *_variance(task, response)), known)


def _variance(task: Task, response: InputResponse) -> tuple[np.ndarray, np.ndarray]:
    """Variance / l^2 as floor + gain x curve."""
    if isinstance(task.noise, np.ndarray):
        return np.asarray(task.noise, dtype=np.float64) ** 2, np.zeros(len(task.frames))
    if task.weights is not None:
        return 1.0 / np.asarray(task.weights, dtype=np.float64), np.zeros(len(task.frames))
    gain = noise_gain(task.frames, task.half_life)
    return noise_floor(response) * gain, gain


def potential(layout: Layout, table: Table, known: Array, y: Array, z: Array) -> Array:
    """Return minus the log likelihood of y (T,) at z (d,), up to a constant."""
    return deviance(table, y, *_amplitudes(layout, _values(layout, known, z)))


def prediction(layout: Layout, table: Table, known: Array, z: Array) -> tuple[Array, Array]:
    """Return the noise-free curve and the variance of the frames at z (d,), shape (T,) each."""
    c, a, VB, delay, log_level = _amplitudes(layout, _values(layout, known, z))
    clean = curve(table, c, a, VB, delay)
    shape = table.floor + table.gain * jnp.maximum(clean, 0.0)
    return clean, jnp.exp(2.0 * log_level) * shape


def _values(layout: Layout, known: Array, z: Array) -> dict[str, Array]:
    values = dict(zip(NAMES, known, strict=True))
    below = ndtr(z)
    for i, (name, prior) in enumerate(layout.priors):
        values[name] = _quantile(prior, below[i])
    return values


def _quantile(prior: Distribution, p: Array) -> Array:
    """`Distribution.at_probit` in JAX, from the probability below."""
    if prior.dist == "uniform":
        return prior.low + p * (prior.high - prior.low)
    if prior.dist == "loguniform":
        return prior.low * jnp.exp(p * np.log(prior.high / prior.low))
    log = prior.dist == "lognormal"
    low, high = (np.log(prior.low), np.log(prior.high)) if log else (prior.low, prior.high)
    first, last = ndtr((low - prior.mean) / prior.sd), ndtr((high - prior.mean) / prior.sd)
    x = jnp.clip(prior.mean + prior.sd * ndtri(first + p * (last - first)), low, high)
    return jnp.exp(x) if log else x


def _amplitudes(
    layout: Layout, values: dict[str, Array]
) -> tuple[Array, Array, Array, Array, Array]:
    """Amplitudes and rates of the exponentials, shape (E,) each, VB, delay, log noise level."""
    k2, k3, k4, VB = (values[name] for name in ("k2", "k3", "k4", "VB"))
    tissue = values["K1"] * (1.0 - VB)
    rest = VB, values["delay"], jnp.log(values["noise"])
    if layout.one_tissue:
        return tissue[None], k2[None], *rest
    # Roots of a^2 - (k2 + k3 + k4) a + k2 k4; their gap without cancellation.
    gap = jnp.sqrt(jnp.maximum((k2 - k3 - k4) ** 2 + 4.0 * k2 * k3, _LEAST_GAP))
    fast = 0.5 * (k2 + k3 + k4 + gap)
    slow = k2 * k4 / fast
    share = (k3 + k4 - slow) / gap
    return (
        tissue * jnp.stack([share, 1.0 - share]),
        jnp.stack([slow, fast]),
        *rest,
    )
