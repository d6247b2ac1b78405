"""What the fields of an image say of dose, body and administration, for its SUV.

PET-BIDS keeps the dose in the sidecar and the body in ``participants.tsv``; converters from DICOM
write the body into the sidecar. An option fills what both lack; one that contradicts is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.suv import Sex, SuvBasis
from betaplus.io.jsons import number, read_json
from betaplus.io.tsv import read_table

__all__ = ["read_basis"]

_WEIGHT = ("BodyWeight", "PatientWeight", "SubjectWeight", "Weight")
_HEIGHT = ("BodyHeight", "PatientSize", "SubjectHeight", "Height")
_SEX = ("PatientSex", "SubjectSex", "Sex")
_DOSE_UNITS = {"Bq": 1.0, "kBq": 1e3, "MBq": 1e6, "GBq": 1e9, "mCi": 3.7e7, "uCi": 3.7e4}
_LENGTHS = {"m": 1.0, "metre": 1.0, "meter": 1.0, "meters": 1.0, "metres": 1.0, "cm": 0.01}
_METRES, _CENTIMETRES = (0.25, 2.6), (25.0, 260.0)  # body heights; the two do not overlap
_AGREE = 0.01
_TAGS = {
    "dose": "RadionuclideTotalDose (0018,1074)",
    "elapsed": "RadiopharmaceuticalStartTime (0018,1072)",
    "half_life": "RadionuclideHalfLife (0018,1075)",
    "weight": "PatientWeight (0010,1030)",
    "height": "PatientSize (0010,1020)",
    "sex": "PatientSex (0010,0040)",
}
_NAMES = {
    "dose": "InjectedRadioactivity",
    "elapsed": "InjectionStart",
    "half_life": "TracerRadionuclide",
    "weight": "BodyWeight",
    "height": "BodyHeight",
    "sex": "Sex",
}


def read_basis(
    image: PetImage,
    *,
    dose: float | None = None,
    weight: float | None = None,
    height: float | None = None,
    sex: str | None = None,
) -> tuple[SuvBasis, list[str]]:
    """Return what an image's SUV is made from, None where nothing says, and remarks.

    Args:
        image: The image; its sidecar and the ``participants.tsv`` above it are read.
        dose: Activity administered [Bq], where ``InjectedRadioactivity`` is missing.
        weight: Body weight [kg], where neither sidecar nor ``participants.tsv`` has it.
        height: Body height [m], as the weight.
        sex: ``M`` or ``F``, as the weight.

    Raises:
        InputError: If a field is there but is no number, or has no unit that is known.
        UsageError: If an option contradicts a field.
    """
    fields = image.metadata
    where = image.source.name if image.source else "the image"
    person, table, remarks = _participant(image.source)
    names = _TAGS if fields.get("SourceFormat") == "DICOM" else _NAMES
    stated = {
        "dose": _dose(fields, where),
        "weight": _first(fields, _WEIGHT, where, "kg") or _weight(person, table, remarks),
        "height": _first(fields, _HEIGHT, where, "m") or _height(person, table, remarks),
    }
    asked = {"dose": dose, "weight": weight, "height": height}
    values = {name: _joined(name, stated[name], asked[name], names, where) for name in stated}
    basis = SuvBasis(
        **values,
        elapsed=_elapsed(image, where, remarks),
        half_life=image.tracer.half_life if image.tracer else None,
        sex=_sex(fields, person, sex, where),
        names=names,
        where=where,
    )
    return basis, remarks


def _joined(
    name: str,
    stated: float | None,
    option: float | None,
    names: Mapping[str, str],
    where: str,
) -> float | None:
    if option is None or stated is None:
        return stated if option is None else float(option)
    if abs(option - stated) > _AGREE * abs(stated):
        raise UsageError(
            f"--{name} is {option:g} but {names[name]} is {stated:g} in {where}",
            "an option only fills what is missing",
            "drop the option or correct the field",
        )
    return stated


def _dose(fields: Mapping[str, Any], where: str) -> float | None:
    value = number(fields, "InjectedRadioactivity", where, "an activity")
    if value is None:
        return None
    unit = str(fields.get("InjectedRadioactivityUnits") or "").strip().replace("µ", "u")
    known = {name.lower(): factor for name, factor in _DOSE_UNITS.items()}
    if unit.lower() not in known:
        raise InputError(
            f"InjectedRadioactivityUnits is {unit or 'missing'} in {where}",
            f"expected one of {', '.join(_DOSE_UNITS)}",
        )
    return value * known[unit.lower()]


def _elapsed(image: PetImage, where: str, remarks: list[str]) -> float | None:
    """Return the time from administration to decay correction [s], None if one is not known.

    An image without decay correction is corrected to administration by its factor (see
    `betaplus.io.suv`), so nothing has elapsed.
    """
    injected = number(image.metadata, "InjectionStart", where)
    mode = str(image.metadata.get("ModeOfAdministration") or "bolus").strip().lower()
    if mode != "bolus":
        remarks.append(f"ModeOfAdministration is {mode}: dose taken as given at InjectionStart")
    if injected is None:
        return None
    return 0.0 if image.decay_corrected_to is None else image.decay_corrected_to - injected


def _first(
    fields: Mapping[str, Any], names: tuple[str, ...], where: str, unit: str
) -> float | None:
    found = {}
    for name in names:
        value = number(fields, name, where, unit)
        if value:  # 0 is how scanners write "not known"
            found[name] = value
    if len(found) > 1 and max(found.values()) > (1 + _AGREE) * min(found.values()):
        listed = ", ".join(f"{name} {value:g}" for name, value in found.items())
        raise InputError(f"{where} holds {listed}", "expected one value", "correct one of them")
    return next(iter(found.values()), None)


def _sex(
    fields: Mapping[str, Any], person: Mapping[str, str], option: str | None, where: str
) -> Sex | None:
    words = [str(fields[name]) for name in _SEX if fields.get(name)]
    words += [person["sex"]] if "sex" in person else []
    letters = {word.strip().upper()[:1] for word in words} & {"M", "F"}
    asked = None if option is None else option.strip().upper()[:1]
    if asked not in (None, "M", "F"):
        raise UsageError(f"--sex is {option}", "expected M or F")
    if len(letters) > 1:
        raise InputError(f"sex is both M and F for {where}", "expected one", "correct one of them")
    if asked and letters and asked not in letters:
        raise UsageError(
            f"--sex is {option} but {where} says {letters.pop()}",
            "an option only fills what is missing",
            "drop the option or correct the field",
        )
    found = asked or (letters.pop() if letters else None)
    return "M" if found == "M" else "F" if found == "F" else None


def _participant(source: Path | None) -> tuple[dict[str, str], Path | None, list[str]]:
    """Return the row of ``participants.tsv`` for a file ``sub-<label>_...``, and where it is."""
    match = re.match(r"(sub-[0-9A-Za-z]+)(_|$)", source.name) if source else None
    if source is None or match is None:
        return {}, None, []
    for folder in list(source.absolute().parents)[:5]:  # data set, subject, session, pet
        table = folder / "participants.tsv"
        if not table.is_file():
            continue
        columns = read_table(table)
        ids = columns.get("participant_id", [])
        if match[1] not in ids:
            return {}, None, [f"{match[1]} is not in {table.name}"]
        row = ids.index(match[1])
        return {name.lower(): values[row] for name, values in columns.items()}, table, []
    return {}, None, []


def _weight(person: Mapping[str, str], table: Path | None, remarks: list[str]) -> float | None:
    value = _cell(person, "weight", table)
    unit = _unit(table, "weight")
    if value is None or table is None:
        return None
    if unit is None:
        remarks.append(f"weight in {table.name} has no unit: taken as kg")
    elif unit not in ("kg", "kilogram", "kilograms"):
        raise InputError(f"weight is in {unit!r} beside {table.name}", "expected kg")
    return value


def _height(person: Mapping[str, str], table: Path | None, remarks: list[str]) -> float | None:
    value = _cell(person, "height", table)
    if value is None or table is None:
        return None
    unit = _unit(table, "height")
    if unit is None:
        fits = [
            name
            for name, (low, high) in (("m", _METRES), ("cm", _CENTIMETRES))
            if low <= value <= high
        ]
        if not fits:
            raise InputError(f"height is {value:g} in {table.name}", "expected m or cm")
        remarks.append(f"height in {table.name} has no unit: {value:g} can only be {fits[0]}")
        unit = fits[0]
    if unit not in _LENGTHS:
        raise InputError(f"height is in {unit!r} beside {table.name}", "expected m or cm")
    return value * _LENGTHS[unit]


def _cell(person: Mapping[str, str], name: str, table: Path | None) -> float | None:
    text = person.get(name, "n/a")
    if text in ("", "n/a"):
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value < 1e6:
        place = table.name if table else ""
        raise InputError(f"{name} is {text!r} in {place}", "expected a number or n/a")
    return value or None


def _unit(table: Path | None, column: str) -> str | None:
    beside = table.with_suffix(".json") if table else None
    if beside is None or not beside.is_file():
        return None
    described = read_json(beside).get(column)
    unit = described.get("Units") if isinstance(described, Mapping) else None
    return None if unit is None else str(unit).strip().lower()
