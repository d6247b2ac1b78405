"""Curves from B-splines over rate and delay in JAX, and their deviance with its gradient."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from betaplus.physics import response_spline
from betaplus.physics.response import InputResponse
from betaplus.physics.response_spline import ResponseSpline

__all__ = ["Table", "curve", "deviance", "make_table"]


class Table(NamedTuple):
    """B-spline coefficients of the responses and the shape of the variance."""

    tissue: Array  # (delay, rate, T); one delay where it is known [min]
    blood: Array  # (delay, T)
    rates: Array  # offset [1/min], first and step of the fourth roots
    delays: Array  # first and step of tissue, first and step of blood [s]
    floor: Array  # (T,) variance / l^2 of an empty frame
    gain: Array  # (T,) what it gains with the curve


def make_table(
    response: InputResponse,
    rates: tuple[float, float],
    delays: tuple[float, float],
    floor: np.ndarray,
    gain: np.ndarray,
) -> Table:
    """Tabulate responses.

    Args:
        response: Input function and frames.
        rates: Smallest and largest exponential rate [1/min].
        delays: Smallest and largest delay [s].
        floor: See `Table`.
        gain: See `Table`.
    """
    # The coefficients have no public name: `ResponseSpline` answers with values.
    spline = ResponseSpline(response, rates, delays)
    frames = len(response.frames)
    moving = not spline.fixed_delay
    n_rates = spline._n_rates if moving else len(spline._tissue)
    first = (spline._tissue_first, spline._blood_first) if moving else (delays[0], delays[0])
    steps = response_spline._TISSUE_STEP, response_spline._BLOOD_STEP
    return Table(
        tissue=jnp.asarray(spline._tissue.numpy().reshape(-1, n_rates, frames)),
        blood=jnp.asarray(spline._blood.numpy().reshape(-1, frames)),
        rates=jnp.asarray([spline._offset, spline._rate_first, spline._rate_step]),
        delays=jnp.asarray([first[0], steps[0], first[1], steps[1]]),
        floor=jnp.asarray(floor),
        gain=jnp.asarray(gain),
    )


class _Rows(NamedTuple):
    """Coefficients around a point, their weights and the slopes of the weights."""

    tissue: Array  # (E, 4 delays or 1, 4 rates, T)
    by_rate: Array  # (E, 4)
    by_rate_slope: Array  # (E, 4) per 1/min
    by_delay: Array  # (4,) or (1,)
    by_delay_slope: Array  # per s
    blood: Array  # (4, T) or (1, T)
    by_blood: Array  # (4,) or (1,)
    by_blood_slope: Array  # per s


def _rows(table: Table, a: Array, delay: Array) -> _Rows:
    offset, first, step = table.rates
    u = jnp.sqrt(jnp.sqrt(a + offset))
    row, weight, slope = _basis((u - first) / step, table.tissue.shape[1])
    slope = slope / (4.0 * step * u * u * u)[..., None]
    if table.tissue.shape[0] == 1:
        tissue = table.tissue[0][row][:, None]
        one, none = jnp.ones(1), jnp.zeros(1)
        return _Rows(tissue, weight, slope, one, none, table.blood, one, none)
    t_first, t_step, b_first, b_step = table.delays
    line, across, along = _basis((delay - t_first) / t_step, table.tissue.shape[0])
    spot, near, moved = _basis((delay - b_first) / b_step, table.blood.shape[0])
    tissue = table.tissue[line[None, :, None], row[:, None, :]]
    return _Rows(
        tissue, weight, slope, across, along / t_step, table.blood[spot], near, moved / b_step
    )


def _basis(position: Array, n: int) -> tuple[Array, Array, Array]:
    """Indices (..., 4) of coefficients, weights, and the weights' slopes per grid step."""
    cell = jnp.floor(jnp.nan_to_num(position))
    f = position - cell
    g = 1.0 - f
    index = jnp.clip(cell.astype(jnp.int32)[..., None] + jnp.arange(-1, 3), 0, n - 1)
    weight = jnp.stack(
        [
            g * g * g / 6.0,
            (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0,
            (4.0 - 6.0 * g * g + 3.0 * g * g * g) / 6.0,
            f * f * f / 6.0,
        ],
        axis=-1,
    )
    slope = jnp.stack(
        [-0.5 * g * g, f * (1.5 * f - 2.0), g * (2.0 - 1.5 * g), 0.5 * f * f], axis=-1
    )
    return index, weight, slope


def _clean(rows: _Rows, c: Array, VB: Array) -> Array:
    weight = c[:, None, None] * rows.by_delay[None, :, None] * rows.by_rate[:, None, :]
    tissue = (rows.tissue * weight[..., None]).sum((0, 1, 2))
    return tissue + VB * (rows.blood * rows.by_blood[:, None]).sum(0)


def curve(table: Table, c: Array, a: Array, VB: Array, delay: Array) -> Array:
    """Return the frame means of sum c exp(-a t) (x) plasma + VB x whole blood, shape (T,).

    Args:
        table: Responses.
        c: Amplitudes, shape (E,) [1/min].
        a: Rates, shape (E,) [1/min].
        VB: Vascular fraction.
        delay: Delay [s].
    """
    return _clean(_rows(table, a, delay), c, VB)


@jax.custom_vjp
def deviance(
    table: Table, y: Array, c: Array, a: Array, VB: Array, delay: Array, log_level: Array
) -> Array:
    """Return minus the log likelihood of y, shape (T,), up to a constant; see `curve`."""
    return _with_gradient(table, y, c, a, VB, delay, log_level)[0]


def _with_gradient(
    table: Table, y: Array, c: Array, a: Array, VB: Array, delay: Array, log_level: Array
) -> tuple[Array, tuple[Array, ...]]:
    """Return the deviance and its derivatives by c, a, VB, delay and the log noise level.

    Its derivative by the curve is taken back through the coefficients once, and the few numbers
    left are turned into all derivatives: no frame carries a derivative forward.
    """
    rows = _rows(table, a, delay)
    clean = _clean(rows, c, VB)
    shape = table.floor + table.gain * jnp.maximum(clean, 0.0)
    residual = y - clean
    pull = residual / shape * jnp.exp(-2.0 * log_level)
    squares = (residual * pull).sum()
    value = 0.5 * (squares + jnp.log(shape).sum()) + y.size * log_level
    follows = jnp.where(clean > 0.0, table.gain / shape, 0.0)
    by_curve = -pull - 0.5 * (residual * pull - 1.0) * follows
    back = (rows.tissue * by_curve).sum(-1)  # (E, delay, rate)
    across = (back * rows.by_delay[None, :, None]).sum(1)  # (E, rate)
    along = (back * rows.by_rate[:, None, :]).sum(2)  # (E, delay)
    blood = (rows.blood * by_curve).sum(-1)
    by_delay = (c[:, None] * along * rows.by_delay_slope).sum()
    gradient = (
        (along * rows.by_delay).sum(1),
        c * (across * rows.by_rate_slope).sum(1),
        (blood * rows.by_blood).sum(),
        by_delay + VB * (blood * rows.by_blood_slope).sum(),
        y.size - squares,
    )
    return value, gradient


def _forward(*arguments):
    value, gradient = _with_gradient(*arguments)
    return value, (arguments[:2], gradient)


def _backward(kept, cotangent):
    data, gradient = kept
    nothing = jax.tree.map(jnp.zeros_like, data)
    return *nothing, *(cotangent * part for part in gradient)


deviance.defvjp(_forward, _backward)
