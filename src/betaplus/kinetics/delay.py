"""The delay between the blood curve and the tissue: given, per curve, or once for all."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.core.settings import make_settings
from betaplus.kinetics.curves import Curves
from betaplus.kinetics.method import Task, find_method
from betaplus.kinetics.prior import Prior
from betaplus.kinetics.reference_curve import region_mean
from betaplus.physics.compartments import MODELS

__all__ = ["delay_of_mean", "delay_option", "known_delay"]

_WITHOUT_DELAY = ("patlak", "logan")


def delay_option(delay: float | str, prior: Prior) -> float | None:
    """Return a known delay [s], or None where it is to be found; a prior may bring its own.

    Raises:
        UsageError: If the delay is neither ``fit`` nor a plausible number of seconds.
    """
    if delay == "fit" and prior["delay"].fixed:
        return float(prior["delay"].low)
    if delay == "fit":
        return prior.known_delay
    if isinstance(delay, str) and (delay == "fit-once" or delay.startswith("region:")):
        return None
    try:
        seconds = float(delay)
    except (TypeError, ValueError):
        seconds = np.nan
    if not abs(seconds) <= 600:
        raise UsageError(
            f"delay {delay!r}",
            "expected fit, fit-once, region:NAME, or seconds between -600 and 600",
        )
    return seconds


def known_delay(
    delay: float | str, method: str, curves: Curves, task: Task, progress: Progress
) -> tuple[Task, dict[str, Any]]:
    """Return the task with its delay known, or not to be fitted per curve; and the record of it.

    Args:
        delay: See `betaplus.kinetics.fit`.
        method: The method.
        curves: The curves.
        task: The task.
        progress: What to report to.

    Raises:
        InputError: If a region is not there.
        UsageError: If the delay is no delay.
    """
    if task.reference is not None:
        if delay != "fit":
            raise UsageError(f"delay {delay} with a reference region", "expected none")
        return dataclasses.replace(task, delay=0.0), {"delay": "none"}
    known = delay_option(delay, task.prior)
    region = delay[len("region:") :] if str(delay).startswith("region:") else ""
    once = curves.mask is not None or method in _WITHOUT_DELAY or delay == "fit-once" or region
    if known is None and not once:
        return task, {"delay": "fitted per curve"}
    if known is not None:
        return dataclasses.replace(task, delay=known), {"delay": known}
    values = region_mean(region, curves)[None] if region else curves.values
    source = f"region {region}" if region else f"mean curve of the {_set(curves)}"
    known, spread = delay_of_mean(values, task)
    progress.note(f"delay {known:g} s (SD {spread:.2g} s), from the {source}")
    about = {"delay": known, "delay_sd": spread, "delay_from": source}
    return dataclasses.replace(task, delay=known), about


def _set(curves: Curves) -> str:
    return "mask" if curves.mask is not None else "table"


def delay_of_mean(values: np.ndarray, task: Task) -> tuple[float, float]:
    """Return posterior median and SD of the delay [s] of the mean curve, by the exact method.

    Args:
        values: Curves, shape (N, T) [Bq/mL].
        task: The task with its delay unknown.
    """
    kind = find_method("exact")
    model = task.model if task.model in MODELS else "2TCM"
    alone = dataclasses.replace(
        task,
        model=model,
        delay=None,
        samples=0,
        predict=False,
        quantiles=(0.5,),
        extraction=None,
        thorough=False,
    )
    fitter = kind(make_settings(kind.Settings, {"fine": 2048})).prepare(alone)
    mean = np.mean(values, axis=0, dtype=np.float64, keepdims=True)
    result = fitter.fit(mean, np.zeros(1, dtype=np.int64))
    at = fitter.parameters.index("delay")
    return round(float(result["quantiles"][0, at, 0]), 2), float(result["std"][0, at])
