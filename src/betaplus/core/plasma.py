"""Whether blood holds what tissue takes up from: plasma, and in it the tracer itself."""

from __future__ import annotations

import re

from betaplus.core.errors import InputError
from betaplus.core.input_function import InputFunction
from betaplus.core.tracer import Tracer

__all__ = ["check_plasma"]

_UNMETABOLISED = re.compile(r"fdg|deoxyglucose|water|h2o|rubidium|rbcl|naf|fluoride", re.IGNORECASE)
_UNMETABOLISED_NUCLIDES = ("O15", "Rb82")


def check_plasma(blood: InputFunction, tracer: Tracer) -> None:
    """Refuse blood without plasma, or whose plasma holds metabolites, unless this is meant.

    Args:
        blood: Samples; a `plasma_kind` other than ``total`` says what is meant.
        tracer: What was injected.

    Raises:
        InputError: If it cannot serve as the input.
    """
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
