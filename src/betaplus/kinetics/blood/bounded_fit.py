r"""Least squares within bounds, from the best of many starts, with a covariance.

Derivatives are taken by a complex step, :math:`\partial f/\partial x_j = \Im f(x + i h e_j) / h`
(Squire and Trapp, SIAM Rev 1998, 40:110-112), which is exact to rounding: a model is written once,
for complex parameters too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError

__all__ = ["BoundedFit", "Curve", "FittedModel", "bounded_fit", "curve_jacobian", "curve_sd"]

Curve = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Values at times, shape (n,), given parameters, shape (P,), real or complex."""

_STEP = 1e-30
_TOLERANCE = 1e-12
_EVALUATIONS = 2000
_OPEN = 1e-10  # of the largest eigenvalue of J' W J, columns scaled: below it nothing is known
_INSIDE = 1e-4  # of the range: how far from its bounds a start is kept


def _same(x: np.ndarray) -> np.ndarray:
    return x


@dataclass(frozen=True)
class FittedModel:
    """A curve with parameters, and how it is fitted.

    Attributes:
        what: Its name in messages.
        names: Names of the reported parameters, P of them.
        curve: The curve, given the reported parameters.
        report: Turns what is fitted into what is reported, where bounds on ratios keep rates in
            order.
    """

    what: str
    names: tuple[str, ...]
    curve: Curve
    report: Callable[[np.ndarray], np.ndarray] = _same

    def fitted(self, x: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return the curve, given what is fitted."""
        return self.curve(self.report(x), time)


@dataclass(frozen=True, eq=False)
class BoundedFit:
    """The best fit.

    Attributes:
        x: What was fitted, shape (P,).
        parameters: What is reported, shape (P,).
        covariance: Of what is reported, shape (P, P).
        squares: Weighted sum of squares.
    """

    x: np.ndarray
    parameters: np.ndarray
    covariance: np.ndarray
    squares: float


def bounded_fit(
    model: FittedModel,
    time: np.ndarray,
    values: np.ndarray,
    sd: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    starts: np.ndarray,
    weights: np.ndarray | None = None,
) -> BoundedFit:
    r"""Return the best of the fits that begin at each start.

    With r the residuals over their standard deviations and J their derivatives, the sum of
    :math:`w r^2` is minimised, and the covariance is

    .. math:: s^2 A^{-1} J^T W^2 J A^{-1}, \quad A = J^T W J, \quad s^2 = r^T r / \nu,

    where :math:`\nu` is the trace of :math:`(1 - H)^T (1 - H)` with :math:`H = J A^{-1} J^T W`:
    without weights n - P and the usual :math:`s^2 A^{-1}`. A direction that the data leave open
    gets no variance (a pseudo-inverse), and bounds do not enter the covariance.

    Args:
        model: The model.
        time: Shape (n,), n > P.
        values: Shape (n,).
        sd: Standard deviations up to a common factor, shape (n,).
        bounds: Lowest and highest values of what is fitted, each of shape (P,).
        starts: Shape (S, P).
        weights: What each sample counts besides its variance, shape (n,); 1 where not given.

    Raises:
        InputError: If no fit converges.
    """
    from scipy.optimize import least_squares

    low, high = bounds
    with np.errstate(invalid="ignore"):
        margin = np.where(np.isfinite(high), _INSIDE * (high - low), 0.0)
    w = np.ones(time.size) if weights is None else weights / weights.mean()
    size = sd / np.sqrt(w)
    best = None
    for start in np.clip(starts, low + margin, high - margin):
        found = least_squares(
            lambda x: (model.fitted(x, time) - values) / size,
            start,
            jac=lambda x: curve_jacobian(model.fitted, x, time) / size[:, None],
            bounds=(low, high),
            x_scale="jac",
            ftol=_TOLERANCE,
            xtol=_TOLERANCE,
            gtol=_TOLERANCE,
            max_nfev=_EVALUATIONS,
        )
        if found.status > 0 and (best is None or found.cost < best.cost):
            best = found
    if best is None:
        raise InputError(
            f"{model.what} did not converge on {time.size} samples",
            "expected samples that it can follow",
            "use another model or the samples themselves",
        )
    residual = (values - model.fitted(best.x, time)) / sd
    inner = _covariance(curve_jacobian(model.fitted, best.x, time) / sd[:, None], w, residual)
    outer = curve_jacobian(lambda x, _: model.report(x), best.x, time)
    return BoundedFit(best.x, model.report(best.x), outer @ inner @ outer.T, 2.0 * float(best.cost))


def curve_jacobian(curve: Curve, x: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return the derivatives of a curve by its parameters, shape (n, P)."""
    steps = np.asarray(x, dtype=np.complex128) + 1j * _STEP * np.eye(len(x))
    return np.stack([curve(step, time).imag / _STEP for step in steps], axis=1)


def curve_sd(curve: Curve, x: np.ndarray, covariance: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return the standard deviation of a curve by linear propagation, shape (n,)."""
    jacobian = curve_jacobian(curve, x, time)
    return np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", jacobian, covariance, jacobian), 0.0))


def _covariance(jacobian: np.ndarray, w: np.ndarray, residual: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(jacobian, axis=0)
    size = np.where(size > 0, size, 1.0)
    scaled = jacobian / size
    weighted = scaled * w[:, None]
    inverse = np.linalg.pinv(scaled.T @ weighted, rcond=_OPEN, hermitian=True)
    spread = inverse @ (weighted.T @ weighted) @ inverse
    freedom = residual.size - 2.0 * len(size) + float(np.sum(spread * (scaled.T @ scaled)))
    return residual @ residual / freedom * spread / np.outer(size, size)
