"""Units: read, never guessed, and converted in this one place.

Time is seconds at every boundary; rate constants are per minute, K1 and Ki in mL/cm3/min.
"""

from __future__ import annotations

from typing import Any

from betaplus.core.errors import InputError

__all__ = [
    "PARAMETER_UNITS",
    "SECONDS_PER_MINUTE",
    "activity_factor",
    "activity_unit",
    "convert_activity",
]

SECONDS_PER_MINUTE = 60.0

_BQ_PER_ML = {"Bq/mL": 1.0, "kBq/mL": 1e3, "MBq/mL": 1e6}
_SPELLINGS = {name.lower(): name for name in _BQ_PER_ML} | {
    "bq/cc": "Bq/mL",
    "bq/cm3": "Bq/mL",
    "bqml": "Bq/mL",
    "kbq/cc": "kBq/mL",
    "kbq/cm3": "kBq/mL",
    "bq.ml-1": "Bq/mL",
    "kbq.ml-1": "kBq/mL",
    "suv": "SUV",
    "g/ml": "SUV",
}

PARAMETER_UNITS = {
    "K1": "mL/cm3/min",
    "k2": "1/min",
    "k3": "1/min",
    "k4": "1/min",
    "VB": "1",
    "Ki": "mL/cm3/min",
    "VT": "mL/cm3",
    "V0": "mL/cm3",
    "intercept": "min",
    "R1": "1",
    "BPND": "1",
    "DVR": "1",
    "SUVR": "1",
    "F": "mL/cm3/min",
    "CMRglc": "umol/100 cm3/min",
    "t_star": "s",
    "delay": "s",
    "noise": "sqrt(Bq/mL min)",
}


def activity_unit(text: object, where: str) -> str:
    """Return the canonical name of an activity unit: ``Bq/mL``, ``kBq/mL``, ``MBq/mL`` or ``SUV``.

    Args:
        text: The unit as a file or an option spells it.
        where: The file and field, for the message.

    Raises:
        InputError: If the unit is missing or unknown.
    """
    name = _SPELLINGS.get(str(text).strip().replace(" ", "").lower())
    if name is None:
        raise InputError(
            f"unit {text!r} in {where} is unknown",
            "expected Bq/mL, kBq/mL, MBq/mL or SUV",
            "correct it",
        )
    return name


def activity_factor(source: str, target: str) -> float:
    """Return the factor that turns `source` activity concentrations into `target`.

    Raises:
        InputError: If only one of the two is SUV: that needs the dose and the weight.
    """
    if source == target:
        return 1.0
    if source not in _BQ_PER_ML or target not in _BQ_PER_ML:
        raise InputError(
            f"cannot convert {source} to {target}",
            "expected both in Bq/mL or kBq/mL, or both in SUV",
            "convert the curves to one unit first",
        )
    return _BQ_PER_ML[source] / _BQ_PER_ML[target]


def convert_activity(values: Any, source: str, target: str) -> Any:
    """Return `values` given in `source` as `target`; the same array where nothing changes."""
    factor = activity_factor(source, target)
    return values if factor == 1.0 else values * factor
