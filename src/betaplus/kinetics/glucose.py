"""Metabolic rate of glucose from the net influx of FDG."""

from __future__ import annotations

import dataclasses

from betaplus.core.errors import UsageError
from betaplus.core.posterior import Posterior
from betaplus.kinetics.models import KineticModel

__all__ = ["check_glucose", "with_glucose"]

_GLUCOSE = (0.5, 50.0)  # mmol/L, beyond any living patient
_LUMPED = (0.1, 2.0)


def check_glucose(
    model: KineticModel, glucose: float | None, lumped_constant: float | None
) -> None:
    """Refuse half of the pair, numbers in another unit, and models without Ki.

    Raises:
        UsageError: In these cases.
    """
    if glucose is None and lumped_constant is None:
        return
    if glucose is None or lumped_constant is None:
        missing = "glucose" if glucose is None else "lumped constant"
        raise UsageError(f"CMRglc without {missing}", "expected glucose and lumped constant")
    if "Ki" not in (*model.parameters, *model.macro):
        raise UsageError(f"CMRglc with model {model.name}", "expected a model with Ki")
    if not _GLUCOSE[0] <= glucose <= _GLUCOSE[1]:
        raise UsageError(
            f"plasma glucose {glucose:g} mmol/L",
            f"expected {_GLUCOSE[0]:g} to {_GLUCOSE[1]:g}",
            "divide mg/dL by 18.016",
        )
    if not _LUMPED[0] <= lumped_constant <= _LUMPED[1]:
        raise UsageError(
            f"lumped constant {lumped_constant:g}", f"expected {_LUMPED[0]:g} to {_LUMPED[1]:g}"
        )


def with_glucose(posterior: Posterior, glucose: float, lumped_constant: float) -> Posterior:
    """Return the posterior with CMRglc = Ki Cp / LC [umol/100 cm3/min] (Sokoloff et al. 1977).

    Args:
        posterior: A posterior with Ki [mL/cm3/min].
        glucose: Plasma glucose [mmol/L = umol/mL].
        lumped_constant: Lumped constant of the tissue.
    """
    factor = 100.0 * glucose / lumped_constant
    Ki = posterior["Ki"]
    scaled = dataclasses.replace(
        Ki,
        mean=factor * Ki.mean,
        std=factor * Ki.std,
        quantiles={level: factor * values for level, values in Ki.quantiles.items()},
        samples=None if Ki.samples is None else factor * Ki.samples,
    )
    settings = {**posterior.settings, "glucose": glucose, "lumped_constant": lumped_constant}
    parameters = {**posterior.parameters, "CMRglc": scaled}
    return dataclasses.replace(posterior, parameters=parameters, settings=settings)
