"""Unit of a series: Bq/mL or a type of SUV, and the factor to it.

Counts are Philips's, which states factors to SUVbw and to Bq/mL in private elements ("Philips PET
Private Group", 7053,xx00 and 7053,xx09), as the pseudo-code of QIBA reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from betaplus.core.errors import InputError
from betaplus.core.suv import SuvType
from betaplus.io.dicom.elements import called

__all__ = ["read_scale"]

_SUV_TYPES: Mapping[str, tuple[SuvType, str]] = {
    "BW": ("SUVbw", ""),
    "LBMJANMA": ("SUL", "janmahasatian"),
    "LBMJAMES128": ("SUL", "james"),
    "BSA": ("SUVbsa", ""),
}


def read_scale(common: Mapping[str, Any], where: str) -> tuple[float, dict[str, Any], list[str]]:
    """Return the factor from rescaled values to a unit, the fields that name it, and remarks.

    Args:
        common: What the slices of a series agree on.
        where: Name of the series, for messages.

    Raises:
        InputError: If the unit is unknown, or counts come without a factor.
    """
    unit = (common["Units"] or "").upper()
    if unit == "BQML":
        return 1.0, {"Units": "Bq/mL"}, []
    if unit in ("GML", "CM2ML"):
        return _suv(unit, common["SUVType"], where)
    if unit == "CNTS":
        return _counts(common, where)
    raise InputError(
        f"{called('Units')} is {unit or 'missing'} in {where}",
        "expected BQML, GML, CM2ML, or CNTS with Philips's factor",
        "take the series in Bq/mL or SUV",
    )


def _suv(unit: str, stated: str | None, where: str) -> tuple[float, dict[str, Any], list[str]]:
    kind = (stated or "").upper() or ("BSA" if unit == "CM2ML" else "BW")
    remarks = []
    if stated is None and unit == "GML":
        remarks.append(f"{called('SUVType')} missing in {where}: GML is SUVbw by default")
    if kind not in _SUV_TYPES or (kind == "BSA") != (unit == "CM2ML"):
        raise InputError(
            f"{called('SUVType')} is {kind} and {called('Units')} {unit} in {where}",
            "expected BW, LBMJANMA or LBMJAMES128 in GML, BSA in CM2ML",
            "take the series in Bq/mL",
        )
    name, formula = _SUV_TYPES[kind]
    fields = {"Units": "SUV", "SUVType": name}
    return 1.0, fields | ({"LeanBodyMass": formula} if formula else {}), remarks


def _counts(common: Mapping[str, Any], where: str) -> tuple[float, dict[str, Any], list[str]]:
    to_suv, to_activity = common["PhilipsSUV"], common["PhilipsActivity"]
    if to_activity is not None:
        fields: dict[str, Any] = {"Units": "Bq/mL"}
        if to_suv is not None:
            fields["SUVbwFactor"] = to_suv / to_activity
        return to_activity, fields, [f"counts of {where} brought to Bq/mL by (7053,xx09)"]
    if to_suv is not None:
        return (
            to_suv,
            {"Units": "SUV", "SUVType": "SUVbw"},
            [f"counts of {where} brought to SUVbw by (7053,xx00)"],
        )
    raise InputError(
        f"{called('Units')} is CNTS in {where} and Philips's factors (7053,xx00), (7053,xx09) are"
        " missing or 0",
        "expected one of them above 0",
        "take the series in Bq/mL or SUV",
    )
