"""Moments, quantiles, draws and diagnostics of weighted particles."""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.abc.proposal import resample
from betaplus.kinetics.abc.regression import adjusted
from betaplus.kinetics.abc.sampler import Particles
from betaplus.kinetics.abc.simulator import Simulator
from betaplus.kinetics.exact.density import PLACES
from betaplus.kinetics.method import Task
from betaplus.kinetics.models import find_kinetic_model
from betaplus.kinetics.prior import Distribution

__all__ = ["Summary"]

_AUTOCORRELATION_LIMIT = 3.5  # standard deviations of white noise
_CHI2_LIMIT = 5.0
_LEAST_K4 = 1e-9  # 1/min


class Summary:
    """What a task reports of its particles.

    Args:
        task: The task.
        simulator: Its forward model.
    """

    def __init__(self, task: Task, simulator: Simulator) -> None:
        model = find_kinetic_model(task.model)
        delay = ("delay",) if task.delay is None else ()
        self.parameters = (*model.parameters, *model.macro, *delay)
        self._task, self._simulator = task, simulator

    def empty(self, n: int) -> dict[str, np.ndarray]:
        """Return blank results of n curves."""
        task, p, t = self._task, len(self.parameters), len(self._task.frames)
        shapes: dict[str, tuple[int, ...]] = {
            "mean": (p,),
            "std": (p,),
            "quantiles": (p, len(task.quantiles)),
        }
        if task.samples:
            shapes["samples"] = (p, task.samples)
        if task.predict:
            shapes |= dict.fromkeys(("fit", "fit_std", "sigma"), (t,))
        shapes |= dict.fromkeys(("ess", "chi2", "noise", "tolerance"), ())
        out = {name: np.zeros((n, *shape), dtype=np.float32) for name, shape in shapes.items()}
        return out | {"status": np.zeros(n, dtype=np.uint8)}

    def fill(
        self,
        out: dict[str, np.ndarray],
        i: int,
        y: np.ndarray,
        particles: Particles,
        levels: Distribution,
        generator: np.random.Generator,
    ) -> None:
        """Fill row i of the results.

        Args:
            out: As `empty` made them.
            i: The row.
            y: The curve, shape (T,) [table units].
            particles: Its particles.
            levels: Prior of its noise level.
            generator: Random numbers, for draws.
        """
        task, simulator, w = self._task, self._simulator, particles.weight
        rows, clean = simulator.curves(particles.v)
        level = simulator.level(levels, particles.v)
        columns = self._columns(rows)
        if particles.v is not particles.simulated:
            self._adjust_macro(columns, particles)
        mean = columns @ w
        away = columns - mean[:, None]
        out["mean"][i], out["std"][i] = mean, np.sqrt((away * away) @ w)
        out["quantiles"][i] = _quantiles(columns, w, task.quantiles)
        if task.samples:
            out["samples"][i] = columns[:, resample(w, task.samples, generator)]
        clean = clean.astype(np.float64)
        variance = simulator.variance(clean)
        residual = (y - clean) / np.sqrt(variance)
        squares = (residual * residual).mean(axis=1)
        out["chi2"][i] = w @ (squares / level**2)
        out["noise"][i] = np.sqrt(w @ level**2)
        out["ess"][i] = 1.0 / (w @ w)
        out["tolerance"][i] = particles.tolerance
        out["status"][i] = _status(residual[np.argmin(squares)], float(out["chi2"][i]))
        if task.predict:
            fit = w @ clean
            out["fit"][i] = fit * simulator.scale
            out["fit_std"][i] = np.sqrt(w @ (clean - fit) ** 2) * simulator.scale
            out["sigma"][i] = np.sqrt(w @ (level[:, None] ** 2 * variance)) * simulator.scale

    def _adjust_macro(self, columns: np.ndarray, particles: Particles) -> None:
        """Replace positive macro-parameters by their own regression, of their logarithms.

        Data often know Ki far better than the rate constants that make it, and a linear adjustment
        of these leaves their curved ridge.
        """
        model = find_kinetic_model(self._task.model)
        rows, _ = self._simulator.curves(particles.simulated)
        simulated = self._columns(rows)
        for name in model.macro:
            p = self.parameters.index(name)
            if (simulated[p] > 0.0).all():
                log = np.log(simulated[p])[:, None]
                moved = adjusted(log, particles.statistics, particles.weight, rescale=False)
                columns[p] = np.exp(moved[:, 0])

    def _columns(self, rows: np.ndarray) -> np.ndarray:
        """Columns of `parameters`, shape (P, n), of rows in the order of `PLACES`."""
        named = dict(zip(PLACES, rows.T, strict=True))
        K1, k2, k3, k4 = (named[name] for name in ("K1", "k2", "k3", "k4"))
        binding = np.where(k3 > 0.0, k3 / np.where(np.abs(k4) > _LEAST_K4, k4, _LEAST_K4), 0.0)
        named |= {
            "Ki": K1 * k3 / (k2 + k3),
            "VT": K1 / k2 * (1.0 + binding),
            "BPND": binding,
        }
        return np.stack([named[name] for name in self.parameters])


def _quantiles(x: np.ndarray, w: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Weighted quantiles of every row of x (P, n), shape (P, Q)."""
    order = np.argsort(x, axis=1, kind="stable")
    out = np.empty((len(x), len(levels)))
    for p, rows in enumerate(order):
        part = w[rows]
        out[p] = np.interp(levels, np.cumsum(part) - 0.5 * part, x[p, rows])
    return out


def _status(residual: np.ndarray, chi2: float) -> int:
    """1 ok, 4 misfit: residuals that hang together, or a chi-square out of bounds."""
    n = residual.size
    together = (residual[1:] * residual[:-1]).sum() / max((residual**2).sum(), 1e-300)
    fine = together * np.sqrt(n) <= _AUTOCORRELATION_LIMIT
    return 1 if fine and chi2 <= 1.0 + _CHI2_LIMIT * np.sqrt(2.0 / n) else 4
