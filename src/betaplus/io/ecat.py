"""An ECAT 7 file as a PET image.

TimeZero is the start of the scan. ECAT's axes are taken as those of a patient who lies head first
and supine (to the left, to the back, to the feet) and turned by ``patient_orientation``.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.core.limits import is_affine
from betaplus.core.units import activity_unit
from betaplus.io.dicom.nuclides import read_nuclide
from betaplus.io.ecat_file import EcatFile, read_ecat
from betaplus.io.ecat_voxels import EcatHeader, LazyEcat
from betaplus.io.images import make_image
from betaplus.io.nifti import LazyNifti

__all__ = ["load_ecat"]

_DECAY = 512  # bit of corrections_applied
_FACTOR = 0.02  # of decay factors
_LONGEST = 10.0  # half-lives from injection to scan
_SIGNS = {  # of x, y and z in the world, by patient_orientation
    0: (-1.0, 1.0, 1.0),  # feet first, prone
    1: (1.0, 1.0, -1.0),  # head first, prone
    2: (1.0, -1.0, 1.0),  # feet first, supine
    3: (-1.0, -1.0, -1.0),  # head first, supine
}


def load_ecat(
    path: str | Path,
    *,
    unit: str | None = None,
    radionuclide: str | None = None,
    decay_corrected_to: str | float | None = None,
) -> PetImage:
    """Load an ECAT 7 image; voxels are read when they are used.

    Names, identifiers and ``dosage`` (whose unit the format leaves open) are not kept.

    Args:
        path: The ``.v`` file.
        unit: Activity unit, where the file lacks ``data_units``.
        radionuclide: Radionuclide, where the file lacks it.
        decay_corrected_to: ``injection``, ``scan``, ``none`` or seconds from the start of the scan,
            where the decay factors do not say.

    Raises:
        InputError: If the file is damaged, gated, of several beds or no image, or a field is
            missing or contradicts another; the message names it.
        UsageError: If an option contradicts the file.
    """
    found = read_ecat(path)
    where = found.path.name
    remarks: list[str] = []
    fields = _about(found, remarks) | _unit(found) | _clock(found)
    if decay_corrected_to is None or "ImageDecayCorrected" in fields:
        _refuse_open_decay(found, fields)
    affine, notes = _affine(found)
    header = EcatHeader(path=found.path, affine=affine, scale=_calibration(found))
    return make_image(
        cast(LazyNifti, LazyEcat(header, found.frames)),  # slices alike, which is all that is used
        (fields, where, remarks + notes),
        unit,
        radionuclide,
        decay_corrected_to,
    )


def _about(found: EcatFile, remarks: list[str]) -> dict[str, Any]:
    main, fields = found.main, {"SourceFormat": "ECAT 7"}
    fields["ManufacturersModelName"] = f"ECAT {main['system_type']}"
    if main["radiopharmaceutical"]:
        fields["TracerName"] = main["radiopharmaceutical"]
    half_life = float(main["isotope_halflife"])
    half_life = half_life if math.isfinite(half_life) and half_life > 0.0 else 0.0
    nuclide, notes = read_nuclide(main["isotope_name"], None, half_life or None)
    remarks += [note.replace("RadionuclideCodeSequence (0054,0300)", "isotope_name")
                for note in notes]  # fmt: skip
    if nuclide is not None:
        fields["TracerRadionuclide"] = nuclide
    out: dict[str, Any] = dict(fields)
    if half_life:
        out["RadionuclideHalfLife"] = half_life
    if math.isfinite(main["patient_weight"]) and main["patient_weight"] > 0.0:
        out["PatientWeight"] = float(main["patient_weight"])
    if main["patient_sex"] in ("M", "F"):
        out["PatientSex"] = main["patient_sex"]
    return out


def _unit(found: EcatFile) -> dict[str, Any]:
    main, where = found.main, found.path.name
    stated, calibrated = main["data_units"], main["calibration_unitS"]
    if not stated:
        return {}
    unit = activity_unit(stated, f"data_units of {where}")
    if calibrated == 0:
        raise InputError(
            f"data_units is {stated} in {where} but calibration_units is 0, not calibrated",
            "expected 1 where values are calibrated",
            "export the image with its calibration",
        )
    return {"Units": unit}


def _calibration(found: EcatFile) -> float:
    factor = float(found.main["ecat_calibration_factor"])
    if not (math.isfinite(factor) and factor > 0.0):
        raise InputError(
            f"ecat_calibration_factor is {factor:g} in {found.path.name}",
            "expected a number above 0",
        )
    return factor


def _clock(found: EcatFile) -> dict[str, Any]:
    main, where, frames = found.main, found.path.name, found.frames
    scan, dose = main["scan_start_time"], main["dose_start_time"]
    fields: dict[str, Any] = {
        "FrameTimesStart": [frame.start for frame in frames],
        "FrameDuration": [frame.duration for frame in frames],
        "ScanStart": frames[0].start,
    }
    if scan > 0:
        fields["TimeZero"] = datetime.fromtimestamp(scan, UTC).strftime("%H:%M:%S")
    if min(frame.duration for frame in frames) <= 0.0:
        if len(frames) == 1:
            return {key: fields[key] for key in fields if key == "TimeZero"}
        raise InputError(f"frame_duration is 0 in {where}", "expected milliseconds above 0")
    half_life = float(main["isotope_halflife"])
    if scan > 0 and dose > 0:
        since = float(scan) - float(dose)
        if half_life > 0.0 and abs(since) > _LONGEST * half_life:
            raise InputError(
                f"dose_start_time lies {since:g} s before scan_start_time in {where}, over"
                f" {_LONGEST:g} half-lives",
                "expected the injection of the same scan",
            )
        fields["InjectionStart"] = -since
    corrected = _corrected_to(found, fields.get("InjectionStart"))
    if corrected is not None:
        fields["ImageDecayCorrected"] = True
        fields["ImageDecayCorrectionTime"] = corrected
        fields["DecayCorrectionFactor"] = [frame.decay_factor for frame in frames]
    return fields


def _corrected_to(found: EcatFile, injection: float | None) -> float | None:
    """Return what values are decay-corrected to [s], None where no factor says that they are."""
    half_life, where = float(found.main["isotope_halflife"]), found.path.name
    factors = np.array([frame.decay_factor for frame in found.frames])
    if (factors <= 1.0).all() or not half_life > 0.0:
        return None
    rate = math.log(2.0) / half_life
    start = np.array([frame.start for frame in found.frames])
    x = rate * np.array([frame.duration for frame in found.frames])
    mean = np.exp(rate * start) * x / -np.expm1(-x)
    for time in (0.0, injection):
        if time is None:
            continue
        expected = mean * math.exp(-rate * time)
        if (np.abs(factors / expected - 1.0) <= _FACTOR).all():
            return time
    raise InputError(
        f"decay_corr_fctr is {factors[-1]:.6g} in frame {found.frames[-1].number} of {where} but"
        f" times and isotope_halflife make it {mean[-1]:.6g} to the start of the scan",
        "expected the factor to the start of the scan or the injection",
        "convert the file to PET-BIDS with the times that are right",
    )


def _refuse_open_decay(found: EcatFile, fields: dict[str, Any]) -> None:
    if "ImageDecayCorrected" in fields:
        return
    bit = any(frame.corrections & _DECAY for frame in found.frames)
    said = "corrections_applied says that decay is corrected but " if bit else ""
    raise InputError(
        f"{said}decay_corr_fctr is not above 1 in any frame of {found.path.name}: it is open what"
        " values are decay-corrected to",
        "expected the factors that were applied",
        "give --decay-corrected-to",
    )


def _affine(found: EcatFile) -> tuple[np.ndarray, list[str]]:
    """Return voxel to world, with the centre of the volume where the file has it, and remarks."""
    frame, remarks = found.frames[0], []
    code = found.main["patient_orientation"]
    signs = _SIGNS.get(code)
    if signs is None:
        signs = _SIGNS[3]
        remarks.append(
            f"patient_orientation is {code} in {found.path.name}: axes taken as those of a patient"
            " who lies head first and supine"
        )
    size = np.array(frame.size)
    if size[2] == 0.0:
        size[2] = 10.0 * float(found.main["plane_separation"])
    affine = np.diag([*(np.array(signs) * size), 1.0])
    middle = 0.5 * (np.array(frame.shape) - 1.0)
    affine[:3, 3] = np.array(signs) * (np.array(frame.centre) - size * middle)
    if not ((size > 0.0).all() and is_affine(affine)):
        raise InputError(
            f"pixel sizes are {size.tolist()} mm in {found.path.name}", "expected lengths above 0"
        )
    return affine, remarks
