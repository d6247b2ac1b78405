r"""Weighted non-linear least squares with covariance; the classical baseline.

Weights follow the noise model, :math:`1 / ((C + c_0) g)`, with the curve's own *fitted* C: a first
fit from each start, then re-weighted ones from the best. The level of the noise comes from the
residuals with T - (free parameters) degrees of freedom unless it is known. Uncertainty is the
inverse of J^T W J; macro-parameters follow by the delta method. A parameter that ends at a bound
with the data pressing against it has no such uncertainty: its SD is NaN, its quantiles and draws
are the bound, and those of the others are conditional on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.kinetics.method import Task, check_frames, free_parameters
from betaplus.kinetics.multistart import Multistart
from betaplus.kinetics.srtm_nlls import SrtmFitter
from betaplus.kinetics.weights import FrameVariance
from betaplus.physics.compartment_jacobian import CompartmentJacobian
from betaplus.physics.compartments import find_model, macro_parameters
from betaplus.physics.least_squares import Fit, factor, levenberg_marquardt, ordered_sum
from betaplus.physics.perfusion import flow_from_uptake
from betaplus.physics.response import InputResponse
from betaplus.physics.response_spline import ResponseSpline

__all__ = ["Nlls", "NllsFitter"]

_BATCH = 1024  # curves at a time; a curve has the same bits in any batch
_ROUGH, _FINE = 1e-5, 1e-10  # relative decrease of the cost that ends a fit
_POINTS, _POINTS_WITH_DELAY = 256, 1024
_AUTOCORRELATION_LIMIT = 3.5  # standard deviations of white noise
_CHI2_LIMIT = 5.0  # standard deviations, where the noise level is known
_DRAWS = 21  # number of the stream of posterior draws


class Nlls:
    """Non-linear least squares, started from several points."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How hard to try.

        Attributes:
            starts: Starting points per curve, chosen among shared low-discrepancy points.
            max_iterations: Most Levenberg-Marquardt steps per fit.
            reweightings: Fits after the first, each with the weights of the one before.
        """

        starts: int = 3
        max_iterations: int = 100
        reweightings: int = 2

        def __post_init__(self) -> None:
            for name, most in (("starts", 32), ("max_iterations", 10000), ("reweightings", 100)):
                least = 0 if name == "reweightings" else 1
                value = getattr(self, name)
                if not least <= value <= most:
                    raise UsageError(f"setting {name}={value}", f"expected {least} to {most}")

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> NllsFitter | SrtmFitter:
        """Tabulate the responses and score points of a task.

        Raises:
            UsageError: If there are no more frames than free parameters.
        """
        if task.model == "SRTM":
            return SrtmFitter(self.settings, task)
        return NllsFitter(self.settings, task)


class NllsFitter:
    """Least squares for the curves of one task."""

    def __init__(self, settings: Nlls.Settings, task: Task) -> None:
        model = find_model(task.model)
        check_frames(task)
        response = InputResponse(
            task.curve, task.frames, task.half_life, dispersion=task.dispersion
        )
        bounds = {name: (task.prior[name].low, task.prior[name].high) for name in task.prior}
        delays = bounds["delay"] if task.delay is None else (float(task.delay), float(task.delay))
        k2, k3, k4 = (bounds[n] if n in model.rates else (0.0, 0.0) for n in ("k2", "k3", "k4"))
        rates = (min(0.0, k4[0]), k2[1] + k3[1] + max(0.0, k4[1]))
        self._curve = CompartmentJacobian(model, ResponseSpline(response, rates, delays))
        self._model, self._task, self._settings = model, task, settings
        fitted = self._curve.parameters
        self._low, self._high = torch.tensor([bounds[name] for name in fitted]).double().T
        self._variance = FrameVariance(task, response)
        points = _POINTS if task.delay is not None else _POINTS_WITH_DELAY
        self._starts = Multistart(self._curve, task.prior, self._variance, points, task.seed)
        delay = fitted[len(model.parameters) :]
        flow = ("F",) if task.extraction else ()
        self.parameters = (*model.parameters, *model.macro, *flow, *delay)
        self._range = self._with_macro_ranges()

    def fit(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Fit curves, shape (n, T) [Bq/mL]; see `betaplus.kinetics.method.Fitter.fit`.

        ``chi2`` is the weighted sum of squares over its degrees of freedom, 1 where the level is
        estimated. ``noise`` is the level, for given standard deviations the factor on them, 1.
        """
        curves = np.ascontiguousarray(curves, dtype=np.float64)
        parts = [
            self._fit(torch.from_numpy(curves[i : i + _BATCH]), items[i : i + _BATCH])
            for i in range(0, max(len(curves), 1), _BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _fit(self, y: Tensor, items: np.ndarray) -> dict[str, np.ndarray]:
        fit, weight = self._optimum(y)
        curve, jacobian = self._curve(fit.values)
        frames = y.shape[1]
        degrees = frames - (~fit.held).sum(-1)
        known = self._variance.level
        level2 = fit.cost / degrees if known is None else torch.full_like(fit.cost, known**2)
        chi2 = fit.cost / (level2 * degrees)
        mean, std = self._moments(fit)
        z = torch.from_numpy(ndtri(np.array(self._task.quantiles, dtype=np.float64)))
        quantiles = mean[:, :, None] + torch.nan_to_num(std)[:, :, None] * z
        low, high = self._range
        quantiles = torch.minimum(torch.maximum(quantiles, low[:, None]), high[:, None])
        out = {
            "mean": mean,
            "std": std,
            "quantiles": quantiles,
            "ess": torch.full_like(chi2, torch.nan),
            "chi2": chi2,
            "noise": level2.sqrt(),
            **self._criteria(y, curve),
        }
        if self._task.samples:
            out["samples"] = self._draws(fit, items)
        if self._task.predict:
            spread = ordered_sum(fit.covariance[:, :, None, :] * jacobian.transpose(1, 2)[:, None])
            out["fit"] = curve
            out["fit_std"] = ordered_sum((spread * jacobian).transpose(1, 2)).clamp(min=0).sqrt()
            out["sigma"] = (level2[:, None] * self._variance.shape(curve)).sqrt()
        result = {name: value.numpy().astype(np.float32) for name, value in out.items()}
        result["status"] = self._status(fit, (curve - y) * weight, chi2)
        return result

    def _criteria(self, y: Tensor, curve: Tensor) -> dict[str, Tensor]:
        """Akaike's and the Bayesian criterion; only free parameters count, an unknown level too."""
        frames, level = y.shape[1], self._variance.level
        deviance = self._variance.deviance(y - curve, curve) + frames * math.log(2.0 * math.pi)
        count = len(free_parameters(self._task))
        if level is None:
            deviance = deviance + frames * (1.0 - math.log(frames))
            count += 1
        else:
            deviance = deviance + 2.0 * frames * math.log(level)
        return {"aic": deviance + 2.0 * count, "bic": deviance + math.log(frames) * count}

    def _optimum(self, y: Tensor) -> tuple[Fit, Tensor]:
        """Best fit and the weights it was made with, roots of 1 / shape."""
        n, s = len(y), self._settings.starts
        values = self._starts(y, s).flatten(0, 1)
        owner = torch.arange(n).repeat_interleave(s)
        for k in range(self._settings.reweightings + 1):
            if k == 1:  # the likeliest goes on alone
                values, owner = values[self._best(y, values)], torch.arange(n)
            last = k == self._settings.reweightings
            weight = self._weight(values)
            fit = self._descend(y, weight, values, owner, _FINE if last else _ROUGH)
            values = fit.values
        rows = self._best(y, values)
        return Fit(*(part[rows] for part in fit)), weight[rows]

    def _best(self, y: Tensor, values: Tensor) -> Tensor:
        """Row of the likeliest of several fits of each curve, which come one after another."""
        n = len(y)
        each = len(values) // max(n, 1)
        curves = self._curve(values)[0].reshape(n, each, y.shape[1])
        deviance = self._variance.deviance(y[:, None] - curves, curves)
        if not n:
            return torch.arange(0)
        best = torch.nan_to_num(deviance, nan=torch.inf).argmin(1)
        return torch.arange(n) * each + best

    def _descend(
        self, y: Tensor, weight: Tensor, start: Tensor, owner: Tensor, tolerance: float
    ) -> Fit:
        """Fit curve `owner[i]` from `start[i]` with weights `weight[i]`."""
        known = self._variance.level

        def function(values: Tensor, problems: Tensor) -> tuple[Tensor, Tensor]:
            curve, jacobian = self._curve(values)
            mine = owner[problems]
            w = weight[problems]
            return (curve - y[mine]) * w, jacobian * w[:, None, :]

        return levenberg_marquardt(
            function,
            start,
            self._low,
            self._high,
            max_iterations=self._settings.max_iterations,
            tolerance=tolerance,
            variance=None if known is None else known**2,
        )

    def _weight(self, values: Tensor) -> Tensor:
        return 1.0 / self._variance.shape(self._curve(values)[0]).sqrt()

    def _moments(self, fit: Fit) -> tuple[Tensor, Tensor]:
        """Estimates and standard deviations in the order of `parameters`."""
        values = fit.values.clone().requires_grad_()
        columns = self._columns(values)
        std = []
        for name, column in zip(self.parameters, columns, strict=True):
            if name in self._curve.parameters:
                j = self._curve.parameters.index(name)
                variance = fit.covariance[:, j, j]
            else:
                (slope,) = torch.autograd.grad(column.sum(), values, retain_graph=True)
                turned = ordered_sum(fit.covariance * slope[:, None, :])
                variance = ordered_sum(turned * slope)
            std.append(torch.where(variance > 0, variance, torch.nan).sqrt())
        return torch.stack(columns, 1).detach(), torch.stack(std, 1)

    def _columns(self, values: Tensor) -> list[Tensor]:
        """Columns of `parameters` from fitted values (..., P); VT and BPND are NaN if k4 <= 0."""
        named = dict(zip(self._curve.parameters, values.unbind(-1), strict=True))
        if "k4" in named:
            k4 = torch.where(named["k4"] > 0, named["k4"], torch.nan)
            macro = macro_parameters(self._model, {**named, "k4": k4})
        else:
            macro = macro_parameters(self._model, named)
        named |= macro
        if self._task.extraction:
            named["F"] = _flow(named["K1"], *self._task.extraction)
        return [named[name] for name in self.parameters]

    def _with_macro_ranges(self) -> tuple[Tensor, Tensor]:
        """Bounds of `parameters`: macro-parameters are monotonic, so theirs lie at the corners."""
        tiny = torch.finfo(torch.float64).tiny
        positive = torch.tensor([p in self._model.rates for p in self._curve.parameters])
        low = torch.where(positive, self._low.clamp(min=tiny), self._low)
        corners = torch.cartesian_prod(*torch.stack([low, self._high], 1).unbind())
        columns = torch.stack(self._columns(corners), 1)
        low_, high_ = columns.amin(0), columns.amax(0)
        for i, name in enumerate(self.parameters):
            if name in self._curve.parameters:
                j = self._curve.parameters.index(name)
                low_[i], high_[i] = self._low[j], self._high[j]
        return low_, high_

    def _draws(self, fit: Fit, items: np.ndarray) -> Tensor:
        """Normal draws, each parameter clipped to its bounds, shape (n, P, samples)."""
        n, p = fit.values.shape
        z = np.empty((n, self._task.samples, p))
        for row, item in zip(z, items, strict=True):
            row[:] = generator(self._task.seed, int(item), _DRAWS).standard_normal(row.shape)
        size = fit.covariance.diagonal(dim1=-2, dim2=-1)
        unit = torch.where(size > 0, size, 1.0).sqrt()
        root, _ = factor(fit.covariance / (unit[:, :, None] * unit[:, None, :]), 1e-12)
        root = root * unit[:, :, None]
        moved = ordered_sum(root[:, None] * torch.from_numpy(z)[:, :, None, :])
        values = fit.values[:, None] + torch.nan_to_num(moved)
        values = torch.minimum(torch.maximum(values, self._low), self._high)
        return torch.stack(self._columns(values), 1)

    def _status(self, fit: Fit, residual: Tensor, chi2: Tensor) -> np.ndarray:
        """1 ok; 4 misfit: no end reached, residuals that hang together, or a large chi-square."""
        frames = residual.shape[1]
        together = ordered_sum(residual[:, 1:] * residual[:, :-1])
        z = together / ordered_sum(residual * residual) * frames**0.5
        fine = fit.converged & (z <= _AUTOCORRELATION_LIMIT)
        fine &= chi2 <= 1.0 + _CHI2_LIMIT * (2.0 / frames) ** 0.5
        return np.where(fine.numpy(), 1, 4).astype(np.uint8)


def _flow(K1: Tensor, a: float, b: float) -> Tensor:
    """Flow by Renkin and Crone, differentiable by K1."""
    F = torch.from_numpy(flow_from_uptake(K1.detach().numpy(), a, b))
    fade = a * torch.exp(-b / F)
    slope = 1.0 - fade * (1.0 + b / F)  # dK1 / dF
    return F + (K1 - K1.detach()) / slope
