"""A population's blood curve made one person's: injected activity over body weight.

A population curve is kept in SUV [g/mL]: concentration times body weight over injected activity,
all decay-corrected to the same time. Scaling by these two alone leaves the shape as it is (Takikawa
et al., Radiology 1993, 188:131-136); a blood sample of the person would correct the height.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.input_function import InputFunction
from betaplus.io.jsons import number, read_json
from betaplus.io.tsv import column_numbers, read_table

__all__ = ["body_weight", "injected_activity", "scale_population"]

_BECQUERELS = {"Bq": 1.0, "kBq": 1e3, "MBq": 1e6, "GBq": 1e9, "mCi": 37e6}
_GRAMS = {"g": 1.0, "gram": 1.0, "grams": 1.0, "kg": 1e3, "kilogram": 1e3, "kilograms": 1e3}
_HEAVIEST = 700.0  # kg: above it grams are likelier
_CONTRADICTION = 10.0  # factor between two statements of the activity: a wrong unit


def scale_population(blood: InputFunction, activity_bq: float, weight_kg: float) -> InputFunction:
    """Return a population curve in SUV as that of one person, in Bq/mL.

    Args:
        blood: The population's curve, unit SUV, on the person's time axis.
        activity_bq: Injected activity, at the time that the scan is decay-corrected to [Bq].
        weight_kg: Body weight [kg].

    Raises:
        InputError: If the curve is not in SUV, or activity or weight is not above 0 and finite.
    """
    where = blood.source.name if blood.source else "the population curve"
    if blood.unit != "SUV":
        raise InputError(
            f"{where} is in {blood.unit}",
            "expected SUV, to be scaled by activity and weight",
            "divide it by the activity per gram, or use it as it is",
        )
    if not (math.isfinite(activity_bq) and activity_bq > 0):
        raise InputError(f"injected activity {activity_bq:g} Bq", "expected a number above 0")
    _check_weight(weight_kg, "the body weight")
    factor = activity_bq / (1000.0 * weight_kg)
    remark = (
        f"population curve scaled by {activity_bq / 1e6:.4g} MBq over {weight_kg:.4g} kg:"
        f" 1 SUV is {factor:.4g} Bq/mL"
    )
    return dataclasses.replace(
        blood,
        plasma=None if blood.plasma is None else blood.plasma * factor,
        whole_blood=None if blood.whole_blood is None else blood.whole_blood * factor,
        unit="Bq/mL",
        remarks=(*blood.remarks, remark),
    )


def injected_activity(fields: Mapping[str, Any], where: str = "") -> tuple[float, list[str]]:
    """Return the injected activity of a PET-BIDS sidecar [Bq], and remarks.

    Args:
        fields: The sidecar: ``InjectedRadioactivity`` and ``InjectedRadioactivityUnits``.
        where: Its name, for messages.

    Raises:
        InputError: If one of the two is missing or no activity, or ``RadionuclideTotalDose``
            [Bq], which converters add from DICOM, is another by a factor of 10 or more.
    """
    where = where or "the sidecar"
    value = number(fields, "InjectedRadioactivity", where, "MBq, kBq or Bq")
    stated = fields.get("InjectedRadioactivityUnits")
    if value is None or stated is None:
        lacking = "InjectedRadioactivity" + ("" if value is None else "Units")
        raise InputError(f"{lacking} is missing in {where}", "expected the activity", "add it")
    scale = _BECQUERELS.get(str(stated).strip())
    if scale is None:
        raise InputError(
            f"InjectedRadioactivityUnits is {stated!r} in {where}",
            f"expected one of {', '.join(_BECQUERELS)}, so spelled",
        )
    if value <= 0:
        raise InputError(f"InjectedRadioactivity is {value:g} in {where}", "expected more than 0")
    activity = value * scale
    other = number(fields, "RadionuclideTotalDose", where, "Bq")
    if other is not None and other > 0:
        ratio = max(activity / other, other / activity)
        if ratio >= _CONTRADICTION:
            raise InputError(
                f"InjectedRadioactivity is {activity:g} Bq but RadionuclideTotalDose {other:g} Bq"
                f" in {where}",
                "expected the same activity",
                "correct InjectedRadioactivityUnits or remove the field that is wrong",
            )
    remarks = [f"injected activity {value:g} {stated} ({where})"]
    begin = number(fields, "InjectionStart", where)
    if begin:
        remarks.append(
            f"injection at {begin:g} s, decay correction to TimeZero: activity taken as at TimeZero"
        )
    return activity, remarks


def body_weight(source: Path, fields: Mapping[str, Any]) -> tuple[float, list[str]]:
    """Return the body weight of a file's participant [kg], and remarks.

    ``BodyWeight`` of the sidecar comes first [kg]; else the column ``weight`` of the first
    ``participants.tsv`` in the folders above, in the unit that ``participants.json`` beside it
    gives, in kg where it gives none.

    Args:
        source: The file, named or kept as BIDS does it (``sub-01``).
        fields: Its sidecar.

    Raises:
        InputError: If neither is there, the participant is not in the table, or the value is no
            weight.
    """
    source = Path(source)
    weight = number(fields, "BodyWeight", f"the sidecar of {source.name}", "kilograms")
    if weight is not None:
        _check_weight(weight, f"BodyWeight in the sidecar of {source.name}")
        return weight, [f"body weight {weight:g} kg (sidecar)"]
    path = source.absolute()
    table = next((p / "participants.tsv" for p in path.parents if _has_table(p)), None)
    found = re.findall(r"(?:^|[/_])(sub-[0-9A-Za-z]+)(?=[/_.]|$)", path.as_posix())
    if table is None or not found:
        raise InputError(
            f"no body weight for {source.name}",
            "expected BodyWeight [kg] in the sidecar or weight in participants.tsv",
            "add it",
        )
    return _weight_in(table, found[-1])


def _has_table(folder: Path) -> bool:
    return (folder / "participants.tsv").is_file()


def _weight_in(table: Path, participant: str) -> tuple[float, list[str]]:
    columns = read_table(table)
    for name in ("participant_id", "weight"):
        if name not in columns:
            raise InputError(f"no column {name} in {table}", "expected the weight of participants")
    rows = [i for i, label in enumerate(columns["participant_id"]) if label == participant]
    if len(rows) != 1:
        raise InputError(f"{participant} is in {len(rows)} rows of {table}", "expected one")
    weight = float(column_numbers([columns["weight"][rows[0]]], "weight", table.name)[0])
    if np.isnan(weight):
        raise InputError(f"weight of {participant} is n/a in {table}", "expected a number")
    unit, source = _weight_unit(table)
    weight *= _GRAMS[unit] / 1e3
    _check_weight(weight, f"weight of {participant} in {table}")
    return weight, [f"body weight {weight:g} kg ({table.name}, {source})"]


def _weight_unit(table: Path) -> tuple[str, str]:
    """Return the unit of the weights and where it comes from."""
    about = table.with_suffix(".json")
    stated = None
    if about.exists():
        column = read_json(about).get("weight")
        stated = column.get("Units") if isinstance(column, Mapping) else None
    if stated is None:
        return "kg", "no Units: kg, as BIDS has it"
    unit = str(stated).strip().lower()
    if unit not in _GRAMS:
        raise InputError(f"weight is in {stated!r} in {about}", "expected kg or g")
    return unit, f"in {stated}"


def _check_weight(weight: float, what: str) -> None:
    if not (math.isfinite(weight) and 0 < weight <= _HEAVIEST):
        raise InputError(f"{what} is {weight:g} kg", f"expected above 0 and up to {_HEAVIEST:g} kg")
