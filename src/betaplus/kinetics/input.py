"""From blood to the input curve of a fit, refusing what would make it another quantity."""

from __future__ import annotations

import re

from betaplus.core.errors import InputError, UsageError
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.tracer import Tracer
from betaplus.kinetics.curves import Curves

__all__ = ["input_curve"]

_MOST_DISPERSION = 120.0  # s
_UNMETABOLISED = re.compile(r"fdg|deoxyglucose|water|h2o|rubidium|rbcl|naf|fluoride", re.IGNORECASE)
_UNMETABOLISED_NUCLIDES = ("O15", "Rb82")


def input_curve(
    blood: InputFunction | InputCurve, curves: Curves, dispersion: float = 0.0
) -> tuple[InputCurve, tuple[str, ...]]:
    """Return the input curve [Bq/mL] up to the end of the scan, and what was done to get it.

    Args:
        blood: Blood samples, or a curve, which is taken as it is.
        curves: What is to be fitted.
        dispersion: Dispersion to be undone later [s].

    Raises:
        InputError: If there is no plasma, or it holds metabolites, and nothing says that this is
            meant.
        UsageError: If dispersion is out of range or corrected already.
    """
    if not 0 <= dispersion <= _MOST_DISPERSION:
        raise UsageError(f"dispersion {dispersion:g} s", f"expected 0 to {_MOST_DISPERSION:g} s")
    if isinstance(blood, InputFunction):
        if dispersion and blood.dispersion_corrected:
            raise UsageError(
                f"dispersion {dispersion:g} s for blood whose DispersionCorrected is true",
                "expected a correction once",
                "leave out the dispersion",
            )
        _check_plasma(blood, curves.tracer)
        blood = blood.curve(float(curves.frames.end[-1]))
    return blood.converted("Bq/mL"), blood.remarks


def _check_plasma(blood: InputFunction, tracer: Tracer) -> None:
    where = blood.source.name if blood.source else "the input function"
    if blood.plasma_kind == "whole-blood":
        return
    if blood.plasma is None:
        raise InputError(
            f"{where} holds whole blood but no plasma",
            "expected plasma, which is what tissue takes up from",
            "give plasma, or say that whole blood stands in for it (plasma whole-blood)",
        )
    total = blood.plasma_kind == "total" and blood.parent_fraction is None
    known = _UNMETABOLISED.search(tracer.name) or tracer.radionuclide in _UNMETABOLISED_NUCLIDES
    if total and not known:
        raise InputError(
            f"{where} holds total plasma and no parent fraction",
            "expected parent plasma",
            "give metabolite_parent_fraction, or say that"
            f" {tracer.name or tracer.radionuclide} has no metabolites (plasma unmetabolised)",
        )
