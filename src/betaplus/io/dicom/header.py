"""One slice of a PET series: what its header says, as plain values."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.dicom import elements as el
from betaplus.io.dicom.opened import Opened

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Slice", "read_slice"]

_LARGEST = 4096  # rows or columns
_MOST = {  # nominal: beyond lies a unit that is wrong, or junk
    "ActualFrameDuration": 1e10,  # ms
    "FrameReferenceTime": 1e10,  # ms
    "DecayFactor": 1e10,
    "SliceThickness": 1e4,  # mm
    "RadionuclideHalfLife": 1e10,  # s
}
_FURTHEST = 1e6  # mm: of a slice from the origin
_LARGEST_SPACING = 1e4  # mm
_ORDERS: Mapping[str, Literal["<", ">"]] = {
    "1.2.840.10008.1.2": "<",  # implicit VR little endian
    "1.2.840.10008.1.2.1": "<",  # explicit VR little endian
    "1.2.840.10008.1.2.2": ">",  # explicit VR big endian
}
_RLE = "1.2.840.10008.1.2.5"
_GE = (0x0009, "GEMS_PETD_01")
_PHILIPS = (0x7053, "Philips PET Private Group")
_SAME_TEXT = (
    "Units",
    "DecayCorrection",
    "SUVType",
    "PatientSex",
    "CountsSource",
    "Manufacturer",
    "ManufacturerModelName",
    "AttenuationCorrectionMethod",
    "ReconstructionMethod",
    "ScatterCorrectionMethod",
    "RandomsCorrectionMethod",
    "ConvolutionKernel",
    "TimezoneOffsetFromUTC",
    "SeriesDescription",
    "DecayCorrectionDateTime",
)
_SAME_NUMBER = ("PatientWeight", "PatientSize", "NumberOfSlices", "NumberOfTimeSlices")
_SAME_DOSE = ("RadionuclideTotalDose", "RadionuclideHalfLife")
_SAME_DOSE_TEXT = (
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
    "Radiopharmaceutical",
)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One slice.

    Attributes:
        path: Its file.
        uid: SOPInstanceUID.
        frame: Which of the file's slices it is, from 0; None where the file has one.
        series: SeriesInstanceUID.
        patient: What tells patients apart; compared, never kept in an output.
        shape: Rows and columns.
        stored: Type of the stored numbers.
        offset: Where they begin in the file, None where they are run-length encoded.
        kind: SOPClassUID.
        slope: Scale of the stored numbers.
        intercept: Offset of the stored numbers.
        orientation: Direction cosines of a row and a column, shape (2, 3), LPS.
        position: Centre of the first voxel, shape (3,) [mm], LPS.
        spacing: Distance between rows and between columns [mm].
        thickness: Slice thickness [mm].
        acquired: Start of the acquisition.
        duration: Of the frame [s].
        reference_time: FrameReferenceTime [s].
        decay_factor: DecayFactor.
        order: InstanceNumber.
        common: What all slices of a series must share, by keyword.
    """

    path: Path
    uid: str
    frame: int | None
    series: str
    patient: tuple[str | None, ...]
    shape: tuple[int, int]
    stored: np.dtype
    offset: int | None
    kind: str
    slope: float
    intercept: float
    orientation: np.ndarray
    position: np.ndarray
    spacing: tuple[float, float]
    thickness: float | None
    acquired: datetime | None
    duration: float | None
    reference_time: float | None
    decay_factor: float | None
    order: float | None
    common: Mapping[str, Any]


def read_slice(opened: Opened) -> Slice:
    """Return what a header says.

    Raises:
        InputError: If an element that is needed is missing or wrong; the message names it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _read(opened)


def _read(opened: Opened) -> Slice:
    data, where = opened.data, opened.path.name
    rows, columns = (_count(data, name, where) for name in ("Rows", "Columns"))
    stored = _stored(data, where).newbyteorder(_ORDERS.get(opened.syntax, "<"))
    orientation = el.numbers(data, "ImageOrientationPatient", 6, where)
    milliseconds = _bounded(data, "ActualFrameDuration", where)
    reference = _bounded(data, "FrameReferenceTime", where)
    slope = _needed(data, "RescaleSlope", 1, where)[0]
    if slope <= 0.0:
        raise InputError(
            f"{el.called('RescaleSlope')} is {slope:g} in {where}", "expected a number above 0"
        )
    spacing = _needed(data, "PixelSpacing", 2, where)
    if min(spacing) <= 0.0 or max(spacing) > _LARGEST_SPACING:
        raise InputError(
            f"{el.called('PixelSpacing')} is {spacing} in {where}",
            f"expected lengths above 0, up to {_LARGEST_SPACING:g} mm",
        )
    position = np.array(_needed(data, "ImagePositionPatient", 3, where))
    if np.abs(position).max() > _FURTHEST:
        raise InputError(
            f"{el.called('ImagePositionPatient')} is {position.tolist()} in {where}",
            f"expected at most {_FURTHEST:g} mm from the origin",
        )
    if orientation is None:
        raise _missing("ImageOrientationPatient", where)
    return Slice(
        path=opened.path,
        uid=el.text(data, "SOPInstanceUID", where) or "",
        frame=opened.frame,
        kind=el.text(data, "SOPClassUID", where) or "",
        series=el.text(data, "SeriesInstanceUID", where) or "",
        patient=tuple(
            el.text(data, name, where)
            for name in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID")
        ),
        shape=(rows, columns),
        stored=stored,
        offset=_offset(opened, rows * columns * stored.itemsize),
        slope=slope,
        intercept=el.one_number(data, "RescaleIntercept", where) or 0.0,
        orientation=np.array(orientation).reshape(2, 3),
        position=position,
        spacing=(spacing[0], spacing[1]),
        thickness=_bounded(data, "SliceThickness", where),
        acquired=_acquired(data, where),
        duration=None if milliseconds is None else milliseconds / 1e3,
        reference_time=None if reference is None else reference / 1e3,
        decay_factor=_bounded(data, "DecayFactor", where),
        order=el.one_number(data, "InstanceNumber", where),
        common=_common(data, where),
    )


def _offset(opened: Opened, needed: int) -> int | None:
    """Return where the pixels begin, once it is clear that they are all there."""
    where = opened.path.name
    if opened.offset is None:
        raise InputError(f"{el.called('PixelData')} is missing in {where}", "expected an image")
    if opened.syntax == _RLE:
        return None
    if opened.syntax not in _ORDERS:
        from pydicom.uid import UID

        raise InputError(
            f"{where} is compressed ({UID(opened.syntax).name or 'unknown'})",
            "expected voxels that are not, or RLE",
            "decompress the series, for example with gdcmconv --raw",
        )
    before = needed * (opened.frame or 0)
    length = opened.length or 0
    if length < before + needed or opened.offset + before + needed > opened.size:
        raise InputError(
            f"{where} is truncated: {min(length, opened.size - opened.offset)} bytes of voxels",
            f"expected {before + needed}{' or more' if opened.frame is not None else ''}",
            "export it again",
        )
    return opened.offset + before


def _acquired(data: Dataset, where: str) -> datetime | None:
    found = el.moment(data, "AcquisitionDate", "AcquisitionTime", where)
    if found is not None:
        return found
    both = el.text(data, "AcquisitionDateTime", where)
    zone = el.text(data, "TimezoneOffsetFromUTC", where)
    return None if both is None else el.date_time(both, zone)


def _common(data: Dataset, where: str) -> dict[str, Any]:
    """Return what all slices of a series must share; None where it is missing."""
    from pydicom.dataset import Dataset

    found: dict[str, Any] = {name: el.text(data, name, where) for name in _SAME_TEXT}
    found |= {name: el.one_number(data, name, where) for name in _SAME_NUMBER}
    found["CorrectedImage"] = el.texts(data, "CorrectedImage", where)
    found["SeriesType"] = el.texts(data, "SeriesType", where)
    found["SeriesTime"] = el.moment(data, "SeriesDate", "SeriesTime", where)
    doses = el.items(data, "RadiopharmaceuticalInformationSequence", where)
    found["Doses"] = len(doses)
    dose = doses[0] if doses else Dataset()
    found |= {name: _bounded(dose, name, where) for name in _SAME_DOSE}
    found |= {name: el.text(dose, name, where) for name in _SAME_DOSE_TEXT}
    agents = el.items(dose, "RadiopharmaceuticalCodeSequence", where)
    if agents and found["Radiopharmaceutical"] is None:
        found["Radiopharmaceutical"] = el.text(agents[0], "CodeMeaning", where)
    codes = el.items(dose, "RadionuclideCodeSequence", where)
    found["Radionuclide"] = el.text(codes[0], "CodeMeaning", where) if codes else None
    found["RadionuclideCode"] = el.text(codes[0], "CodeValue", where) if codes else None
    found["GEScanTime"] = el.private_text(data, *_GE, 0x0D)
    found["PhilipsSUV"] = el.private_number(data, *_PHILIPS, 0x00)
    found["PhilipsActivity"] = el.private_number(data, *_PHILIPS, 0x09)
    return found


def _count(data: Dataset, keyword: str, where: str) -> int:
    value = _needed(data, keyword, 1, where)[0]
    if not 1 <= value <= _LARGEST:
        raise InputError(
            f"{el.called(keyword)} is {value:g} in {where}", f"expected 1 to {_LARGEST}"
        )
    return int(value)


def _stored(data: Dataset, where: str) -> np.dtype:
    bits, signed, samples = (
        el.one_number(data, name, where)
        for name in ("BitsAllocated", "PixelRepresentation", "SamplesPerPixel")
    )
    if bits not in (8.0, 16.0, 32.0):
        raise InputError(f"{el.called('BitsAllocated')} is {bits} in {where}", "expected 8, 16, 32")
    if samples not in (None, 1.0):
        raise InputError(f"{el.called('SamplesPerPixel')} is {samples} in {where}", "expected 1")
    return np.dtype(f"<{'i' if signed == 1.0 else 'u'}{int(bits) // 8}")


def _bounded(data: Dataset, keyword: str, where: str) -> float | None:
    """Return an element as a number of a plausible size, None where it is missing."""
    value, most = el.one_number(data, keyword, where), _MOST.get(keyword, sys.float_info.max)
    if value is not None and abs(value) > most:
        raise InputError(
            f"{el.called(keyword)} is {value:g} in {where}", f"expected at most {most:g}"
        )
    return value


def _needed(data: Dataset, keyword: str, count: int, where: str) -> tuple[float, ...]:
    found = el.numbers(data, keyword, count, where)
    if found is None:
        raise _missing(keyword, where)
    return found


def _missing(keyword: str, where: str) -> InputError:
    return InputError(f"{el.called(keyword)} is missing in {where}", "expected it in each slice")
