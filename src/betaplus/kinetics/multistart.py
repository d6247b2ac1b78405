"""Where to begin a fit: the best of many points that all curves share."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import qmc
from torch import Tensor

from betaplus.kinetics.prior import Prior
from betaplus.kinetics.weights import FrameVariance
from betaplus.physics.compartment_jacobian import CompartmentJacobian
from betaplus.physics.least_squares import ordered_sum

__all__ = ["Multistart"]

_APART = 1.0  # least distance between the starts of a curve, in probit coordinates
_LISTED = 32  # points of the short list
_FAR = 1e12  # added to the deviance of points near a start that was taken
_BLOOD_SHARE = 0.05  # of the typical curve that weighs frames here


class Multistart:
    """Low-discrepancy points of the rates and the delay, drawn from the prior.

    For every point the two linear parameters K1 (1 - VB) and VB that fit a curve best are known in
    closed form, so that all points are scored, with the weights of a typical curve, for the price
    of two products a frame. The short list is ordered by likelihood, each with its own variances.

    Args:
        curve: The model.
        prior: Prior of its parameters.
        variance: The noise model.
        points: Number of points, a power of 2.
        seed: Scrambles the points.
    """

    def __init__(
        self,
        curve: CompartmentJacobian,
        prior: Prior,
        variance: FrameVariance,
        points: int,
        seed: int,
    ) -> None:
        self._variance = variance
        self._searched = [i for i, p in enumerate(curve.parameters) if p not in ("K1", "VB")]
        uniform = qmc.Sobol(len(self._searched), seed=seed).random(points)
        z = ndtri(np.clip(uniform, 1e-6, 1 - 1e-6))
        self._rates = torch.from_numpy(
            np.stack(
                [
                    prior[curve.parameters[p]].at_probit(z[:, i])
                    for i, p in enumerate(self._searched)
                ],
                1,
            )
        )
        self._K1, self._VB = curve.parameters.index("K1"), curve.parameters.index("VB")
        self._bounds = prior["K1"].low, prior["K1"].high, prior["VB"].low, prior["VB"].high
        unit = curve(self._values(torch.ones(points), torch.zeros(points), self._rates))[0]
        blood = curve(self._values(torch.ones(points), torch.ones(points), self._rates))[0]
        typical = _mean_shape(unit) + _BLOOD_SHARE * _mean_shape(blood)
        weight = 1.0 / variance.shape(typical[None] * (ordered_sum(blood).max() / blood.shape[1]))
        self._curves = unit, blood
        self._unit, self._blood = unit * weight, blood * weight
        self._uu = ordered_sum(self._unit * unit)
        self._ub = ordered_sum(self._unit * blood)
        self._bb = ordered_sum(self._blood * blood)
        if curve.spline.fixed_delay:
            self._blood = self._blood[:1]
        coordinates = torch.from_numpy(z)
        apart = coordinates[:, None] - coordinates
        self._near = ordered_sum(apart * apart) < _APART**2

    def __call__(self, y: Tensor, starts: int) -> Tensor:
        """Return the best points of curves (n, T), best first, shape (n, starts, P)."""
        yu, yb = self._products(y, self._unit), self._products(y, self._blood)
        uu, ub, bb = self._uu, self._ub, self._bb
        K1_low, K1_high, VB_low, VB_high = self._bounds
        determinant = torch.clamp(uu * bb - ub * ub, min=1e-12 * uu * bb)
        b = torch.clamp((uu * yb - ub * yu) / determinant, VB_low, VB_high)
        a = (yu - b * ub) / uu
        a = torch.minimum(torch.maximum(a, K1_low * (1.0 - b)), K1_high * (1.0 - b))
        score = a * (a * uu + 2.0 * (b * ub - yu)) + b * (b * bb - 2.0 * yb)
        listed = torch.topk(score, min(_LISTED, score.shape[1]), 1, largest=False).indices
        a, b = a.gather(1, listed), b.gather(1, listed)
        unit, blood = self._curves
        curves = a[:, :, None] * unit[listed] + b[:, :, None] * blood[listed]
        score = self._variance.deviance(y[:, None] - curves, curves).nan_to_num(nan=torch.inf)
        rows = torch.arange(len(y))
        out = []
        for _ in range(starts):
            best = torch.argmin(score, 1)
            point, VB = listed[rows, best], b[rows, best]
            K1 = torch.clamp(a[rows, best] / torch.clamp(1.0 - VB, min=1e-6), K1_low, K1_high)
            out.append(self._values(K1, VB, self._rates[point]))
            near = self._near[point].gather(1, listed)
            score = torch.where(near, score + _FAR, score)
        return torch.stack(out, 1)

    def _values(self, K1: Tensor, VB: Tensor, rates: Tensor) -> Tensor:
        out = torch.empty(len(rates), len(self._searched) + 2, dtype=torch.float64)
        out[:, self._K1], out[:, self._VB], out[:, self._searched] = K1.double(), VB.double(), rates
        return out

    @staticmethod
    def _products(y: Tensor, nodes: Tensor) -> Tensor:
        """Products (n, points), frame after frame: the same bits for a curve in any batch."""
        out = y[:, :1] * nodes[:, 0]
        term = torch.empty_like(out)
        for t in range(1, y.shape[1]):
            out += torch.mul(y[:, t, None], nodes[:, t], out=term)
        return out


def _mean_shape(curves: Tensor) -> Tensor:
    """Mean over curves that have each been divided by their sum, shape (T,)."""
    total = ordered_sum(curves)[:, None]
    return (
        ordered_sum(torch.where(total > 0, curves / total, 0.0).T) * curves.shape[1] / len(curves)
    )
