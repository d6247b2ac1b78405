r"""Batched Levenberg-Marquardt within bounds.

Many small problems at once: each has its own damping, its own set of parameters held at a bound
and its own end; finished ones leave the batch. The damped Gauss-Newton step solves
:math:`(H + \mu \, \mathrm{diag} H) s = -J^T r`, :math:`H = J^T J`, over the free parameters; those
that would leave the box are put on its face and the others solved again (Levenberg 1944; Marquardt
1963; damping after Nielsen, IMM-REP-1999-05). Where residuals are large and bend, H alone steps too
far: a secant estimate of :math:`\sum r r''` joins it for as long as it foresees the cost better
(NL2SOL: Dennis, Gay and Welsch, ACM TOMS 1981).

Everything is additions, products, quotients and square roots element by element, and sums whose
order depends on the number of residuals alone. IEEE arithmetic then gives a problem the same bits
alone as in any batch, which products from a linear algebra library do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Fit", "Function", "factor", "forward_difference", "levenberg_marquardt", "ordered_sum"]

Function = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(values (n, P), problems (n,)) to (residuals (n, M), their derivatives (n, P, M))."""

_DAMPING = (1e-3, 1e-12, 1e16)  # first, least, most
_PASSES = 2  # times that a step is solved again after parameters met a bound
_LEAST_CURVATURE = 1e-8  # relative; with less, second derivatives are not used
_SWITCH = 1.5  # how much better the other model must foresee the cost
_SAME = 1e-12  # relative step that changes nothing
_SINGULAR = 1e-11  # pivot, relative to the parameter's own, of a direction the data leave open


class Fit(NamedTuple):
    """Optima of N problems.

    Attributes:
        values: Shape (N, P).
        covariance: Shape (N, P, P), of the free parameters given those held at a bound, whose rows
            and columns are 0. Directions that the residuals leave open have variance 0 as well
            (pseudo-inverse).
        cost: Sums of squared residuals, shape (N,).
        converged: Whether the end was reached before `max_iterations`, shape (N,).
        held: Parameters at a bound that the gradient presses against, shape (N, P).
    """

    values: Tensor
    covariance: Tensor
    cost: Tensor
    converged: Tensor
    held: Tensor


def levenberg_marquardt(
    function: Function,
    start: Tensor,
    low: Tensor,
    high: Tensor,
    *,
    max_iterations: int = 100,
    tolerance: float = 1e-10,
    variance: Tensor | float | None = None,
) -> Fit:
    """Minimise sums of squared residuals.

    Args:
        function: Residuals and their derivatives; it is given the numbers of the problems, so that
            it can look up their data. `forward_difference` makes one from residuals alone.
        start: Where to begin, shape (N, P); brought inside the bounds.
        low: Bounds, shape (P,) or (N, P).
        high: Likewise.
        max_iterations: Most steps tried per problem.
        tolerance: A problem ends when both the predicted and the true decrease of its cost are
            below this fraction of it.
        variance: Of the residuals, shape (N,); None estimates it as cost / (M - free parameters).

    Returns:
        Optima in the dtype of `start`; a problem whose residuals are not finite stays where it is,
        unconverged.
    """
    low, high = low.expand_as(start), high.expand_as(start)
    values = torch.minimum(torch.maximum(start, low), high)
    n = len(values)
    converged = torch.zeros(n, dtype=torch.bool, device=start.device)
    active = torch.arange(n, device=start.device)
    x, lower, upper = values, low, high
    r, jac = function(x, active)
    cost = ordered_sum(r * r)
    gradient, hessian = _normal_equations(r, jac)
    bend, bent = torch.zeros_like(hessian), torch.zeros_like(converged)
    damping = torch.full_like(cost, _DAMPING[0])
    growth = torch.full_like(cost, 2.0)
    for _ in range(max_iterations):
        used = torch.where(bent[:, None, None], bend, 0.0)
        step, used = _bounded_step(gradient, hessian, used, damping, x, lower, upper)
        new_x = torch.minimum(torch.maximum(x + step, lower), upper)
        step = new_x - x
        predicted = -ordered_sum(step * (2.0 * gradient + _times(hessian + used, step)))
        straight = -ordered_sum(step * (2.0 * gradient + _times(hessian, step)))
        other = straight - ordered_sum(step * _times(bend, step))
        new_r, new_jac = function(new_x, active)
        new_cost = ordered_sum(new_r * new_r)
        new_gradient, new_hessian = _normal_equations(new_r, new_jac)
        turn = new_gradient - ordered_sum(jac * new_r[:, None, :])
        bend = _updated(bend, step, turn, new_gradient - gradient, hessian)
        decrease = cost - new_cost
        off, other_off = (decrease - straight).abs(), (decrease - other).abs()
        bent = torch.where(bent, other_off <= _SWITCH * off, _SWITCH * other_off < off)
        small = tolerance * cost
        done = (predicted >= 0) & (predicted <= small) & (decrease.abs() <= small)
        done |= (step.abs() <= _SAME * x.abs()).all(-1)
        better = (decrease > 0) & (predicted > 0)
        gain = 2.0 * decrease / predicted - 1.0
        shrunk = damping * torch.clamp(1.0 - gain * gain * gain, 0.1, 2.0)
        damping = torch.where(better, shrunk, damping * growth).clamp(*_DAMPING[1:])
        growth = torch.where(better, 2.0, 2.0 * growth)
        x = torch.where(better[:, None], new_x, x)
        gradient = torch.where(better[:, None], new_gradient, gradient)
        hessian = torch.where(better[:, None, None], new_hessian, hessian)
        jac = torch.where(better[:, None, None], new_jac, jac)
        cost = torch.where(better, new_cost, cost)
        if done.any():
            values = values.index_copy(0, active[done], x[done])
            converged[active[done]] = True
            go = ~done
            active, x, jac, cost = active[go], x[go], jac[go], cost[go]
            gradient, hessian, lower, upper = gradient[go], hessian[go], lower[go], upper[go]
            damping, growth, bend, bent = damping[go], growth[go], bend[go], bent[go]
        if not len(active):
            break
    values = values.index_copy(0, active, x)
    return _finished(function, values, low, high, converged, variance)


def forward_difference(
    residuals: Callable[[Tensor, Tensor], Tensor], step: float = 1e-7
) -> Function:
    """Return a `Function` from residuals alone, with all perturbed copies in one call.

    Args:
        residuals: (values (n, P), problems (n,)) to residuals (n, M).
        step: Perturbation, relative to the value and absolute below 1e-3.
    """

    def function(values: Tensor, problems: Tensor) -> tuple[Tensor, Tensor]:
        n, p = values.shape
        size = step * values.abs().clamp(min=1e-3)
        copies = values.repeat(p + 1, 1, 1)
        for j in range(p):
            copies[j + 1, :, j] += size[:, j]
        # what was added after rounding
        size = torch.stack([copies[j + 1, :, j] - values[:, j] for j in range(p)])
        stacked = residuals(copies.reshape(-1, p), problems.repeat(p + 1))
        stacked = stacked.reshape(p + 1, n, -1)
        return stacked[0], ((stacked[1:] - stacked[0]) / size[..., None]).transpose(0, 1)

    return function


def ordered_sum(x: Tensor) -> Tensor:
    """Sum over the last axis, pairwise, in an order that depends on its length alone."""
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        pairs = x[..., :half] + x[..., half : 2 * half]
        if x.shape[-1] % 2:
            pairs[..., 0] += x[..., -1]
        x = pairs
    return x[..., 0]


def factor(matrix: Tensor, least: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return the lower Cholesky factor, and whether every pivot is above `least`.

    Args:
        matrix: Symmetric, positive semi-definite, shape (n, P, P).
        least: Pivots up to this count as 0: their column of the factor is 0.
    """
    rest = matrix.clone()
    lower = torch.zeros_like(matrix)
    regular = torch.ones(len(matrix), dtype=torch.bool, device=matrix.device)
    for j in range(matrix.shape[-1]):
        pivot = rest[:, j, j]
        good = pivot > least
        regular &= good
        root = torch.where(good, pivot, 1.0).sqrt()
        column = torch.where(good[:, None], rest[:, j:, j] / root[:, None], 0.0)
        lower[:, j:, j] = column
        rest[:, j:, j:] -= column[:, :, None] * column[:, None, :]
    return lower, regular


def _normal_equations(r: Tensor, jac: Tensor) -> tuple[Tensor, Tensor]:
    """J^T r, shape (n, P), and J^T J, shape (n, P, P)."""
    p = jac.shape[1]
    rows = [jac * r[:, None, :], *(jac[:, j:] * jac[:, j, None] for j in range(p))]
    products = ordered_sum(torch.cat(rows, 1))
    hessian = torch.zeros(len(r), p, p, dtype=r.dtype, device=r.device)
    i, k = torch.triu_indices(p, p, device=jac.device)
    hessian[:, i, k] = products[:, p:]
    hessian[:, k, i] = products[:, p:]
    return products[:, :p], hessian


def _scales(hessian: Tensor) -> Tensor:
    diagonal = hessian.diagonal(dim1=-2, dim2=-1)
    return torch.where(diagonal > 0, diagonal, 1.0).sqrt()


def _pressed(x: Tensor, gradient: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Parameters at a bound that the gradient presses against, and those without room."""
    return ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0)) | (low >= high)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return ordered_sum(matrix * vector[:, None, :])


def _updated(bend: Tensor, step: Tensor, turn: Tensor, change: Tensor, hessian: Tensor) -> Tensor:
    """Structured secant update of the residuals' own curvature (Dennis, Gay and Welsch 1981).

    Args:
        bend: Estimate of sum r r'', shape (n, P, P).
        step: What was added to the values, shape (n, P).
        turn: What `bend` should have made of it: J^T r at the new values, new less old J.
        change: Of the gradient.
        hessian: J^T J.
    """
    moved = _times(bend, step)
    size = (ordered_sum(step * turn) / ordered_sum(step * moved)).abs()
    size = size.nan_to_num(1.0).clamp(max=1.0)
    error = turn - size[:, None] * moved
    along = ordered_sum(change * step)
    usable = along > _LEAST_CURVATURE * ordered_sum(step * _times(hessian, step))
    unit = change / along[:, None]
    both = error[:, :, None] * unit[:, None, :]
    both = both + both.transpose(1, 2)
    twice = unit[:, :, None] * unit[:, None, :] * ordered_sum(error * step)[:, None, None]
    new = size[:, None, None] * bend + both - twice
    usable = usable & torch.isfinite(new).flatten(1).all(1)
    return torch.where(usable[:, None, None], new, bend)


def _bounded_step(
    gradient: Tensor,
    hessian: Tensor,
    bend: Tensor,
    damping: Tensor,
    x: Tensor,
    low: Tensor,
    high: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the step, and `bend`, which is 0 where the model is not convex with it."""
    scale = _scales(hessian)
    size = scale[:, :, None] * scale[:, None, :]
    scaled = (hessian + bend) / size
    slope = gradient / scale
    fixed = _pressed(x, gradient, low, high)
    step, convex = _solve(scaled, slope, damping, ~fixed, _LEAST_CURVATURE)
    rows = torch.nonzero(~convex)[:, 0]
    if len(rows):
        bend = bend.index_fill(0, rows, 0.0)
        scaled[rows] = hessian[rows] / size[rows]
        step[rows] = _solve(scaled[rows], slope[rows], damping[rows], ~fixed[rows])[0]
    step = step / scale
    for _ in range(_PASSES):
        new = x + step
        outside = ((new < low) | (new > high)) & ~fixed
        rows = torch.nonzero(outside.any(-1))[:, 0]
        if not len(rows):
            break
        fixed = fixed | outside
        wall = torch.minimum(torch.maximum(new, low), high) - x
        given = torch.where(fixed, torch.where(outside, wall, step), 0.0)[rows]
        part, free, units = scaled[rows], ~fixed[rows], scale[rows]
        pull = slope[rows] + _times(part, given * units)
        step[rows] = given + _solve(part, pull, damping[rows], free)[0] / units
    return step, bend


def _solve(
    scaled: Tensor, slope: Tensor, damping: Tensor, free: Tensor, least: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Step of the free parameters in units of their scales, 0 for the others; if convex."""
    matrix = torch.where(free[:, :, None] & free[:, None, :], scaled, 0.0)
    diagonal = torch.where(free, matrix.diagonal(dim1=-2, dim2=-1) + damping[:, None], 1.0)
    matrix.diagonal(dim1=-2, dim2=-1).copy_(diagonal)
    lower, convex = factor(matrix, least)
    out = torch.where(free, -slope, 0.0)
    pivots = lower.diagonal(dim1=-2, dim2=-1)
    pivots = torch.where(pivots > 0, pivots, torch.inf)
    for j in range(slope.shape[1]):
        out[:, j] /= pivots[:, j]
        out[:, j + 1 :] -= lower[:, j + 1 :, j] * out[:, j, None]
    for j in reversed(range(slope.shape[1])):
        out[:, j] /= pivots[:, j]
        out[:, :j] -= lower[:, j, :j] * out[:, j, None]
    return out, convex


def _finished(
    function: Function,
    values: Tensor,
    low: Tensor,
    high: Tensor,
    converged: Tensor,
    variance: Tensor | float | None,
) -> Fit:
    r, jac = function(values, torch.arange(len(values), device=values.device))
    gradient, hessian = _normal_equations(r, jac)
    cost = ordered_sum(r * r)
    held = _pressed(values, gradient, low, high)
    if variance is None:
        variance = cost / (r.shape[1] - (~held).sum(-1)).clamp(min=1)
    factor_ = torch.as_tensor(variance, dtype=cost.dtype, device=cost.device).expand_as(cost)
    covariance = _inverse(hessian, ~held) * factor_[:, None, None]
    return Fit(values, covariance, cost, converged, held)


def _inverse(hessian: Tensor, free: Tensor) -> Tensor:
    """Inverse over the free parameters, pseudo-inverse where that is singular; 0 elsewhere."""
    p = hessian.shape[-1]
    scale = _scales(hessian)
    both = free[:, :, None] & free[:, None, :]
    size = scale[:, :, None] * scale[:, None, :]
    scaled = torch.where(both, hessian / size, 0.0)
    lower, regular = factor(scaled + torch.diag_embed((~free).to(scaled.dtype)), _SINGULAR)
    pivots = torch.where(regular[:, None], lower.diagonal(dim1=-2, dim2=-1), 1.0)
    roots = torch.eye(p, dtype=hessian.dtype, device=hessian.device).repeat(len(hessian), 1, 1)
    for j in range(p):  # roots becomes the inverse of the factor
        roots[:, j] /= pivots[:, j, None]
        roots[:, j + 1 :] -= lower[:, j + 1 :, j, None] * roots[:, j, None, :]
    i, k = torch.tril_indices(p, p, device=hessian.device)
    products = ordered_sum((roots[:, :, i] * roots[:, :, k]).transpose(1, 2))
    out = torch.zeros_like(scaled)
    out[:, i, k] = products
    out[:, k, i] = products
    for row in torch.nonzero(~regular)[:, 0].tolist():  # one at a time: the same bits in any batch
        if torch.isfinite(scaled[row]).all():
            out[row] = torch.linalg.pinv(scaled[row].clone(), rtol=_SINGULAR, hermitian=True)
        else:
            out[row] = torch.nan
    return torch.where(both, out / size, 0.0)
