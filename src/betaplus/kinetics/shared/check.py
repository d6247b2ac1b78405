"""Whether a parameter can be shared between the regions of a table."""

from __future__ import annotations

from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.tacs import TacTable
from betaplus.kinetics.delay import delay_option
from betaplus.kinetics.models import KineticModel
from betaplus.kinetics.prior import Prior

__all__ = ["SHAREABLE", "check_shared", "check_table"]

SHAREABLE = ("k2", "k3", "k4", "VB", "delay")
"""What regions may have in common."""

_METHODS = ("exact", "nlls")


def check_shared(
    shared: str, model: KineticModel, method: str, prior: Prior, delay: Any, noise: Any
) -> None:
    """Refuse a parameter that cannot be shared, before any data are read.

    Args:
        shared: The parameter.
        model: The model.
        method: Name of the method.
        prior: The prior.
        delay: The delay as `betaplus.kinetics.fit` takes it.
        noise: The noise, likewise.

    Raises:
        UsageError: If it is not one of the model's, is known, or the method cannot share it.
    """
    if model.reference or method not in _METHODS:
        raise UsageError(
            f"a shared {shared} with model {model.name} and method {method}",
            "expected a compartment model with blood, and method exact or nlls",
        )
    known = [name for name in SHAREABLE if name in (*model.parameters, "delay")]
    if shared not in known:
        raise UsageError(
            f"{shared} of model {model.name} cannot be shared", f"expected {', '.join(known)}"
        )
    if shared == "delay" and (delay != "fit" or delay_option(delay, prior) is not None):
        raise UsageError(
            "a shared delay that is known already",
            "expected one that is fitted",
            "leave out the delay, and the prior that fixes it",
        )
    if shared in prior and prior[shared].fixed:
        raise UsageError(f"a shared {shared} that the prior fixes", "expected a range for it")
    if method == "exact" and isinstance(noise, str) and noise == "estimate":
        raise UsageError(
            f"a shared {shared} with noise estimate",
            "expected auto, a level or standard deviations",
            "the evidence needs them",
        )


def check_table(shared: str, data: PetImage | TacTable) -> None:
    """Refuse data other than a table of two regions or more.

    Raises:
        UsageError: If it is such.
    """
    if not isinstance(data, TacTable):
        raise UsageError(f"a shared {shared} with an image", "expected a table of curves")
    if len(data) < 2:
        raise UsageError(f"a shared {shared} with 1 curve", "expected a table of 2 or more")
