"""The delay between the blood curve and the tissue, once for an image."""

from __future__ import annotations

import dataclasses

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.kinetics.method import Task, find_method, make_settings
from betaplus.kinetics.prior import Prior

__all__ = ["delay_of_mean", "delay_option"]


def delay_option(delay: float | str, prior: Prior) -> float | None:
    """Return a known delay [s], or None for ``fit``; a prior may bring its own.

    Raises:
        UsageError: If the delay is neither ``fit`` nor a plausible number of seconds.
    """
    if delay == "fit":
        return prior.known_delay
    try:
        seconds = float(delay)
    except (TypeError, ValueError):
        seconds = np.nan
    if not abs(seconds) <= 600:
        raise UsageError(f"delay {delay!r}", "expected fit, or seconds between -600 and 600")
    return seconds


def delay_of_mean(values: np.ndarray, task: Task) -> tuple[float, float]:
    """Return posterior median and SD of the delay [s] of the mean curve, by the exact method.

    Args:
        values: Curves, shape (N, T) [Bq/mL].
        task: The task with its delay unknown.
    """
    kind = find_method("exact")
    alone = dataclasses.replace(task, delay=None, samples=0, predict=False, quantiles=(0.5,))
    fitter = kind(make_settings(kind.Settings, {"fine": 2048})).prepare(alone)
    mean = np.asarray(values, dtype=np.float64).mean(axis=0, keepdims=True)
    result = fitter.fit(mean, np.zeros(1, dtype=np.int64))
    at = fitter.parameters.index("delay")
    return round(float(result["quantiles"][0, at, 0]), 2), float(result["std"][0, at])
