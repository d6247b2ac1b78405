r"""Batched weighted linear regression of a few parameters, and its covariance.

The line is :math:`z = X^T \theta`; least squares by orthogonalisation (modified Gram-Schmidt; see
Bjorck, Numerical Methods for Least Squares Problems, SIAM 1996). Where the measured curve stands on
both sides of the equation, as in Logan's, the textbook covariance is wrong: the noise of a frame
enters its own point and all later ones. With :math:`e(\theta, y) = z(y) - X(y)^T \theta` and
:math:`M = \partial e / \partial y`, to first order :math:`d\theta = G M \, dy` with G the gain of
the regression, hence :math:`\mathrm{cov}\,\theta = l^2 G M S M^T G^T` for frame variances
:math:`l^2 S`; and the residuals are :math:`A \, dy` with :math:`A = (1 - X^T G) M`, so that their
weighted sum of squares is expected to be :math:`l^2 \sum_f w_f (A S A^T)_{ff}`, which gives l.

Element by element and by sums in fixed order: a curve has the same bits in any batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from betaplus.physics.least_squares import ordered_sum

__all__ = ["Line", "Spread", "flat", "propagate", "regress", "spread", "times"]

_SINGULAR = 1e-9  # of a regressor's length: what is left of it beside the others


class Line(NamedTuple):
    """Straight lines through n curves.

    Attributes:
        values: Coefficients, shape (n, P).
        gain: Their derivatives by the ordinates, shape (n, P, T).
        design: Regressors, shape (n, P, T).
        fitted: The line, shape (n, T).
        residual: Ordinate less line, 0 in frames not used, shape (n, T).
        weight: Weights, 0 in frames not used, shape (n, T).
        used: Frames used, shape (n, T).
    """

    values: Tensor
    gain: Tensor
    design: Tensor
    fitted: Tensor
    residual: Tensor
    weight: Tensor
    used: Tensor

    @property
    def frames(self) -> Tensor:
        """Number of frames used, shape (n,)."""
        return self.used.sum(-1).double()


class Spread(NamedTuple):
    """What noise does to lines.

    Attributes:
        covariance: Of the coefficients, shape (n, P, P); NaN where the level is unknown.
        level2: Square of the noise level, shape (n,); NaN where it cannot be told.
        chi2: Weighted sum of squares over what noise of that level gives, shape (n,).
        residuals: A, derivatives of the residuals by the measured means, shape (n, T, T); None
            where the curve stands on one side only.
    """

    covariance: Tensor
    level2: Tensor
    chi2: Tensor
    residuals: Tensor | None


def regress(
    design: Tensor,
    target: Tensor,
    used: Tensor,
    weight: Tensor,
    reweigh: Callable[[Line], Tensor] | None = None,
    times: int = 0,
) -> Line:
    """Fit lines, then `times` more with the weights that the line before gives.

    Args:
        design: Regressors, shape (n, P, T) or broadcast to it.
        target: Ordinates, shape (n, T).
        used: Frames to use, shape (n, T) or broadcast to it.
        weight: Weights of the first fit, broadcast to (n, T).
        reweigh: From a line to weights, shape (n, T).
        times: How often.

    Returns:
        Lines; values NaN where regressors are not independent.
    """
    used = used.expand_as(target)
    design = design.expand(len(target), -1, -1)
    kept = torch.where(used[:, None], design, 0.0)
    target = torch.where(used, target, 0.0)
    line = _solve(design, kept, target, used, weight)
    for _ in range(times if reweigh else 0):
        line = _solve(design, kept, target, used, reweigh(line))
    return line


def spread(
    line: Line, shape: Tensor, level: float | None, sensitivity: Tensor | None = None
) -> Spread:
    """Propagate the noise of frames.

    Args:
        line: Lines.
        shape: S, variances of the frames at level 1, shape (n, T).
        level: The level where it is known.
        sensitivity: M, shape (n, T, T), in the rows of frames used; None for the identity.
    """
    cost = ordered_sum(line.weight * line.residual * line.residual)
    if sensitivity is None:
        moved = line.gain
        leverage = ordered_sum((line.design * line.gain).transpose(1, 2))
        expected = ordered_sum(line.weight * shape * torch.where(line.used, 1.0 - leverage, 0.0))
        left = None
    else:
        turned = sensitivity.transpose(1, 2)  # (n, j, f)
        moved = torch.stack([times(turned, row) for row in line.gain.unbind(1)], 1)
        left = sensitivity.clone()
        for p in range(moved.shape[1]):
            left -= line.design[:, p, :, None] * moved[:, p, None, :]
        variance = ordered_sum(left * left * shape[:, None, :])
        expected = ordered_sum(line.weight * torch.where(line.used, variance, 0.0))
    p = moved.shape[1]
    expected = torch.where(line.frames > p, expected, torch.nan)
    level2 = cost / expected if level is None else torch.full_like(cost, level**2)
    scaled = moved * shape[:, None, :]
    rows = [ordered_sum(scaled[:, i, None] * moved) for i in range(p)]
    covariance = torch.stack(rows, 1) * level2[:, None, None]
    return Spread(covariance, level2, cost / (level2 * expected), left)


def times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return matrix (..., F, T) times vector (n, T), shape (n, F)."""
    return ordered_sum(matrix * vector[:, None, :])


def flat(y: Tensor, used: Tensor) -> Tensor:
    """Return the mean over the frames used, everywhere, shape (n, T); for first weights."""
    number = used.sum(-1).clamp(min=1)
    return (ordered_sum(torch.where(used, y, 0.0)) / number)[:, None].expand_as(y)


def propagate(slope: Tensor, covariance: Tensor) -> Tensor:
    """Return slope covariance slope^T, shape (n, Q, Q), of slope (n, Q, P) or (Q, P)."""
    slope = slope.expand(len(covariance), -1, -1)
    half = ordered_sum(covariance[:, None] * slope[:, :, None, :])
    return ordered_sum(half[:, :, None, :] * slope[:, None])


def _solve(design: Tensor, kept: Tensor, target: Tensor, used: Tensor, weight: Tensor) -> Line:
    weight = torch.where(used, weight, 0.0).expand_as(target)
    root = weight.sqrt()
    columns = list((kept * root[:, None]).unbind(1))
    p = len(columns)
    upper: dict[tuple[int, int], Tensor] = {}
    for j in range(p):
        whole = ordered_sum(kept[:, j] * kept[:, j] * weight).sqrt()
        size = ordered_sum(columns[j] * columns[j]).sqrt()
        size = torch.where(size > _SINGULAR * whole, size, torch.nan)
        upper[j, j] = size
        columns[j] = columns[j] / size[:, None]
        for k in range(j + 1, p):
            upper[j, k] = ordered_sum(columns[j] * columns[k])
            columns[k] = columns[k] - upper[j, k][:, None] * columns[j]
    rows: list[Tensor] = [column * root for column in columns]
    for j in reversed(range(p)):
        for k in range(j + 1, p):
            rows[j] = rows[j] - upper[j, k][:, None] * rows[k]
        rows[j] = rows[j] / upper[j, j][:, None]
    gain = torch.stack(rows, 1)
    values = times(gain, target)
    rest = target - _along(kept, values)
    values = values + times(gain, rest)  # refinement
    fitted = _along(design, values)
    residual = torch.where(used, target - fitted, 0.0)
    return Line(values, gain, design, fitted, residual, weight, used)


def _along(design: Tensor, values: Tensor) -> Tensor:
    return ordered_sum((design * values[:, :, None]).transpose(1, 2))
