r"""Models of parent plasma after a bolus, and where a fit of them begins.

- ``feng``: :math:`C = (A_1 t - A_2 - A_3) e^{-\lambda_1 t} + A_2 e^{-\lambda_2 t}
  + A_3 e^{-\lambda_3 t}` with t the minutes since the arrival tau, 0 before it (model 2 of Feng,
  Huang and Wang, Int J Biomed Comput 1993, 32:95-110);
- ``triexp``: 0 until t0, a straight rise to the peak, and from there
  :math:`A e^{-\alpha t} + B e^{-\beta t} + C e^{-\gamma t}` with t the minutes since the peak.

Rates are fitted as ratios of at most 1 to the faster one, amplitudes from 0 up: no curve falls
below 0. Both models are linear in their three amplitudes, so that the best ones are known at every
point of a grid over the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.kinetics.blood.bounded_fit import FittedModel

__all__ = ["AIF_MODELS", "AifModel", "Samples"]

_RISEN = 0.05  # of the peak: where the rise has begun
_FASTEST = 100.0  # 1/min
_MIDDLE, _SLOW = (0.05, 0.2, 0.8, 3.0), (0.002, 0.01, 0.04)  # 1/min
_SHORTEST = 0.5  # s: least rise of the triexponential


@dataclass(frozen=True, eq=False)
class Samples:
    """Parent plasma after the injection.

    Attributes:
        time: Shape (n,) [s from TimeZero].
        values: Shape (n,) [unit], none below 0.
        injection: Injection start [s from TimeZero].
    """

    time: np.ndarray
    values: np.ndarray
    injection: float

    @property
    def peak(self) -> int:
        """Index of the highest sample."""
        return int(np.argmax(self.values))

    def arrivals(self) -> np.ndarray:
        """Return times about the beginning of the rise, shape (4,) [s]."""
        top = self.time[self.peak]
        risen = int(np.argmax(self.values >= _RISEN * self.values[self.peak]))
        begin = self.time[risen]
        before = self.time[risen - 1] if risen else self.injection
        reach = 0.3 * (top - begin)
        low = max(min(before, begin - reach), self.injection)
        return np.linspace(low, min(begin + reach, top - 0.1 * (top - low)), 4)

    def gap(self) -> tuple[float, float]:
        """Return the times before and after the highest sample [s]."""
        i = self.peak
        before = self.time[i - 1] if i else self.injection
        return float(before), float(self.time[min(i + 1, self.time.size - 1)])


@dataclass(frozen=True)
class AifModel:
    """A model, the bounds of what is fitted, and a grid; the last three fitted are amplitudes.

    Attributes:
        model: The curve; times in seconds from TimeZero.
        bounds: Bounds of what is fitted but the amplitudes, two arrays of shape (P - 3,).
        grid: Points within, shape (G, P - 3).
        largest: The largest amplitudes over the highest sample.
    """

    model: FittedModel
    bounds: Callable[[Samples], tuple[list[float], list[float]]]
    grid: Callable[[Samples], np.ndarray]
    largest: tuple[float, float, float]

    def limits(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds of everything that is fitted, each of shape (P,)."""
        low, high = self.bounds(samples)
        largest = np.array(self.largest) * samples.values[samples.peak]
        return np.array([*low, 0.0, 0.0, 0.0]), np.array([*high, *largest])

    def starts(self, samples: Samples, sd: np.ndarray, n: int) -> np.ndarray:
        """Return the n best points of the grid with their amplitudes, shape (n, P)."""
        from scipy.optimize import nnls

        goal, time = samples.values / sd, samples.time
        scored = []
        for point in self.grid(samples):
            columns = [self.model.fitted(np.append(point, unit), time) / sd for unit in np.eye(3)]
            amplitudes, misfit = nnls(np.stack(columns, axis=1), goal)
            scored.append((misfit, np.append(point, amplitudes)))
        scored.sort(key=lambda pair: pair[0])
        return np.stack([start for _, start in scored[:n]])


def _feng(x: np.ndarray, time: np.ndarray) -> np.ndarray:
    tau, a1, a2, a3, l1, l2, l3 = x
    t = (time - tau) / SECONDS_PER_MINUTE
    t = np.where(t.real > 0, t, 0.0)
    first = np.exp(-l1 * t)
    return a1 * t * first + a2 * (np.exp(-l2 * t) - first) + a3 * (np.exp(-l3 * t) - first)


def _feng_report(x: np.ndarray) -> np.ndarray:
    tau, l1, second, third, a1, a2, a3 = x
    return np.stack([tau, a1, a2, a3, l1, l1 * second, l1 * second * third])


def _feng_bounds(samples: Samples) -> tuple[list[float], list[float]]:
    top = float(samples.time[samples.peak])
    return [samples.injection, 0.01, 0.0, 0.0], [top, _FASTEST, 1.0, 1.0]


def _feng_grid(samples: Samples) -> np.ndarray:
    arrivals = samples.arrivals()
    rise = SECONDS_PER_MINUTE / max(samples.time[samples.peak] - arrivals[0], 1.0)
    first = np.minimum(rise * np.array([0.4, 0.8, 1.6, 3.2]), _FASTEST)
    points = product(arrivals, first, _MIDDLE, _SLOW)
    return np.array([(t, a, min(b / a, 1.0), min(c / b, 1.0)) for t, a, b, c in points])


def _triexp(x: np.ndarray, time: np.ndarray) -> np.ndarray:
    start, peak, a, alpha, b, beta, c, gamma = x
    t = (time - peak) / SECONDS_PER_MINUTE
    rise = (time - start) / (peak - start)
    rise = np.where(t.real < 0, np.where(rise.real > 0, rise, 0.0), 1.0)
    t = np.where(t.real > 0, t, 0.0)
    return rise * (a * np.exp(-alpha * t) + b * np.exp(-beta * t) + c * np.exp(-gamma * t))


def _triexp_report(x: np.ndarray) -> np.ndarray:
    start, rise, alpha, second, third, a, b, c = x
    beta = alpha * second
    return np.stack([start, start + rise, a, alpha, b, beta, c, beta * third])


def _triexp_bounds(samples: Samples) -> tuple[list[float], list[float]]:
    _, after = samples.gap()
    top = float(samples.time[samples.peak])
    low = [samples.injection, _SHORTEST, 0.01, 0.0, 0.0]
    return low, [top, max(after - samples.injection, 2 * _SHORTEST), _FASTEST, 1.0, 1.0]


def _triexp_grid(samples: Samples) -> np.ndarray:
    before, after = samples.gap()
    top = float(samples.time[samples.peak])
    peaks = (0.5 * (before + top), top, 0.5 * (top + after))
    points = product(samples.arrivals(), peaks, (2.0, 6.0, 20.0), (0.1, 0.5, 2.0), _SLOW)
    return np.array(
        [
            (t, max(p - t, _SHORTEST), a, min(b / a, 1.0), min(c / b, 1.0))
            for t, p, a, b, c in points
        ]
    )


AIF_MODELS = {
    "feng": AifModel(
        FittedModel(
            "Feng's model", ("tau", "A1", "A2", "A3", "l1", "l2", "l3"), _feng, _feng_report
        ),
        _feng_bounds,
        _feng_grid,
        (1000.0, 10.0, 10.0),
    ),
    "triexp": AifModel(
        FittedModel(
            "a rise and three exponentials",
            ("t0", "peak", "A", "alpha", "B", "beta", "C", "gamma"),
            _triexp,
            _triexp_report,
        ),
        _triexp_bounds,
        _triexp_grid,
        (10.0, 10.0, 10.0),
    ),
}
"""Name to model."""
