"""What a method of separation is, and where each is found."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress

if TYPE_CHECKING:
    from betaplus.separation.problem import SeparatedImages, SeparationProblem

__all__ = ["IN_PIECES", "LEARNED", "METHODS", "NEEDS_BLOOD", "SeparationMethod", "find_method"]

METHODS = {
    "inn": "betaplus.separation.inn:Inn",
    "inn-published": "betaplus.separation.inn_published:InnPublished",
    "tissues": "betaplus.separation.tissues:Tissues",
    "linear": "betaplus.separation.linear:Linear",
    "compartment": "betaplus.separation.compartment:Compartment",
    "extrapolation": "betaplus.separation.extrapolation:Extrapolation",
    "nmf": "betaplus.separation.nmf:Nmf",
    "ced": "betaplus.separation.ced:Ced",
    "cnn3d": "betaplus.separation.cnn3d:Cnn3d",
}
"""Name to class; a new method is a new file and one line here."""

LEARNED = ("inn", "inn-published", "ced", "cnn3d")
"""Methods that need a bundle of weights: they are made from settings and a network."""

IN_PIECES = ("inn", "tissues", "compartment", "extrapolation")
"""Methods whose `fit` takes a `betaplus.core.crew.Crew`; the others are done in threads here."""

NEEDS_BLOOD = ("compartment", "extrapolation")
"""Methods that need the blood of both tracers, or of the first."""


class SeparationMethod(Protocol):
    """A method: typed settings, and what it makes of a problem."""

    Settings: type

    def fit(
        self,
        problem: SeparationProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> SeparatedImages:
        """Return the images of both tracers."""  # fmt: skip


def find_method(name: str) -> Any:
    """Return the class of a method.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in METHODS:
        raise UsageError(f"method {name!r} is unknown", f"expected one of {', '.join(METHODS)}")
    module, _, attribute = METHODS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
