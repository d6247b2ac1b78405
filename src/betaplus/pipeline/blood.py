"""Blood as it is asked for: files, an image-derived input, or a population's curve."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.tacs import TacTable
from betaplus.io.blood import load_blood
from betaplus.io.voxels import load_mask
from betaplus.kinetics.blood.image_derived import image_derived
from betaplus.kinetics.blood.population import body_weight, injected_activity, scale_population

__all__ = ["BloodChoice", "check_plasma_option", "declared", "load_samples"]

_PLASMA = ("measured", "unmetabolised", "whole-blood")

_KINDS = {"unmetabolised": "parent", "whole-blood": "whole-blood"}


@dataclass(frozen=True, kw_only=True)
class BloodChoice:
    """What a command says of blood.

    Attributes:
        items: Files, or ``idif:MASK`` or ``population:FILE`` alone.
        unit: Activity unit, where a file gives none.
        activity: Injected [Bq], for a population's curve, where the sidecar lacks it.
        weight: Of the body [kg], likewise.
    """

    items: tuple[str, ...]
    unit: str | None = None
    activity: float | None = None
    weight: float | None = None


def load_samples(
    choice: BloodChoice, data: PetImage | TacTable, source: Path, injection: float
) -> tuple[InputFunction, tuple[Path, ...]]:
    """Return blood samples, and the files that they depend on.

    Args:
        choice: What was asked for.
        data: Image or table, for an image-derived input and for dose and weight.
        source: Its file.
        injection: Injection start [s from TimeZero].

    Raises:
        InputError: If a file cannot be used.
        UsageError: If options contradict each other or the data.
    """
    items = choice.items
    special = [item for item in items if item.startswith(("idif:", "population:"))]
    if special and len(items) > 1:
        raise UsageError(f"--blood {special[0]} beside other blood", "expected it alone")
    if not special:
        files = tuple(Path(item) for item in items)
        return load_blood(list(files), unit=choice.unit, injection=injection), files
    kind, _, name = special[0].partition(":")
    path = Path(name)
    if kind == "population":
        return _population(path, choice, data, source, injection), (path,)
    if not isinstance(data, PetImage):
        raise UsageError("--blood idif: with a table of curves", "expected it with an image only")
    return image_derived(data, load_mask(path, data)), (path,)


def check_plasma_option(plasma: str, option: str = "--plasma") -> None:
    """Check what is said of plasma.

    Raises:
        UsageError: If it is unknown.
    """
    if plasma not in _PLASMA:
        raise UsageError(f"{option} is {plasma!r}", f"expected {', '.join(_PLASMA)}")


def declared(blood: InputFunction, plasma: str) -> InputFunction:
    """Return blood whose plasma is what ``--plasma`` says.

    Args:
        blood: The samples.
        plasma: ``measured``; ``unmetabolised``, if total plasma is the parent; ``whole-blood``, if
            that stands in for plasma.

    Raises:
        InputError: If it lacks what is named.
        UsageError: If it says otherwise itself, or the name is unknown.
    """
    check_plasma_option(plasma)
    if plasma == "measured":
        return blood
    where = blood.source.name if blood.source else "the blood"
    if plasma == "whole-blood" and blood.whole_blood is None:
        raise InputError(f"{where} holds no whole blood", "expected it with --plasma whole-blood")
    if plasma == "unmetabolised" and blood.parent_fraction is not None:
        raise UsageError(
            f"--plasma unmetabolised, but {where} holds a parent fraction",
            "expected one or the other",
        )
    if plasma == "unmetabolised" and blood.plasma is None:
        raise InputError(f"{where} holds no plasma", "expected it with --plasma unmetabolised")
    return dataclasses.replace(blood, plasma_kind=_KINDS[plasma])


def _population(
    path: Path, choice: BloodChoice, data: PetImage | TacTable, source: Path, injection: float
) -> InputFunction:
    blood = load_blood([path], unit=choice.unit, injection=injection)
    remarks: list[str] = []
    activity, weight = choice.activity, choice.weight
    if activity is None:
        where = data.source.name if data.source else "the input"
        activity, notes = injected_activity(data.metadata, where)
        remarks += notes
    if weight is None:
        weight, notes = body_weight(source, data.metadata)
        remarks += notes
    scaled = scale_population(blood, activity, weight)
    return dataclasses.replace(scaled, remarks=(*scaled.remarks, *remarks))
