r"""SRTM by weighted non-linear least squares, one rate at a time.

Given :math:`k_{2a} = k_2 / (1 + BP_{ND})` the model is linear in R1 and k2 (see
`betaplus.physics.reference_region`; Gunn et al., NeuroImage 1997, 6:279-287): on a dense grid of
k2a the best R1 and k2 within their bounds are known in closed form, and from the best node of a
curve Levenberg-Marquardt goes on in all three. Weights, noise level, covariance and status are
those of `betaplus.kinetics.nlls`. The reference region counts as known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.kinetics.gaussian import gaussian_results, status
from betaplus.kinetics.method import Task
from betaplus.kinetics.reference import reference_means
from betaplus.kinetics.weights import FrameVariance
from betaplus.physics.least_squares import Fit, levenberg_marquardt, ordered_sum
from betaplus.physics.reference_region import SrtmJacobian
from betaplus.physics.response import InputResponse
from betaplus.physics.response_spline import ResponseSpline

if TYPE_CHECKING:
    from betaplus.kinetics.nlls import Nlls

__all__ = ["SrtmFitter"]

_BATCH = 512  # curves at a time; a curve has the same bits in any batch
_NODES = 128
_ROUGH, _FINE = 1e-5, 1e-10  # relative decrease of the cost that ends a fit


class SrtmFitter:
    """Least squares for the curves of one task.

    Args:
        settings: Of `Nlls`; `starts` has no meaning here, the grid finds the start.
        task: The task, with a reference region.

    Raises:
        UsageError: If there are no more frames than parameters, or no reference region.
    """

    parameters = SrtmJacobian.parameters

    def __init__(self, settings: Nlls.Settings, task: Task) -> None:
        frames = len(task.frames)
        if frames <= len(self.parameters):
            raise UsageError(
                f"{frames} frames for the {len(self.parameters)} parameters of {task.model}",
                "expected more frames than parameters",
            )
        self._task, self._settings = task, settings
        self._reference = reference_means(task)
        response = InputResponse(task.curve, task.frames, task.half_life)
        bounds = [(task.prior[name].low, task.prior[name].high) for name in self.parameters]
        self._low, self._high = torch.tensor(bounds).double().T
        self._grid = _Grid(response, self._reference, self._low, self._high)
        spline = ResponseSpline(response, (0.0, float(self._grid.k2a[-1])), (0.0, 0.0))
        self._curve = SrtmJacobian(self._reference, spline)
        self._variance = FrameVariance(task, response)

    def fit(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Fit curves, shape (n, T) [Bq/mL]; see `betaplus.kinetics.method.Fitter.fit`."""
        curves = np.ascontiguousarray(curves, dtype=np.float64)
        parts = [
            self._fit(torch.from_numpy(curves[i : i + _BATCH]), items[i : i + _BATCH])
            for i in range(0, max(len(curves), 1), _BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _fit(self, y: Tensor, items: np.ndarray) -> dict[str, np.ndarray]:
        fit, weight = self._optimum(y)
        curve, jacobian = self._curve(fit.values)
        degrees = y.shape[1] - (~fit.held).sum(-1)
        known = self._variance.level
        level2 = fit.cost / degrees if known is None else torch.full_like(fit.cost, known**2)
        chi2 = fit.cost / (level2 * degrees)
        bounds = self._low, self._high
        out = gaussian_results(self._task, items, fit.values, fit.covariance, bounds)
        out |= {
            "ess": torch.full_like(chi2, torch.nan),
            "chi2": chi2,
            "noise": level2.sqrt(),
        }
        if self._task.predict:
            across = jacobian.transpose(1, 2)
            spread = ordered_sum(fit.covariance[:, None] * across[:, :, None, :])
            out["fit"] = curve
            out["fit_std"] = ordered_sum(spread * across).clamp(min=0).sqrt()
            out["sigma"] = (level2[:, None] * self._variance.shape(curve)).sqrt()
        result = {name: value.numpy().astype(np.float32) for name, value in out.items()}
        frames = torch.full_like(chi2, y.shape[1])
        result["status"] = status((curve - y) * weight, frames, chi2, fit.converged)
        return result

    def _optimum(self, y: Tensor) -> tuple[Fit, Tensor]:
        """Best fit and the weights it was made with, roots of 1 / shape."""
        size = ordered_sum(y).clamp(min=0.0) / ordered_sum(self._reference)
        curve = size[:, None] * self._reference
        known = self._variance.level
        for k in range(self._settings.reweightings + 1):
            weight = 1.0 / self._variance.shape(curve).sqrt()

            def function(
                values: Tensor, problems: Tensor, weight: Tensor = weight
            ) -> tuple[Tensor, Tensor]:
                curve, jacobian = self._curve(values)
                w = weight[problems]
                return (curve - y[problems]) * w, jacobian * w[:, None, :]

            fit = levenberg_marquardt(
                function,
                self._grid.best(y, weight * weight),
                self._low,
                self._high,
                max_iterations=self._settings.max_iterations,
                tolerance=_FINE if k == self._settings.reweightings else _ROUGH,
                variance=None if known is None else known**2,
            )
            curve = self._curve(fit.values)[0]
        return fit, weight


class _Grid:
    """Nodes of k2a, even in its logarithm, with the best R1 and k2 at each.

    Args:
        response: Curve of the reference region.
        reference: Its frame means, shape (T,).
        low: Bounds of R1, k2, BPND.
        high: Likewise.
    """

    def __init__(
        self, response: InputResponse, reference: Tensor, low: Tensor, high: Tensor
    ) -> None:
        least, most = float(low[1] / (1.0 + high[2])), float(high[1] / (1.0 + low[2]))
        k2a = np.geomspace(max(least, 1e-5 * most), most, _NODES)
        self.k2a = torch.from_numpy(k2a)
        self._reference = reference
        self._convolved = response.tissue(self.k2a).T.contiguous()  # (T, nodes)
        self._R1 = float(low[0]), float(high[0])
        first = torch.maximum(self.k2a * (1.0 + low[2]), low[1])
        self._k2 = first, torch.maximum(torch.minimum(self.k2a * (1.0 + high[2]), high[1]), first)

    def best(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the best values (n, 3) on the grid, of curves and weights (n, T)."""
        a, r = self.k2a, self._reference
        rc, cc, yc = (
            self._products(v, c)
            for v, c in (
                (weight * r, self._convolved),
                (weight, self._convolved * self._convolved),
                (weight * y, self._convolved),
            )
        )
        rr, yr = (ordered_sum(weight * r * v)[:, None] for v in (r, y))
        # y ~ R1 (reference - k2a convolved) + k2 convolved
        uu, uv, yu = rr - 2.0 * a * rc + a * a * cc, rc - a * cc, yr - a * yc
        score, R1, k2 = self._bounded(uu, uv, cc, yu, yc)
        node = torch.argmin(torch.nan_to_num(score, nan=torch.inf), 1)
        rows = torch.arange(len(y))
        R1, k2 = R1[rows, node], k2[rows, node]
        return torch.stack([R1, k2, k2 / a[node] - 1.0], 1)

    def _bounded(
        self, uu: Tensor, uv: Tensor, vv: Tensor, yu: Tensor, yv: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Least sum of squares in the box, less that of y, and where: inside or on an edge."""
        (R1_low, R1_high), (k2_low, k2_high) = self._R1, self._k2

        def score(R1: Tensor, k2: Tensor) -> Tensor:
            return R1 * (R1 * uu + 2.0 * (k2 * uv - yu)) + k2 * (k2 * vv - 2.0 * yv)

        determinant = uu * vv - uv * uv
        R1, k2 = (vv * yu - uv * yv) / determinant, (uu * yv - uv * yu) / determinant
        inside = R1.clamp(R1_low, R1_high) == R1
        inside &= torch.minimum(torch.maximum(k2, k2_low), k2_high) == k2
        least = torch.where(inside, score(R1, k2), torch.inf)
        edges = []
        for R1_ in (torch.full_like(uu, R1_low), torch.full_like(uu, R1_high)):
            k2_ = torch.minimum(torch.maximum((yv - R1_ * uv) / vv, k2_low), k2_high)
            edges.append((R1_, k2_))
        for k2_ in (k2_low.expand_as(uu), k2_high.expand_as(uu)):
            edges.append((((yu - k2_ * uv) / uu).clamp(R1_low, R1_high), k2_))
        for R1_, k2_ in edges:
            other = score(R1_, k2_)
            better = ~inside & (other < least)
            least = torch.where(better, other, least)
            R1, k2 = torch.where(better, R1_, R1), torch.where(better, k2_, k2)
        return least, R1, k2

    @staticmethod
    def _products(left: Tensor, right: Tensor) -> Tensor:
        """Products (n, nodes), frame after frame: the same bits for a curve in any batch."""
        out = left[:, :1] * right[0]
        for t in range(1, left.shape[1]):
            out += left[:, t, None] * right[t]
        return out
