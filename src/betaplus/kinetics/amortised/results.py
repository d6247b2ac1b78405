"""From weighted draws to what every method returns."""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.amortised.lean import LeanPass
from betaplus.kinetics.exact.pilot import Pilot
from betaplus.kinetics.method import Task
from betaplus.kinetics.models import find_kinetic_model

__all__ = ["columns", "parameter_names", "summarise", "weighted_quantiles"]


def parameter_names(task: Task) -> tuple[str, ...]:
    """Return what is reported: parameters, what follows from them, and a fitted delay."""
    model = find_kinetic_model(task.model)
    return (*model.parameters, *model.macro, *(("delay",) if task.delay is None else ()))


def columns(names: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
    """Return the named quantities (..., P) of K1, k2, k3, k4, VB and delay (..., 6)."""
    K1, k2, k3, k4, VB, delay = np.moveaxis(rows, -1, 0)
    safe = np.where(np.abs(k4) > 1e-9, k4, 1e-9)
    BPND = np.where(k3 > 0, k3 / safe, 0.0)
    known = {"K1": K1, "k2": k2, "k3": k3, "k4": k4, "VB": VB, "delay": delay}
    derived = {"Ki": K1 * k3 / (k2 + k3), "BPND": BPND, "VT": K1 / k2 * (1.0 + BPND)}
    both = known | derived
    return np.stack([both[name] for name in names], axis=-1)


def weighted_quantiles(x: np.ndarray, w: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Return weighted quantiles of x (n, S) at some levels, shape (n, Q).

    Straight lines between the middles of the steps of the cumulative weight.
    """
    order = np.argsort(x, axis=1, kind="stable")
    values = np.take_along_axis(x, order, 1)
    weights = np.take_along_axis(w, order, 1)
    middle = np.cumsum(weights, 1) - 0.5 * weights
    out = np.empty((len(x), len(levels)))
    for i in range(len(x)):
        out[i] = np.interp(levels, middle[i], values[i])
    return out


def summarise(
    task: Task,
    lean: LeanPass,
    pilot: Pilot,
    x: np.ndarray,
    w: np.ndarray,
    rows: np.ndarray,
    misfits: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the arrays of `betaplus.kinetics.method.Fitter.fit` but for ``ess`` and ``status``.

    Args:
        task: What is fitted.
        lean: The lean pass of the task.
        pilot: What it found for the curves.
        x: Draws in whitened coordinates, shape (n, S, D).
        w: Normalised weights, shape (n, S).
        rows: Parameters of the draws, shape (n, S, 6).
        misfits: Squared residuals over the variance shape, shape (n, S).
    """
    target = lean.problem.target
    names = parameter_names(task)
    values = columns(names, rows)
    mean = np.einsum("ns,nsp->np", w, values)
    variance = np.einsum("ns,nsp->np", w, (values - mean[:, None]) ** 2)
    quantiles = np.stack(
        [weighted_quantiles(values[..., p], w, task.quantiles) for p in range(len(names))],
        axis=1,
    )
    grid = target.s_low + target.s_step * np.arange(target.precision.size)
    precision = np.interp(np.log(np.maximum(misfits, 1e-30)), grid, target.precision)
    level2 = (w / precision).sum(1)
    out = {
        "mean": mean.astype(np.float32),
        "std": np.sqrt(variance).astype(np.float32),
        "quantiles": quantiles.astype(np.float32),
        "chi2": ((w * misfits * precision).sum(1) / target.n_frames).astype(np.float32),
        "noise": np.sqrt(level2 * target.table.scale).astype(np.float32),
    }
    if task.samples:
        out["samples"] = np.swapaxes(_resampled(values, w, task.samples), 1, 2).astype(np.float32)
    if task.predict:
        curves = lean.predict(pilot, x, w, level2)
        for name, values in zip(("fit", "fit_std", "sigma"), curves, strict=True):
            out[name] = values.astype(np.float32)
    return out


def _resampled(values: np.ndarray, w: np.ndarray, samples: int) -> np.ndarray:
    """Systematic resampling along the second axis; the draws themselves where they are enough."""
    n, draws = w.shape
    if draws == samples and np.ptp(w) < 1e-12:
        return values
    out = np.empty((n, samples, values.shape[2]))
    levels = (np.arange(samples) + 0.5) / samples
    for i in range(n):
        chosen = np.minimum(np.searchsorted(np.cumsum(w[i]), levels), draws - 1)
        # an even step through the chosen, so that neighbours in the output are not the same node
        step = _coprime(samples)
        out[i] = values[i, chosen[(np.arange(samples) * step) % samples]]
    return out


def _coprime(n: int) -> int:
    step = max(int(0.618 * n), 1)
    while np.gcd(step, n) != 1:
        step += 1
    return step
