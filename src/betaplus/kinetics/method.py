"""What a kinetic method is given, what it gives back, and where each one is found."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.kinetics.prior import Prior

__all__ = [
    "METHODS",
    "QUANTILES",
    "Fitter",
    "Method",
    "Task",
    "check_frames",
    "find_method",
    "free_parameters",
]

METHODS = {
    "exact": "betaplus.kinetics.exact.method:Exact",
    "nlls": "betaplus.kinetics.nlls:Nlls",
    "nuts": "betaplus.kinetics.nuts.method:Nuts",
    "consistency": "betaplus.kinetics.amortised.consistency:Consistency",
    "flow": "betaplus.kinetics.amortised.flow:Flow",
    "ddpm": "betaplus.kinetics.amortised.ddpm:Ddpm",
    "score": "betaplus.kinetics.amortised.score:Score",
    "abc": "betaplus.kinetics.abc.method:Abc",
    "consistency-published": "betaplus.kinetics.published.method:ConsistencyPublished",
    "patlak": "betaplus.kinetics.graphical.patlak:Patlak",
    "logan": "betaplus.kinetics.graphical.logan:Logan",
    "mrtm2": "betaplus.kinetics.graphical.mrtm2:Mrtm2",
    "suvr": "betaplus.kinetics.graphical.suvr:Suvr",
}
"""Name to class; a new method is a new file and one line here."""

QUANTILES = (0.05, 0.5, 0.95)
"""Quantile levels that maps and tables carry."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """Everything about a fit but the curves; picklable.

    Attributes:
        curve: Input curve [Bq/mL], decay-corrected to TimeZero; for a reference-region model
            the curve through the reference region's frame means (as plasma and whole blood).
        frames: Frame timing of the curves.
        half_life: Half-life [s].
        model: Name of the compartment model.
        prior: Priors; their ranges are the bounds of methods without priors.
        delay: Known delay [s], or None to infer one per curve.
        noise: ``auto``, ``estimate``, a noise level, or standard deviations per frame [Bq/mL].
        weights: Relative weights of the frames, shape (T,), in place of the noise model's.
        samples: Draws per curve.
        seed: Seed of the run.
        predict: Whether to return the posterior predictive of the curve.
        quantiles: Quantile levels.
        reference: Frame means of the reference region, shape (T,) [Bq/mL], where there is one.
        dispersion: Time constant of the sampler's dispersion, to be undone [s].
        t_star: Start of the linear part for graphical methods [s], or None to choose it.
        thorough: Whether curves are few and worth more work each.
        extraction: Renkin-Crone a and b [mL/cm3/min] of K1 = F (1 - a exp(-b / F)), or None.
    """

    curve: InputCurve
    frames: FrameTiming
    half_life: float
    model: str
    prior: Prior
    delay: float | None
    noise: float | str | np.ndarray = "auto"
    samples: int = 0
    seed: int = 0
    predict: bool = False
    quantiles: tuple[float, ...] = QUANTILES
    weights: np.ndarray | None = None
    reference: np.ndarray | None = None
    dispersion: float = 0.0
    t_star: float | None = None
    thorough: bool = False
    extraction: tuple[float, float] | None = None


class Fitter(Protocol):
    """A method ready for the curves of one task."""

    parameters: tuple[str, ...]
    """Names along the parameter axis of the results."""

    def fit(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Fit curves, shape (n, T) [Bq/mL], with global indices `items`, shape (n,).

        Returns:
            ``mean`` and ``std`` (n, P), ``quantiles`` (n, P, Q), ``ess``, ``chi2``, ``noise`` (n,)
            float32, ``status`` (n,) uint8; ``samples`` (n, P, S) where draws were asked for;
            ``fit``, ``fit_std`` and ``sigma`` (n, T) [Bq/mL] where predictions were. Any other
            array of shape (n,) becomes a diagnostic of its name, for example ``t_star`` [s].
        """


class Method(Protocol):
    """A method: typed settings, and `prepare`."""

    Settings: type

    def __init__(self, settings: Any) -> None: ...

    def prepare(self, task: Task) -> Fitter:
        """Do once what all curves of a task share."""


def check_frames(task: Task) -> None:
    """Refuse a model with as many free parameters as frames, or more.

    Raises:
        UsageError: If it is one.
    """
    from betaplus.kinetics.models import find_kinetic_model

    free = free_parameters(task)
    if len(task.frames) <= len(free):
        raise UsageError(
            f"{len(task.frames)} frames for the {len(free)} free parameters of"
            f" {find_kinetic_model(task.model).name}",
            "expected more frames than parameters",
        )


def free_parameters(task: Task) -> tuple[str, ...]:
    """Return the parameters that a fit of the task's curve may move, the noise level apart."""
    from betaplus.kinetics.models import find_kinetic_model

    model = find_kinetic_model(task.model)
    names = (*model.parameters, *(("delay",) if task.delay is None else ()))
    return tuple(name for name in names if not (name in task.prior and task.prior[name].fixed))


def find_method(name: str) -> type[Method]:
    """Return the class of a method.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in METHODS:
        raise UsageError(f"method {name!r} is unknown", f"expected one of {', '.join(METHODS)}")
    module, _, attribute = METHODS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
