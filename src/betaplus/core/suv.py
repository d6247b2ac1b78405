"""Standardised uptake values: activity concentration over dose per body size, always by its name.

SUVbw is normalised to body weight, SUL to lean body mass, SUVbsa to body surface area. The dose is
the one administered, decayed to the time that the voxel values are corrected to: QIBA Profile
FDG-PET/CT (RSNA), appendix with vendor-neutral pseudo-code for SUV.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from betaplus.core.errors import InputError, UsageError

__all__ = [
    "SUV_TYPES",
    "SUV_UNITS",
    "LeanMass",
    "Sex",
    "SuvBasis",
    "SuvType",
    "body_size",
    "body_surface_area",
    "lean_body_mass",
    "suv_factor",
    "suv_type",
]

SuvType = Literal["SUVbw", "SUL", "SUVbsa"]
LeanMass = Literal["janmahasatian", "james"]
Sex = Literal["M", "F"]

SUV_TYPES: tuple[SuvType, ...] = get_args(SuvType)
SUV_UNITS: Mapping[SuvType, str] = {"SUVbw": "g/mL", "SUL": "g/mL", "SUVbsa": "cm2/mL"}
"""Units of the values, as DICOM names them (PS3.3 C.8.9.1.1.3)."""

_LEAST_DOSE = 3e4  # Bq/kg, nominal: below lies a dose in kBq or MBq, not one that was imaged
_LARGEST_DOSE = 2e10  # Bq, nominal
_MOST_DOSE = 3e9  # Bq/kg, nominal: a mouse is given up to about 1e9
_WEIGHTS = (0.01, 500.0)  # kg, nominal: from a mouse on
_HEIGHTS = (0.25, 2.6)  # m, nominal
_HALF_LIVES = 20.0  # of decay before the scan: nothing is left to image
_OPTIONS = ("dose", "weight")  # of verbs


@dataclass(frozen=True, kw_only=True)
class SuvBasis:
    """What an SUV is made from; None where it is not known.

    Attributes:
        dose: Activity administered, at the time of administration [Bq].
        elapsed: From administration to the time that voxel values are decay-corrected to [s];
            0 where they are corrected to administration, negative where to before it.
        half_life: Half-life of the radionuclide [s]; not needed if `elapsed` is 0.
        weight: Body weight [kg].
        height: Body height [m].
        sex: ``M`` or ``F``.
        names: How the source calls these, for messages.
        where: The source, for messages.
    """

    dose: float | None = None
    elapsed: float | None = None
    half_life: float | None = None
    weight: float | None = None
    height: float | None = None
    sex: Sex | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    where: str = ""

    def need(self, name: str, expected: str) -> float:
        """Return a number that must be known.

        Raises:
            InputError: If it is not; the message says what the source calls it.
        """
        value = getattr(self, name)
        if value is None:
            todo = f"add it or give --{name}" if name in _OPTIONS else "add it"
            raise self.fault(name, "is missing", expected, todo)
        return float(value)

    def fault(self, name: str, found: str, expected: str, todo: str = "") -> InputError:
        """Return the error that one of the values is."""
        place = f" in {self.where}" if self.where else ""
        called = self.names.get(name, name)
        return InputError(f"{called} {found}{place}: no SUV", expected, todo)


def suv_type(text: str) -> SuvType:
    """Return the name of a type of SUV.

    Raises:
        UsageError: If it is none, plain ``SUV`` included.
    """
    for name in SUV_TYPES:
        if text.strip().lower() == name.lower():
            return name
    raise UsageError(f"type of SUV {text!r}", f"expected one of {', '.join(SUV_TYPES)}")


def suv_factor(kind: SuvType, basis: SuvBasis, lean_mass: LeanMass = "janmahasatian") -> float:
    """Return the factor that turns Bq/mL into an SUV, in units of `SUV_UNITS` per Bq/mL.

    Args:
        kind: Type of SUV.
        basis: Dose, times and body.
        lean_mass: Formula of the lean body mass, for ``SUL``.

    Raises:
        InputError: If something that this type needs is missing or cannot be right.
    """
    return body_size(kind, basis, lean_mass) / _decayed_dose(basis)


def body_size(kind: SuvType, basis: SuvBasis, lean_mass: LeanMass = "janmahasatian") -> float:
    """Return what the dose is spread over: weight or lean mass [g], or surface area [cm2].

    Raises:
        InputError: If weight, height or sex is needed and missing or cannot be right.
    """
    weight = basis.need("weight", "expected the body weight in kg")
    if not _WEIGHTS[0] <= weight <= _WEIGHTS[1]:
        raise basis.fault("weight", f"is {weight:g}", "expected the body weight in kg")
    if kind == "SUVbw":
        return 1e3 * weight
    height = basis.need("height", "expected the body height in m")
    if not _HEIGHTS[0] <= height <= _HEIGHTS[1]:
        raise basis.fault("height", f"is {height:g}", "expected the body height in m")
    if kind == "SUVbsa":
        return 1e4 * body_surface_area(weight, height)
    if basis.sex is None:
        raise basis.fault("sex", "is missing", "expected M or F", "add it")
    mass = lean_body_mass(weight, height, basis.sex, lean_mass)
    if not 0.0 < mass <= weight:
        raise basis.fault(
            "weight",
            f"makes a lean mass of {mass:.3g} kg of {weight:g} kg and {height:g} m ({lean_mass})",
            "expected less than the weight and above 0",
            "use another formula",
        )
    return 1e3 * mass


def lean_body_mass(
    weight: float, height: float, sex: Sex, formula: LeanMass = "janmahasatian"
) -> float:
    """Return the lean body mass [kg].

    Janmahasatian et al., Clin Pharmacokinet 2005;44:1051, which PERCIST uses since it does not fall
    again in the obese; or James, Research on Obesity (HMSO) 1976, as DICOM's LBMJAMES128.

    Args:
        weight: Body weight [kg].
        height: Body height [m].
        sex: ``M`` or ``F``.
        formula: Which of the two.
    """
    if formula == "janmahasatian":
        bmi = weight / height**2
        base, slope = (6680.0, 216.0) if sex == "M" else (8780.0, 244.0)
        return 9270.0 * weight / (base + slope * bmi)
    linear, square = (1.10, 128.0) if sex == "M" else (1.07, 148.0)
    return linear * weight - square * (weight / (100.0 * height)) ** 2


def body_surface_area(weight: float, height: float) -> float:
    """Return the body surface area [m2] by Du Bois and Du Bois, Arch Intern Med 1916;17:863.

    Args:
        weight: Body weight [kg].
        height: Body height [m].
    """
    return 0.007184 * weight**0.425 * (100.0 * height) ** 0.725


def _decayed_dose(basis: SuvBasis) -> float:
    """Return the dose at the time that voxel values are corrected to [Bq]."""
    dose = basis.need("dose", "expected the activity administered in Bq")
    weight = basis.need("weight", "expected the body weight in kg")
    if not (math.isfinite(dose) and dose > 0.0):
        raise basis.fault("dose", f"is {dose:g}", "expected the activity administered in Bq")
    if dose < _LEAST_DOSE * weight:
        unit = "kBq" if 1e3 * dose >= _LEAST_DOSE * weight else "MBq"
        raise basis.fault(
            "dose",
            f"is {dose:g} Bq for {weight:g} kg",
            f"expected it in Bq but it looks like {unit}",
            "correct it or its unit",
        )
    if dose > _LARGEST_DOSE:
        raise basis.fault("dose", f"is {dose:g} Bq", f"expected at most {_LARGEST_DOSE:g} Bq")
    if dose > _MOST_DOSE * weight:
        raise basis.fault(
            "weight",
            f"is {weight:g} kg for a dose of {dose:g} Bq",
            "expected the body weight in kg and the dose in Bq",
            "correct the one that is wrong",
        )
    elapsed = basis.need("elapsed", "expected the time of administration")
    if elapsed == 0.0:
        return dose
    half_life = basis.need("half_life", "expected the half-life in s")
    if not (math.isfinite(half_life) and half_life > 0.0):
        raise basis.fault("half_life", f"is {half_life:g}", "expected the half-life in s")
    if abs(elapsed) > _HALF_LIVES * half_life:
        raise basis.fault(
            "elapsed",
            f"lies {elapsed:g} s before the time of decay correction, over {_HALF_LIVES:g}"
            f" half-lives of {half_life:g} s",
            "expected one that leaves activity to image",
            "check dates and times",
        )
    return dose * math.exp2(-elapsed / half_life)
