"""A DICOM series as a PET image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.core.tracer import HALF_LIVES
from betaplus.io.dicom.common import agreed, read_series
from betaplus.io.dicom.elements import called
from betaplus.io.dicom.frames import frame_fields, sort_frames
from betaplus.io.dicom.geometry import stack
from betaplus.io.dicom.header import Slice
from betaplus.io.dicom.nuclides import read_nuclide
from betaplus.io.dicom.scale import read_scale
from betaplus.io.dicom.timing import SeriesTimes, read_times
from betaplus.io.dicom.voxels import LazyDicom, SeriesHeader
from betaplus.io.images import make_image
from betaplus.io.nifti import LazyNifti

__all__ = ["Series", "load_dicom", "read_whole"]

_CARRIED = {
    "Manufacturer": "Manufacturer",
    "ManufacturerModelName": "ManufacturersModelName",
    "Radiopharmaceutical": "TracerName",
    "ReconstructionMethod": "ReconMethodName",
    "AttenuationCorrectionMethod": "AttenuationCorrection",
    "ScatterCorrectionMethod": "ScatterCorrectionMethod",
    "RandomsCorrectionMethod": "RandomsCorrectionMethod",
    "ConvolutionKernel": "ConvolutionKernel",
    "PatientWeight": "PatientWeight",
    "PatientSize": "PatientSize",
    "PatientSex": "PatientSex",
    "RadionuclideTotalDose": "InjectedRadioactivity",
    "CorrectedImage": "CorrectedImage",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Series:
    """A whole series: its slices in order, where they lie and when they were.

    Attributes:
        folder: Where its files are.
        where: Its name, for messages.
        frames: The slices of every frame, by position.
        affine: Voxel to world matrix, shape (4, 4), RAS [mm].
        common: What all slices agree on.
        about: Fields of PET-BIDS that say what was scanned and how.
        times: Its clock.
        remarks: What was left out or taken for granted.
    """

    folder: Path
    where: str
    frames: list[list[Slice]]
    affine: np.ndarray
    common: Mapping[str, Any]
    about: dict[str, Any]
    times: SeriesTimes
    remarks: tuple[str, ...]


def read_whole(path: str | Path, *, decay_option: bool = False) -> Series:
    """Read the headers of the one PET series of a folder, or of the series a file belongs to.

    Args:
        path: The folder, or the file.
        decay_option: Whether the user says what values are decay-corrected to.

    Raises:
        InputError: If the files are no whole PET series, or a header is missing something,
            contradicts itself or another; the message names the element and the file.
    """
    path = Path(path)
    slices, remarks = read_series(path)
    folder = path if path.is_dir() else path.parent
    where = folder.name or str(folder)
    common = agreed(slices)
    places, affine = stack(slices)
    frames = sort_frames(places, common, where)
    about = _about(common, where, remarks)
    times = read_times(slices, common, where, decay_option=decay_option)
    return Series(
        folder=folder,
        where=where,
        frames=frames,
        affine=affine,
        common=common,
        about=about,
        times=times,
        remarks=tuple(remarks),
    )


def load_dicom(
    path: str | Path,
    *,
    unit: str | None = None,
    radionuclide: str | None = None,
    decay_corrected_to: str | float | None = None,
) -> PetImage:
    """Load a DICOM series of PET; voxels are read when they are used.

    TimeZero is the start of the scan. What the headers say stands in the metadata under the names
    of PET-BIDS (and, for the body, PatientWeight [kg], PatientSize [m], PatientSex). Names, dates
    and identifiers are not kept.

    Args:
        path: A folder with one PET series, or a file of the series that is meant.
        unit: Activity unit; it can only confirm what the series says.
        radionuclide: Radionuclide, where the series lacks it.
        decay_corrected_to: ``injection``, ``scan``, ``none`` or seconds from TimeZero, where the
            series lacks ``DecayCorrection``.

    Raises:
        InputError: If the files are no whole PET series, or a header is missing something,
            contradicts itself or another; the message names the element and the file.
        UsageError: If an option contradicts the series.
    """
    series = read_whole(path, decay_option=decay_corrected_to is not None)
    common, where, frames, times = series.common, series.where, series.frames, series.times
    remarks = list(series.remarks)
    scale, fields, notes = read_scale(common, where)
    remarks += notes
    offsets = [one for frame in frames for one in frame if one.intercept != 0.0]
    if offsets:
        remarks.append(
            f"{called('RescaleIntercept')} is {offsets[0].intercept:g} in {offsets[0].path.name}:"
            " added, although PET has none"
        )
    fields |= series.about | _clock(times, remarks) | frame_fields(frames, times)
    header = SeriesHeader(path=series.folder, affine=series.affine, remarks=(), scale=scale)
    return make_image(
        cast(LazyNifti, LazyDicom(header, frames)),  # slices alike, and that is all that is used
        (fields, where, remarks),
        unit,
        radionuclide,
        decay_corrected_to,
    )


def _about(common: Mapping[str, Any], where: str, remarks: list[str]) -> dict[str, Any]:
    if common["Doses"] > 1:
        raise InputError(
            f"{called('RadiopharmaceuticalInformationSequence')} has {common['Doses']} items in"
            f" {where}",
            "expected one tracer",
        )
    fields = {
        ours: common[name] for name, ours in _CARRIED.items() if common[name] not in (None, [])
    }
    for name in ("PatientWeight", "PatientSize", "InjectedRadioactivity"):
        if fields.get(name) == 0.0:
            del fields[name]  # how scanners write "not known"
    if "InjectedRadioactivity" in fields:
        fields |= {"InjectedRadioactivityUnits": "Bq"}
    half_life = common["RadionuclideHalfLife"]
    if half_life is not None and half_life <= 0.0:
        raise InputError(
            f"{called('RadionuclideHalfLife')} is {half_life:g} in {where}", "expected seconds"
        )
    nuclide, notes = read_nuclide(common["Radionuclide"], common["RadionuclideCode"], half_life)
    remarks += notes
    if nuclide is not None:
        if half_life and abs(half_life / HALF_LIVES[nuclide] - 1.0) > 0.05:
            raise InputError(
                f"{called('RadionuclideHalfLife')} is {half_life:g} s in {where} but {nuclide} has"
                f" {HALF_LIVES[nuclide]:g} s",
                "expected the half-life in seconds",
            )
        fields["TracerRadionuclide"] = nuclide
    if half_life:
        fields["RadionuclideHalfLife"] = half_life
    return {"SourceFormat": "DICOM", **fields}


def _clock(times: SeriesTimes, remarks: list[str]) -> dict[str, Any]:
    remarks += times.remarks
    fields: dict[str, Any] = {"TimeZero": times.zero.strftime("%H:%M:%S")}
    if times.rule not in ("SeriesTime", "acquisition"):
        remarks.append(f"SeriesTime is after the acquisition: start of the scan from {times.rule}")
    if times.injection is not None:
        fields["InjectionStart"] = times.seconds(times.injection)
    if times.is_corrected is not None:
        fields["ImageDecayCorrected"] = times.is_corrected
    if times.corrected_to is not None:
        fields["ImageDecayCorrectionTime"] = times.seconds(times.corrected_to)
    return fields
