"""Draws of a curve, and what is reported of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.evaluation.convergence import bulk_ess, split_rhat
from betaplus.kinetics.method import Task
from betaplus.kinetics.models import find_kinetic_model
from betaplus.kinetics.prior import Distribution
from betaplus.physics.perfusion import flow_from_uptake

__all__ = ["PREDICTED", "Kept", "Summary"]

PREDICTED = 1000
"""Draws whose curves are looked at."""

_NAMES = ("K1", "k2", "k3", "k4", "VB", "delay", "noise")
_AUTOCORRELATION_LIMIT = 3.5  # standard deviations of white noise
_CHI2_LIMIT = 5.0
_LEAST_K4 = 1e-9  # 1/min


@dataclass(frozen=True, eq=False)
class Kept:
    """Draws of a curve.

    Attributes:
        z: Coordinates, shape (M, N, d).
        energy: Minus the log density, shape (M, N).
        rhat: Largest split R-hat.
        ess: Smallest bulk effective sample size.
    """

    z: np.ndarray
    energy: np.ndarray
    rhat: float
    ess: float

    def thinned(self) -> np.ndarray:
        """Return the likeliest draw and then evenly spaced ones, shape (1 + `PREDICTED`, d)."""
        flat = self.z.reshape(-1, self.z.shape[-1])
        return flat[np.r_[np.argmin(self.energy), _even(len(flat), PREDICTED)]]


class Summary:
    """What a task reports of its draws.

    Args:
        task: The task.
        priors: Names and priors of the coordinates.
        known: Values of the parameters that are not free, shape (7,).
    """

    def __init__(
        self, task: Task, priors: tuple[tuple[str, Distribution], ...], known: np.ndarray
    ) -> None:
        model = find_kinetic_model(task.model)
        flow = ("F",) if task.extraction else ()
        delay = ("delay",) if task.delay is None else ()
        self.parameters = (*model.parameters, *model.macro, *flow, *delay)
        self._task, self._priors = task, priors
        self._known = dict(zip(_NAMES, known, strict=True))

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
        shapes |= dict.fromkeys(("ess", "chi2", "noise", "rhat", "draws"), ())
        out = {name: np.zeros((n, *shape), dtype=np.float32) for name, shape in shapes.items()}
        return out | {name: np.zeros(n, dtype=np.uint8) for name in ("status", "converged")}

    def values(self, z: np.ndarray) -> dict[str, np.ndarray]:
        """Return what is reported, and the noise level, at coordinates (..., d)."""
        named = {name: np.full(z.shape[:-1], value) for name, value in self._known.items()}
        for i, (name, prior) in enumerate(self._priors):
            named[name] = prior.at_probit(z[..., i])
        K1, k2, k3, k4 = (named[name] for name in ("K1", "k2", "k3", "k4"))
        macro = {"Ki": lambda: K1 * k3 / (k2 + k3)}
        macro["BPND"] = lambda: k3 / np.where(np.abs(k4) > _LEAST_K4, k4, _LEAST_K4)
        macro["VT"] = lambda: K1 / k2 * (1.0 + (macro["BPND"]() if k3.any() else 0.0))
        macro["F"] = lambda: flow_from_uptake(K1, *self._task.extraction)
        reported = {
            name: named[name] if name in named else macro[name]() for name in self.parameters
        }
        return reported | {"noise": named["noise"]}

    def judge(self, z: np.ndarray, energy: np.ndarray) -> Kept:
        """Return a round of draws, (M, N, d) and (M, N), with what it can be trusted to."""
        columns = np.stack(list(self.values(z).values()))
        free = columns[np.ptp(columns, axis=(1, 2)) > 0]
        return Kept(z, energy, float(split_rhat(free).max()), float(bulk_ess(free).min()))

    def fill(
        self,
        out: dict[str, np.ndarray],
        i: int,
        y: np.ndarray,
        kept: Kept,
        predicted: tuple[np.ndarray, np.ndarray],
        turn: int,
        good: bool,
    ) -> None:
        """Fill row i of the results.

        Args:
            out: As `empty` made them.
            i: The row.
            y: The curve, shape (T,).
            kept: Its draws.
            predicted: Curves and variances of `Kept.thinned`, shape (1, 1 + PREDICTED, T) each.
            turn: Rounds before the last.
            good: Whether the chains have converged.
        """
        task = self._task
        named = self.values(kept.z.reshape(-1, kept.z.shape[-1]))
        columns = np.stack([named[name] for name in self.parameters])
        out["mean"][i], out["std"][i] = columns.mean(1), columns.std(1)
        out["quantiles"][i] = np.quantile(columns, task.quantiles, axis=1).T
        if task.samples:
            out["samples"][i] = columns[:, _even(columns.shape[1], task.samples)]
        clean, variance = (part[0] for part in predicted)
        squares = (y - clean) ** 2 / variance
        out["chi2"][i] = squares[1:].mean()
        out["noise"][i] = np.sqrt((named["noise"] ** 2).mean())
        out["ess"][i], out["rhat"][i] = kept.ess, kept.rhat
        out["draws"][i] = columns.shape[1]
        out["converged"][i] = good
        residual = (y - clean[0]) / np.sqrt(variance[0])
        out["status"][i] = _status(residual, float(out["chi2"][i]), turn)
        if task.predict:
            out["fit"][i], out["fit_std"][i] = clean[1:].mean(0), clean[1:].std(0)
            out["sigma"][i] = np.sqrt(variance[1:].mean(0))


def _even(n: int, wanted: int) -> np.ndarray:
    return ((np.arange(wanted) + 0.5) * n / wanted).astype(int)


def _status(residual: np.ndarray, chi2: float, turn: int) -> int:
    """1 ok, 3 more than one round, 4 misfit: residuals that hang together or a large chi-square."""
    n = residual.size
    together = (residual[1:] * residual[:-1]).sum() / (residual**2).sum() * np.sqrt(n)
    if together > _AUTOCORRELATION_LIMIT or chi2 > 1.0 + _CHI2_LIMIT * np.sqrt(2.0 / n):
        return 4
    return 3 if turn else 1
