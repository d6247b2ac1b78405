"""Parallel models moved off the grid of rate constants, by Levenberg-Marquardt within its range."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from betaplus.core.input_function import InputCurve
from betaplus.physics.compartment_jacobian import CompartmentJacobian
from betaplus.physics.compartments import find_model
from betaplus.physics.dual.mixing import Mixing
from betaplus.physics.least_squares import levenberg_marquardt
from betaplus.physics.response import InputResponse
from betaplus.physics.response_spline import ResponseSpline
from betaplus.separation.parallel_fit import ParallelFit
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.rate_grid import Shapes

__all__ = ["refine_parallel"]

_CHUNK = 4096  # voxels
_MOST_K1, _MOST_VB = 10.0, 0.99
_LEAST_K1 = 0.0
_ITERATIONS = 100


class _Model:
    """Curves of both tracers in the mixture, whitened, and their derivatives."""

    def __init__(
        self, problem: SeparationProblem, shapes: tuple[Shapes, Shapes], shared: bool
    ) -> None:
        self.shared = shared
        mixing = Mixing(problem.frames, problem.tracers, problem.injections)
        self.root = np.sqrt(problem.weights)
        self.jacobians, self.seen, self.factors = [], [], []
        low, high = [], []
        for i, part in enumerate(shapes):
            blood, arrival = problem.blood[i], problem.arrivals[i]
            assert blood is not None  # its shapes would not be there
            frames = mixing.own_frames(i)
            curve = _scaled(blood.curve(float(frames.end[-1]) + max(1.0, -arrival)), problem.scale)
            response = InputResponse(curve, frames, mixing.tracers[i].half_life)
            bounds = np.array(part.grid.rates)
            most = float(bounds[:, 1].sum())
            spline = ResponseSpline(response, (0.0, most), (arrival, arrival))
            self.jacobians.append(CompartmentJacobian(find_model(part.grid.model), spline))
            seen = mixing.seen[i]
            self.seen.append(torch.from_numpy(np.flatnonzero(seen)))
            self.factors.append(torch.from_numpy(mixing.decay[i, seen]))
            low += [_LEAST_K1, *bounds[:, 0], 0.0]
            high += [_MOST_K1, *bounds[:, 1], _MOST_VB]
        self.sizes = [len(j.parameters) for j in self.jacobians]
        if shared:
            low, high = low[:-1], high[:-1]
        self.low, self.high = torch.tensor(low), torch.tensor(high)
        self.low, self.high = self.low.double(), self.high.double()

    def start(self, fit: ParallelFit, part: slice) -> Tensor:
        """Return the parameters that a fit on the grid found, shape (n, P)."""
        out = []
        for i, jacobian in enumerate(self.jacobians):
            volume = np.minimum(fit.volume[i, part], _MOST_VB)
            K1 = fit.amplitude[i, part] / (1.0 - volume)
            rates = fit.rates[i, : len(jacobian.rates), part]
            out += [K1, *rates, *([volume] if i == 0 or not self.shared else [])]
        if self.shared:  # VB comes after the second tracer's rates, not the first's
            out.append(out.pop(self.sizes[0] - 1))
        return torch.from_numpy(np.stack(out, axis=1))

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Return the lowest and highest parameters, shape (P,)."""
        if not self.shared:
            return self.low, self.high
        at = self.sizes[0] - 1
        low, high = self.low.tolist(), self.high.tolist()
        low.append(low.pop(at))
        high.append(high.pop(at))
        return torch.tensor(low, dtype=torch.float64), torch.tensor(high, dtype=torch.float64)

    def curves(self, values: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return each tracer's curves (n, t) and their derivatives by its own parameters."""
        first = self.sizes[0]
        if self.shared:
            mine = torch.cat([values[:, : first - 1], values[:, -1:]], 1)
            parts = (mine, values[:, first - 1 :])
        else:
            parts = (values[:, :first], values[:, first:])
        return [jacobian(p) for jacobian, p in zip(self.jacobians, parts, strict=True)]

    def mixture(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mixture (n, T) and its derivatives (n, P, T)."""
        n, total = len(values), len(self.root)
        mean = values.new_zeros(n, total)
        slope = values.new_zeros(n, values.shape[1], total)
        first = self.sizes[0]
        own = (
            (
                torch.tensor([*range(first - 1), values.shape[1] - 1]),
                torch.arange(first - 1, values.shape[1]),
            )
            if self.shared
            else (torch.arange(first), torch.arange(first, values.shape[1]))
        )
        for (curve, by), seen, d, rows in zip(
            self.curves(values), self.seen, self.factors, own, strict=True
        ):
            mean[:, seen] += d * curve
            slope[:, rows[:, None], seen] += d * by
        return mean, slope


def refine_parallel(
    problem: SeparationProblem,
    mixture: np.ndarray,
    fit: ParallelFit,
    shapes: tuple[Shapes, Shapes],
    *,
    shared_volume: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return curves of both tracers, shape (2, N, T) [scale], and weighted sums of squares (N,).

    Args:
        problem: The scan.
        mixture: Curves, shape (N, T) [scale].
        fit: Where to begin.
        shapes: What it was found with.
        shared_volume: Whether both tracers see one blood volume.
    """
    model = _Model(problem, shapes, shared_volume)
    low, high = model.bounds()
    root = torch.from_numpy(model.root)
    x = np.zeros((2, *mixture.shape), np.float32)
    cost = np.zeros(len(mixture))
    for first in range(0, len(mixture), _CHUNK):
        part = slice(first, min(first + _CHUNK, len(mixture)))
        data = torch.from_numpy(mixture[part].astype(np.float64))

        def residuals(
            values: Tensor, problems: Tensor, data: Tensor = data
        ) -> tuple[Tensor, Tensor]:
            mean, slope = model.mixture(values)
            return (mean - data[problems]) * root, slope * root

        found = levenberg_marquardt(
            residuals, model.start(fit, part), low, high, max_iterations=_ITERATIONS
        )
        cost[part] = found.cost.numpy()
        for i, (curve, _) in enumerate(model.curves(found.values)):
            x[i, part][:, model.seen[i].numpy()] = curve.numpy()
    return x, cost


def _scaled(curve: InputCurve, scale: float) -> InputCurve:
    return InputCurve(
        curve.time, curve.plasma / scale, curve.whole_blood / scale, curve.unit, curve.remarks
    )
