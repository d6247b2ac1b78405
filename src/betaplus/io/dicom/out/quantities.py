"""Codes of what a map holds: its unit in UCUM, its quantity, and which statistic of it.

DICOM codes few quantities of tracer kinetics; the others have a private scheme of betaplus, whose
meaning is written out beside each code.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SCHEME", "Code", "map_unit", "quantity", "statistic"]

SCHEME = "99BETAPLUS"


class Code(NamedTuple):
    """A code of DICOM: value, scheme and meaning."""

    value: str
    scheme: str
    meaning: str


_UNITS = {
    "1": Code("1", "UCUM", "no units"),
    "n/a": Code("1", "UCUM", "no units"),
    "relative": Code("1", "UCUM", "no units"),
    "1/min": Code("/min", "UCUM", "/min"),
    "min": Code("min", "UCUM", "minute"),
    "s": Code("s", "UCUM", "second"),
    "mL/cm3": Code("mL/cm3", "UCUM", "mL/cm3"),
    "mL/cm3/min": Code("mL/cm3/min", "UCUM", "mL/cm3/min"),
    "umol/100 cm3/min": Code("umol/(100.cm3)/min", "UCUM", "umol/100 cm3/min"),
    "Bq/mL": Code("Bq/ml", "UCUM", "Becquerels/milliliter"),
    "kBq/mL": Code("kBq/ml", "UCUM", "Kilobecquerels/milliliter"),
    "SUVbw": Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight"),
    "SUVbsa": Code("cm2/ml{SUVbsa}", "UCUM", "Standardized Uptake Value body surface area"),
    "SUL": Code("g/ml{SUVlbm}", "UCUM", "Standardized Uptake Value lean body mass"),
}
_QUANTITIES = {
    "K1": "K1, rate of transport from blood to tissue",
    "k2": "k2, rate of return from tissue to blood",
    "k3": "k3, rate of binding or trapping",
    "k4": "k4, rate of release",
    "VB": "VB, fraction of blood in tissue",
    "Ki": "Ki, net influx rate",
    "VT": "VT, volume of distribution",
    "V0": "V0, intercept of the Patlak plot",
    "R1": "R1, K1 relative to the reference region",
    "BPND": "BPND, binding potential",
    "DVR": "DVR, ratio of volumes of distribution",
    "SUVR": "SUVR, ratio of SUV to the reference region",
    "F": "F, blood flow",
    "CMRglc": "CMRglc, metabolic rate of glucose",
    "ess": "effective sample size",
    "status": "how the fit of each voxel went",
    "activity": "activity concentration",
}
_STATISTICS = {
    "mean": Code("373098007", "SCT", "Mean"),
    "std": Code("386136009", "SCT", "Standard Deviation"),
    "median": Code("373099004", "SCT", "Median"),
    "q05": Code("q05", SCHEME, "5 % quantile"),
    "q95": Code("q95", SCHEME, "95 % quantile"),
}


def map_unit(unit: str) -> Code:
    """Return the code of a unit; of one that is not listed, the unit itself as UCUM text."""
    return _UNITS.get(unit, Code(unit.replace(" ", "")[:16], "UCUM", unit))


def quantity(name: str) -> Code:
    """Return the code of what a map is of, such as ``Ki`` or ``chi2``."""
    if name == "chi2":
        return Code("126221", "DCM", "Chi-square")
    return Code(name[:16], SCHEME, _QUANTITIES.get(name, name))


def statistic(name: str) -> Code | None:
    """Return the code of a statistic (``mean``, ``std``, ``q05``), None of one that is none."""
    return _STATISTICS.get(name)
