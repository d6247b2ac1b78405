"""From activity to SUV and back, with a record of what the factor was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.suv import (
    SUV_TYPES,
    SUV_UNITS,
    LeanMass,
    SuvBasis,
    SuvType,
    body_size,
    suv_factor,
)
from betaplus.core.units import activity_factor
from betaplus.io.suv_fields import read_basis
from betaplus.io.suv_voxels import ScaledVoxels

__all__ = ["SuvConversion", "from_suv", "suv_conversion", "to_suv"]

_AGREE = 0.05  # between the scanner's own factor and the one from dose and weight


@dataclass(frozen=True, eq=False, kw_only=True)
class SuvConversion:
    """How the values of an image become SUV.

    Attributes:
        kind: Type of SUV.
        unit: Unit of the image.
        factor: SUV per `unit`, shape () or, for frames that are not decay-corrected, (T,).
        decay_corrected_to: Time that the SUV is decay-corrected to [s from TimeZero].
        basis: Dose, times and body it was made from; None where the image held SUV already.
        lean_mass: Formula of the lean body mass.
        source: Where the factor comes from.
        remarks: What was found untidy and what was done about it.
    """

    kind: SuvType
    unit: str
    factor: np.ndarray
    decay_corrected_to: float | None = None
    basis: SuvBasis | None = None
    lean_mass: LeanMass = "janmahasatian"
    source: str = ""
    remarks: tuple[str, ...] = field(default_factory=tuple)

    def record(self) -> dict[str, Any]:
        """Return what the conversion was made from, for a sidecar or ``run.json``."""
        basis = self.basis
        made: dict[str, Any] = {
            "SUVType": self.kind,
            "SUVUnits": SUV_UNITS[self.kind],
            "SourceUnits": self.unit,
            "SUVFactor": self.factor.tolist(),
            "SUVFactorFrom": self.source,
        }
        if basis is not None:
            made |= {
                "InjectedRadioactivity_Bq": basis.dose,
                "SecondsFromInjectionToDecayCorrection": basis.elapsed,
                "HalfLife_s": basis.half_life,
                "BodyWeight_kg": basis.weight,
            }
            if self.kind != "SUVbw":
                made["BodyHeight_m"] = basis.height
            if self.kind == "SUL":
                made |= {"Sex": basis.sex, "LeanBodyMass": self.lean_mass}
        return {key: value for key, value in made.items() if value is not None}


def suv_conversion(
    image: PetImage,
    kind: SuvType = "SUVbw",
    *,
    dose: float | None = None,
    weight: float | None = None,
    height: float | None = None,
    sex: str | None = None,
    lean_mass: LeanMass = "janmahasatian",
) -> SuvConversion:
    """Return how the values of an image become SUV.

    Args:
        image: In Bq/mL, kBq/mL, MBq/mL or SUV; its sidecar (or what DICOM said) gives the rest.
        kind: ``SUVbw``, ``SUL`` or ``SUVbsa``.
        dose: Activity administered [Bq], where it is not stated.
        weight: Body weight [kg], where it is not stated.
        height: Body height [m], where it is not stated; for ``SUL`` and ``SUVbsa``.
        sex: ``M`` or ``F``, where it is not stated; for ``SUL``.
        lean_mass: Formula of the lean body mass; see `betaplus.core.suv.lean_body_mass`.

    Raises:
        InputError: If no SUV is possible: the message names the field that is missing or wrong.
        UsageError: If an option contradicts a field.
    """
    if kind not in SUV_TYPES:
        raise UsageError(f"type of SUV {kind!r}", f"expected one of {', '.join(SUV_TYPES)}")
    if image.unit == "SUV":
        where = image.source.name if image.source else "the image"
        have, remarks = _stated_type(image.metadata, kind, where)
        factor, source = 1.0, f"image holds {have}"
        if have != kind:
            basis, notes = read_basis(image, weight=weight, height=height, sex=sex)
            factor = body_size(kind, basis, lean_mass) / body_size(have, basis, lean_mass)
            remarks += notes
        return SuvConversion(
            kind=kind,
            unit=image.unit,
            factor=np.float64(factor) * np.ones(()),
            decay_corrected_to=image.decay_corrected_to,
            source=source,
            lean_mass=lean_mass,
            remarks=tuple(remarks),
        )
    basis, remarks = read_basis(image, dose=dose, weight=weight, height=height, sex=sex)
    _refuse_uncorrected(image.metadata, basis.where)
    scanner = image.metadata.get("SUVbwFactor") if kind == "SUVbw" else None
    source = "dose, weight and times"
    if scanner is not None:
        per_bq, source = _scanner_factor(float(scanner), basis), "scanner's SUV factor (7053,1000)"
    else:
        per_bq = suv_factor(kind, basis, lean_mass)
    decay, corrected = _decay(image, basis)
    return SuvConversion(
        kind=kind,
        unit=image.unit,
        factor=np.asarray(per_bq * activity_factor(image.unit, "Bq/mL") * decay),
        decay_corrected_to=corrected,
        basis=basis,
        lean_mass=lean_mass,
        source=source,
        remarks=tuple(remarks),
    )


def to_suv(image: PetImage, conversion: SuvConversion) -> PetImage:
    """Return an image in SUV: voxels are read when they are used.

    The sidecar names the type (``SUVType``) and holds the record of the conversion.
    """
    metadata = {
        **image.metadata,
        "SUVType": conversion.kind,
        "SUVConversion": conversion.record(),
    }
    return replace(
        image,
        data=ScaledVoxels(image.data, conversion.factor),
        unit="SUV",
        decay_corrected_to=conversion.decay_corrected_to,
        metadata=metadata,
        remarks=(*image.remarks, *conversion.remarks),
    )


def from_suv(data: Any, like: PetImage, conversion: SuvConversion) -> PetImage:
    """Return values in SUV as an image in the unit and decay correction of the one they came from.

    Args:
        data: SUV, shape of `like`; an array or anything that slices like one.
        like: The image before `to_suv`.
        conversion: What `to_suv` was given.

    Raises:
        InputError: If the shape is not that of `like`.
    """
    if tuple(data.shape) != like.shape:
        raise InputError(f"SUV of shape {tuple(data.shape)}", f"expected {like.shape}")
    return replace(like, data=ScaledVoxels(data, 1.0 / conversion.factor))


def _stated_type(fields: Mapping[str, Any], kind: SuvType, where: str) -> tuple[SuvType, list[str]]:
    """Return the type of SUV that an image holds, and remarks."""
    stated = fields.get("SUVType")
    if stated is None:
        if kind == "SUVbw":
            return "SUVbw", [f"SUVType is missing in {where}: taken as SUVbw"]
        raise InputError(
            f"SUVType is missing in {where}: no {kind}",
            f"expected one of {', '.join(SUV_TYPES)}",
            "add it",
        )
    for name in SUV_TYPES:
        if stated == name:
            return name, []
    raise InputError(f"SUVType is {stated!r} in {where}", f"expected one of {', '.join(SUV_TYPES)}")


def _scanner_factor(stated: float, basis: SuvBasis) -> float:
    """Return the scanner's own factor, which QIBA prefers, checked where all else is known."""
    try:
        computed = suv_factor("SUVbw", basis)
    except InputError:
        return stated
    if abs(stated / computed - 1.0) > _AGREE:
        raise InputError(
            f"the scanner's SUV factor (7053,1000) gives {stated:.6g} SUVbw per Bq/mL but dose,"
            f" weight and times give {computed:.6g} in {basis.where}",
            "expected the same within 5 %",
            "correct the header that is wrong",
        )
    return stated


def _refuse_uncorrected(fields: Mapping[str, Any], where: str) -> None:
    """Refuse an image whose DICOM header says that it is not corrected for attenuation."""
    done = fields.get("CorrectedImage")
    if isinstance(done, list) and "ATTN" not in done:
        raise InputError(
            f"CorrectedImage (0028,0051) is {', '.join(map(str, done)) or 'empty'} in {where}:"
            " no SUV",
            "expected ATTN among them",
            "take the series that is corrected for attenuation",
        )


def _decay(image: PetImage, basis: SuvBasis) -> tuple[np.ndarray, float | None]:
    """Return the decay correction still to do, shape () or (T,), and the time it leads to."""
    if image.decay_corrected_to is not None:
        return np.ones(()), image.decay_corrected_to
    if image.frames is None:
        raise InputError(
            f"ImageDecayCorrected is missing or false in {basis.where} and there are no frame"
            " times: no SUV",
            "expected ImageDecayCorrectionTime, or FrameTimesStart and FrameDuration",
        )
    if "SliceTimesStart" in image.metadata:
        raise InputError(
            f"{basis.where} is not decay-corrected and its slices are of different times: no SUV",
            "expected a series with decay correction",
        )
    half_life = basis.need("half_life", "expected the half-life in s")
    injected = basis.need("elapsed", "expected the time of administration") + image.injection
    factors = image.frames.decay_factors(half_life) * np.exp2(-injected / half_life)
    return (factors if len(image.shape) == 4 else factors[0] * np.ones(())), injected
