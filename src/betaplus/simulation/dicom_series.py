"""A simulated scan as a scanner would store it: a PET series, a file for a slice and frame."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.core.tracer import Tracer
from betaplus.io.atomic import atomic_path
from betaplus.io.dicom.elements import decimal_string
from betaplus.io.dicom.nuclides import nuclide_code
from betaplus.io.dicom.timing import mean_rate_time

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["write_dicom_series"]

_STEPS = 32767
_LPS = np.diag([-1.0, -1.0, 1.0])  # of world coordinates RAS
_ZERO = datetime(2026, 1, 1, 10)
_MADE_BY = "betaplus"
_LEAST_SLOPE = 1e-6


def write_dicom_series(folder: str | Path, image: PetImage) -> Path:
    """Write a dynamic image as a classic PET series, complete or not at all; return its folder.

    Values become 16-bit numbers with a slope for each slice and frame, so that they are off by at
    most half a step. Slices are as scanners have them: rows to the left, columns to the back.
    The patient is nobody.

    Args:
        folder: Of the series; it must not exist.
        image: Of shape (X, Y, Z, T) in Bq/mL, decay-corrected to the start of the scan, with its
            axes along those of the patient.

    Raises:
        InputError: If the image is not like that, or says nothing of dose and weight.
        OutputError: If the folder cannot be written.
    """
    frames, tracer = image.frames, image.tracer
    if frames is None or tracer is None or image.unit != "Bq/mL" or image.decay_corrected_to != 0:
        raise InputError(
            "an image without frames, tracer, Bq/mL or decay correction to the start of the scan",
            "expected a dynamic image with all of them",
        )
    data, affine = _to_lps(np.asarray(image.data, dtype=np.float64), np.asarray(image.affine))
    factors = frames.decay_factors(tracer.half_life)
    inside = [mean_rate_time(float(one), tracer.half_life) for one in frames.duration]
    moments = frames.start + inside
    common = _common(image, tracer, affine, data.shape)
    folder = Path(folder)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for t in range(data.shape[3]):
            for z in range(data.shape[2]):
                number = t * data.shape[2] + z + 1
                file = _slice(common, data[:, :, z, t].T, number)
                begun = _ZERO + timedelta(seconds=float(frames.start[t]))
                file.AcquisitionDate = begun.strftime("%Y%m%d")
                file.AcquisitionTime = begun.strftime("%H%M%S.%f")
                file.ActualFrameDuration = round(1e3 * float(frames.duration[t]))
                file.FrameReferenceTime = decimal_string(1e3 * float(moments[t]))
                file.DecayFactor = decimal_string(float(factors[t]))
                place = affine[:3] @ [0, 0, z, 1]
                file.ImagePositionPatient = [decimal_string(float(v)) for v in place]
                file.save_as(temporary / f"{number:06d}.dcm", enforce_file_format=True)
    return folder


def _to_lps(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return voxels and matrix with axes to the left, to the back and up [mm], LPS.

    Raises:
        InputError: If the axes are not along those of the patient.
    """
    affine = affine.astype(np.float64).copy()
    affine[:3] = _LPS @ affine[:3]
    if np.count_nonzero(affine[:3, :3]) > 3 or (np.diag(affine)[:3] == 0).any():
        raise InputError("an image with turned axes", "expected axes along those of the patient")
    for axis in range(3):
        if affine[axis, axis] < 0:
            data = np.flip(data, axis)
            affine[:3, 3] += (data.shape[axis] - 1) * affine[:3, axis]
            affine[axis, axis] *= -1
    return data, affine


def _common(image: PetImage, tracer: Tracer, affine: np.ndarray, shape: tuple[int, ...]) -> Dataset:
    """Return the header that all files share."""
    from pydicom.dataset import Dataset
    from pydicom.uid import PositronEmissionTomographyImageStorage, generate_uid

    missing = [k for k in ("BodyWeight", "InjectedRadioactivity") if k not in image.metadata]
    if missing:
        raise InputError(f"{missing[0]} is not known", "expected it in the image's metadata")
    data = Dataset()
    data.SOPClassUID = PositronEmissionTomographyImageStorage
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(None), generate_uid(None)
    data.FrameOfReferenceUID = generate_uid(None)
    data.Modality, data.Manufacturer = "PT", _MADE_BY
    data.ManufacturerModelName = "simulation"
    data.PatientName, data.PatientID, data.PatientBirthDate = "Nobody^Simulated", "SIM-01", ""
    data.PatientSex, data.StudyID, data.AccessionNumber = "O", "1", ""
    data.ReferringPhysicianName, data.PositionReferenceIndicator = "", ""
    data.PatientWeight = decimal_string(float(image.metadata["BodyWeight"]))
    data.PatientPosition, data.SeriesNumber = "HFS", 1
    data.SeriesDescription = "simulated dynamic PET"
    for name in ("Study", "Series"):
        setattr(data, f"{name}Date", _ZERO.strftime("%Y%m%d"))
        setattr(data, f"{name}Time", _ZERO.strftime("%H%M%S.%f"))
    data.SeriesType, data.ImageType = ["DYNAMIC", "IMAGE"], ["ORIGINAL", "PRIMARY"]
    data.NumberOfSlices, data.NumberOfTimeSlices = shape[2:]
    data.Units, data.CountsSource, data.CollimatorType = "BQML", "EMISSION", "NONE"
    data.DecayCorrection, data.CorrectedImage = "START", ["DECY", "ATTN", "SCAT", "DTIM", "NORM"]
    data.RadiopharmaceuticalInformationSequence = [_dose(image, tracer)]
    data.PatientOrientationCodeSequence = data.PatientGantryRelationshipCodeSequence = []
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    edge = np.diag(affine)[:3]
    data.PixelSpacing, data.SliceThickness = (
        [decimal_string(edge[1]), decimal_string(edge[0])],
        decimal_string(edge[2]),
    )
    data.Columns, data.Rows = shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.RescaleIntercept, data.LossyImageCompression = 0, "00"
    return data


def _dose(image: PetImage, tracer: Tracer) -> Dataset:
    from pydicom.dataset import Dataset

    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = nuclide_code(
        tracer.radionuclide
    )
    item.RadionuclideCodeSequence = [code]
    item.RadionuclideHalfLife = decimal_string(tracer.half_life)
    item.RadionuclideTotalDose = decimal_string(float(image.metadata["InjectedRadioactivity"]))
    item.Radiopharmaceutical = tracer.name or tracer.radionuclide
    when = _ZERO + timedelta(seconds=float(image.injection))
    item.RadiopharmaceuticalStartDateTime = when.strftime("%Y%m%d%H%M%S.%f")
    item.RadiopharmaceuticalStartTime = when.strftime("%H%M%S.%f")
    return item


def _slice(common: Dataset, values: np.ndarray, number: int) -> Any:
    """Return a file of values (rows, columns), but for its time and place."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = common.SOPClassUID
    meta.MediaStorageSOPInstanceUID = generate_uid(None)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.update(common)
    file.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    file.InstanceNumber = file.ImageIndex = number
    slope = max(float(decimal_string(float(np.abs(values).max()) / _STEPS)), _LEAST_SLOPE)
    file.RescaleSlope = decimal_string(slope)
    stored = np.clip(np.rint(values / slope), -_STEPS, _STEPS)
    file.PixelData = stored.astype("<i2").tobytes()
    return file
