"""What a file is and what is wrong with it, for ``betaplus info``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from betaplus.core.errors import BetaplusError, InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.io.blood import load_blood
from betaplus.io.dicom.files import dicom_files, is_series
from betaplus.io.dicom.series import load_dicom
from betaplus.io.dicom.voxels import LazyDicom
from betaplus.io.ecat import load_ecat
from betaplus.io.ecat_file import is_ecat
from betaplus.io.ecat_voxels import LazyEcat
from betaplus.io.frame_times import read_frames, refuse_minutes
from betaplus.io.jsons import read_sidecar
from betaplus.io.nifti import LazyNifti, open_nifti
from betaplus.io.open import load
from betaplus.io.raw.describe import describe_raw
from betaplus.io.raw.open_raw import is_raw
from betaplus.io.sidecar import (
    read_decay,
    read_injection,
    read_tracer,
    read_unit,
    time_zero_remarks,
)
from betaplus.io.suv import suv_conversion
from betaplus.io.zarr_images import LazyZarr, open_zarr

__all__ = ["describe"]

_T = TypeVar("_T")
_REQUIRED_BY_BIDS = (
    "Manufacturer",
    "ManufacturersModelName",
    "Units",
    "TracerName",
    "TracerRadionuclide",
    "InjectedRadioactivity",
    "InjectedRadioactivityUnits",
    "InjectedMass",
    "InjectedMassUnits",
    "SpecificRadioactivity",
    "SpecificRadioactivityUnits",
    "ModeOfAdministration",
    "TimeZero",
    "ScanStart",
    "InjectionStart",
    "FrameTimesStart",
    "FrameDuration",
    "AcquisitionMode",
    "ImageDecayCorrected",
    "ImageDecayCorrectionTime",
    "ReconMethodName",
    "ReconMethodParameterLabels",
    "ReconFilterType",
    "ReconFilterSize",
    "AttenuationCorrection",
)


class _Problems(list[dict[str, str]]):
    """Errors that `load` would raise and remarks, in the order they were met."""

    def add(self, level: str, text: str) -> None:
        """Note a problem once; level is ``error`` or ``remark``."""
        if {"level": level, "text": text} not in self:
            self.append({"level": level, "text": text})

    def attempt(self, step: Callable[[], _T]) -> _T | None:
        """Return what a step returns, or None after noting what it raised."""
        try:
            return step()
        except BetaplusError as error:
            self.add("error", str(error))
            return None


def describe(
    path: str | Path,
    *,
    unit: str | None = None,
    radionuclide: str | None = None,
    decay_corrected_to: str | float | None = None,
) -> dict[str, Any]:
    """Return what a file is: kind, shape, frames, unit, tracer and ``problems``.

    ``problems`` is a list of ``{"level": "error" | "remark", "text": ...}``: every error that
    `load` or reading the voxels would raise, and what is untidy. Voxels are read once.

    Raises:
        InputError: If the file does not exist or is of an unsupported kind.
    """
    path = Path(path)
    name = path.name.lower()
    options = {
        "unit": unit,
        "radionuclide": radionuclide,
        "decay_corrected_to": decay_corrected_to,
    }
    if path.exists() and is_raw(path):
        return describe_raw(path)
    if path.is_file() and name.endswith((".nii", ".nii.gz")):
        return _image(path, options)
    if path.is_dir() and name.endswith(".zarr"):
        return _image(path, options)
    if path.is_file() and name.endswith(("_blood.tsv", "_inputfunction.tsv", ".bld")):
        return _blood(path, unit)
    if path.is_file() and name.endswith((".tsv", ".tac")):
        return _tacs(path, options)
    if path.is_file() and is_ecat(path):
        return _scan(path, "ECAT 7", load_ecat, options)
    if path.exists() and is_series(path):
        if path.is_dir():
            dicom_files(path)  # a folder without any is of no kind
        return _scan(path, "DICOM", load_dicom, options)
    load(path)  # says what is wrong
    raise InputError(f"{path.name} is of an unsupported kind")


def _image(path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    problems = _Problems()
    out: dict[str, Any] = {"file": path.name, "kind": "image"}
    data = problems.attempt(lambda: open_zarr(path) if path.is_dir() else open_nifti(path))
    if data is not None:
        size = np.linalg.norm(data.header.affine[:3, :3], axis=0)
        out |= {"shape": list(data.shape), "voxel_size_mm": [round(float(v), 4) for v in size]}
        for remark in data.header.remarks:
            problems.add("remark", remark)
    stored = data.header if isinstance(data, LazyZarr) else None
    read = problems.attempt(lambda: stored.sidecar() if stored else read_sidecar(path))
    if read is not None:
        fields, where, remarks = read
        for remark in remarks:
            problems.add("remark", remark)
        n_frames = _stated_frames(data, fields)
        out |= _fields(fields, where, n_frames, options, problems)
        missing = [key for key in _REQUIRED_BY_BIDS if key not in fields]
        if fields and missing:
            problems.add("remark", f"PET-BIDS also asks for {', '.join(missing)} ({where})")
        loaded = problems.attempt(lambda: load(path, **options))
        for remark in loaded.remarks if loaded is not None else ():
            problems.add("remark", remark)
    if data is not None:
        problems.attempt(lambda: _voxels(path, data, out, problems))
    return out | {"problems": list(problems)}


def _scan(
    path: Path, kind: str, read: Callable[..., PetImage], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe an image of a format that has all in its own headers."""
    problems = _Problems()
    out: dict[str, Any] = {"file": path.name, "kind": "image", "format": kind}
    image = problems.attempt(lambda: read(path, **options))
    if image is not None:
        corrected = image.decay_corrected_to
        out |= {
            "shape": list(image.shape),
            "voxel_size_mm": [round(v, 4) for v in image.voxel_size],
            **_frames(image.frames),
            **_tracer(image.tracer),
            "unit": image.metadata.get("SUVType", image.unit),
            "injection_s": image.injection,
            "decay_corrected_to_s": "none" if corrected is None else corrected,
        }
        for remark in image.remarks:
            problems.add("remark", remark)
        try:
            out["suv_factor"] = float(suv_conversion(image).factor.flat[0])
        except BetaplusError as error:
            problems.add("remark", str(error))
        problems.attempt(lambda: _voxels(path, image.data, out, problems))
    return out | {"problems": list(problems)}


def _stated_frames(data: LazyNifti | LazyZarr | None, fields: Mapping[str, Any]) -> int:
    if data is not None:
        return data.shape[3] if data.ndim == 4 else 1
    stated = fields.get("FrameDuration")
    return len(stated) if isinstance(stated, list) else 1


def _fields(
    fields: Mapping[str, Any],
    where: str,
    n_frames: int,
    options: Mapping[str, Any],
    problems: _Problems,
) -> dict[str, Any]:
    """Read each field by itself, so that one defect does not hide the next."""

    def noted(result: tuple[Any, ...] | None) -> Any:
        if result is None:
            return None
        for remark in result[-1]:
            problems.add("remark", remark)
        return result[0]

    frames = noted(problems.attempt(lambda: read_frames(fields, n_frames, where)))
    tracer = noted(problems.attempt(lambda: read_tracer(fields, options["radionuclide"], where)))
    problems.attempt(lambda: refuse_minutes(frames, tracer, where))
    injection = noted(problems.attempt(lambda: read_injection(fields, where))) or 0.0
    for remark in time_zero_remarks(fields, where):
        problems.add("remark", remark)
    before = len(problems)
    corrected = noted(
        problems.attempt(
            lambda: read_decay(
                fields,
                options["decay_corrected_to"],
                where,
                scan_start=None if frames is None else float(frames.start[0]),
                injection=injection,
                required=n_frames > 1 or frames is not None,
            )
        )
    )
    known = len(problems) == before
    unit = problems.attempt(lambda: read_unit(fields, options["unit"], where))
    return {
        **_frames(frames),
        **_tracer(tracer),
        "unit": unit,
        "injection_s": injection,
        "decay_corrected_to_s": corrected if corrected is not None or not known else "none",
    }


def _frames(frames: FrameTiming | None) -> dict[str, Any]:
    if frames is None:
        return {"frames": None}
    return {
        "frames": {
            "count": len(frames),
            "first_start_s": float(frames.start[0]),
            "last_end_s": float(frames.end[-1]),
            "gaps": int((frames.gaps > 0.01).sum()),
            "gap_total_s": float(frames.gaps.sum()),
        }
    }


def _tracer(tracer: Tracer | None) -> dict[str, Any]:
    if tracer is None:
        return {"tracer": None}
    return {
        "tracer": {
            "name": tracer.name,
            "radionuclide": tracer.radionuclide,
            "half_life_s": tracer.half_life,
        }
    }


def _voxels(
    path: Path,
    data: LazyNifti | LazyZarr | LazyDicom | LazyEcat,
    out: dict[str, Any],
    problems: _Problems,
) -> None:
    low, high, bad = np.inf, -np.inf, 0
    alive = np.zeros(data.shape[3] if data.ndim == 4 else 1, dtype=np.bool_)
    for _, frames, voxels in data.slabs():
        with np.errstate(invalid="ignore"):  # of NaN that is to raise an alarm
            finite = np.isfinite(voxels)
            bad += int(voxels.size - finite.sum())
            low = min(low, float(voxels.min(where=finite, initial=np.inf)))
            high = max(high, float(voxels.max(where=finite, initial=-np.inf)))
            alive[frames] |= voxels.any(axis=(0, 1, 2))
    empty = (np.flatnonzero(~alive) + 1).tolist()
    if low <= high:
        out["range"] = [low, high]
    if bad:
        problems.add("error", f"{bad} values of {path.name} are NaN or infinite")
    if not alive.any():
        problems.add("error", f"{path.name} is zero everywhere")
    elif empty:
        problems.add("remark", f"frames {', '.join(map(str, empty))} are zero everywhere")


def _tacs(path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    problems = _Problems()
    out: dict[str, Any] = {"file": path.name, "kind": "curves"}
    table = problems.attempt(lambda: load(path, **options))
    if isinstance(table, TacTable):
        corrected = table.decay_corrected_to
        out |= {
            "shape": list(table.values.shape),
            "regions": list(table.names or ()),
            **_frames(table.frames),
            **_tracer(table.tracer),
            "unit": table.unit,
            "decay_corrected_to_s": "none" if corrected is None else corrected,
            "range": [float(table.values.min()), float(table.values.max())],
        }
        for remark in table.remarks:
            problems.add("remark", remark)
        for name, curve in zip(table.names or (), table.values, strict=True):
            if not curve.any():
                problems.add("remark", f"region {name} is zero in every frame")
    return out | {"problems": list(problems)}


def _blood(path: Path, unit: str | None) -> dict[str, Any]:
    problems = _Problems()
    out: dict[str, Any] = {"file": path.name, "kind": "blood"}
    blood = problems.attempt(lambda: load_blood(path, unit=unit))
    if blood is not None:
        series = {}
        for name in ("plasma", "whole_blood", "parent_fraction"):
            values = getattr(blood, name)
            if values is not None:
                known = np.isfinite(values)
                series[name] = {
                    "samples": int(known.sum()),
                    "first_s": float(blood.time[known][0]),
                    "last_s": float(blood.time[known][-1]),
                    "peak": float(values[known].max()),
                }
        out |= {
            "unit": blood.unit,
            "plasma_kind": blood.plasma_kind,
            "dispersion_corrected": blood.dispersion_corrected,
            "series": series,
        }
        for remark in blood.remarks:
            problems.add("remark", remark)
    return out | {"problems": list(problems)}
