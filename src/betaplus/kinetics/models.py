"""The models of the kinetics verb, what each needs, and which methods serve it."""

from __future__ import annotations

from dataclasses import dataclass

from betaplus.core.errors import UsageError
from betaplus.kinetics.method import METHODS

__all__ = ["KINETIC_MODELS", "KineticModel", "find_kinetic_model", "resolve"]

_WITH_BLOOD = ("exact", "nlls", "nuts", "consistency", "flow", "ddpm", "score", "abc")


@dataclass(frozen=True, kw_only=True)
class KineticModel:
    """A model as a user meets it.

    Attributes:
        name: Its name, which is also its BIDS label.
        parameters: Parameters that are fitted, in the order of tables.
        macro: What follows from them.
        reference: Whether its input is the curve of a reference region, not blood.
        methods: Methods that serve it; the first is its default.
    """

    name: str
    parameters: tuple[str, ...]
    macro: tuple[str, ...] = ()
    reference: bool = False
    methods: tuple[str, ...] = _WITH_BLOOD


KINETIC_MODELS = {
    model.name: model
    for model in (
        KineticModel(name="1TCM", parameters=("K1", "k2", "VB"), macro=("VT",)),
        KineticModel(name="2TCM3k", parameters=("K1", "k2", "k3", "VB"), macro=("Ki",)),
        KineticModel(
            name="2TCM",
            parameters=("K1", "k2", "k3", "k4", "VB"),
            macro=("Ki", "VT", "BPND"),
            methods=(*_WITH_BLOOD, "consistency-published"),
        ),
        KineticModel(
            name="SRTM",
            parameters=("R1", "k2", "BPND"),
            reference=True,
            methods=("exact", "nlls"),
        ),
        KineticModel(
            name="MRTM2", parameters=("R1", "k2", "BPND"), reference=True, methods=("mrtm2",)
        ),
        KineticModel(name="Patlak", parameters=("Ki", "V0"), methods=("patlak",)),
        KineticModel(name="Logan", parameters=("VT", "intercept"), methods=("logan",)),
        KineticModel(
            name="RefLogan",
            parameters=("DVR", "intercept"),
            macro=("BPND",),
            reference=True,
            methods=("logan",),
        ),
        KineticModel(name="SUVR", parameters=("SUVR",), reference=True, methods=("suvr",)),
    )
}
"""Name to model."""

_OF_METHOD = {"patlak": "Patlak", "logan": "Logan", "mrtm2": "MRTM2", "suvr": "SUVR"}
_DEFAULT, _DEFAULT_REFERENCE = "2TCM", "SRTM"


def find_kinetic_model(name: str) -> KineticModel:
    """Return the model called `name`.

    Raises:
        UsageError: If there is none.
    """
    if name not in KINETIC_MODELS:
        raise UsageError(
            f"model {name!r} is unknown", f"expected one of {', '.join(KINETIC_MODELS)}"
        )
    return KINETIC_MODELS[name]


def resolve(model: str | None, method: str | None, reference: bool) -> tuple[KineticModel, str]:
    """Return the model and the method that are meant.

    A graphical method brings its model; a reference region without a model means SRTM; otherwise
    2TCM. A model without a method means the first of its methods.

    Args:
        model: Name of a model or None.
        method: Name of a method or None.
        reference: Whether a reference region is given.

    Raises:
        UsageError: If a name is unknown, the two do not go together, or the model's input is not
            the one given.
    """
    if method is not None and method not in METHODS:
        raise UsageError(f"method {method!r} is unknown", f"expected one of {', '.join(METHODS)}")
    if model is None:
        model = _OF_METHOD.get(method or "", _DEFAULT_REFERENCE if reference else _DEFAULT)
    if model == "Logan" and reference and method in (None, "logan"):
        model = "RefLogan"
    found = find_kinetic_model(model)
    chosen = method or found.methods[0]
    if chosen not in found.methods:
        raise UsageError(
            f"method {chosen} does not serve model {found.name}",
            f"expected {' or '.join(found.methods)}",
        )
    if found.reference and not reference:
        raise UsageError(
            f"model {found.name} needs a reference region", "expected --reference REGION or MASK"
        )
    if reference and not found.reference:
        raise UsageError(
            f"model {found.name} needs an input function, not a reference region",
            "expected --blood FILE, or one of the models "
            + ", ".join(m.name for m in KINETIC_MODELS.values() if m.reference),
        )
    return found, chosen
