"""PET series written with pydicom, as the scanners of three vendors do."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage, generate_uid

ROOT = "1.2.826.0.1.3680043.10.1."
SERIES, STUDY, FRAME_OF_REFERENCE = (ROOT + n for n in ("1", "2", "3"))
F18 = 6586.2  # s, as the scanners have it
INJECTED = datetime(2024, 3, 5, 10, 0, 0)
SCANNED = datetime(2024, 3, 5, 11, 0, 0)
DOSE, WEIGHT, HEIGHT = 350e6, 72.0, 1.75
AXIAL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

Edit = Callable[[Dataset, int, int], None]


def decay_factor(since: float, duration: float, half_life: float = F18) -> float:
    """Return the factor that undoes decay over a frame to a time `since` [s] before it."""
    x = math.log(2) / half_life * duration
    return math.exp(math.log(2) / half_life * since) * x / (1 - math.exp(-x))


def tm(when: datetime) -> str:
    return when.strftime("%H%M%S.%f")


def stored_numbers(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return stored numbers, shape (X, Y, Z, T), and a slope for each slice, shape (Z, T)."""
    random = np.random.default_rng(seed)
    return (
        random.integers(0, 32767, shape).astype(np.int16),
        np.round(random.uniform(0.1, 2.0, shape[2:]), 6),
    )


def write_series(
    folder: Path,
    stored: np.ndarray,
    slopes: np.ndarray,
    *,
    starts: Any = ((0.0,),),
    durations: Any = ((180.0,),),
    decay: str = "START",
    orientation: np.ndarray = AXIAL,
    origin: tuple[float, float, float] = (-30.0, -20.0, 100.0),
    spacing: tuple[float, float] = (2.5, 2.0),
    distance: float = 3.0,
    series_time: datetime = SCANNED,
    scanned: datetime = SCANNED,
    half_life: float = F18,
    syntax: str = ExplicitVRLittleEndian,
    names: Callable[[int], str] = "IM{:04d}".format,
    edit: Edit | None = None,
) -> Path:
    """Write a series and return its folder.

    Args:
        folder: Where.
        stored: Stored numbers, shape (X, Y, Z, T).
        slopes: Their scale, shape (Z, T).
        starts: Acquisition of each slice, broadcast to (Z, T) [s after `scanned`].
        durations: Of each slice's frame [s], as `starts`.
        decay: START, ADMIN or NONE.
        orientation: Directions of a row and a column.
        origin: Position of the first slice [mm], LPS.
        spacing: Between rows and between columns [mm].
        distance: Between slices [mm].
        series_time: What SeriesDate and SeriesTime say.
        scanned: Start of the scan.
        half_life: Of the radionuclide [s].
        syntax: Transfer syntax.
        names: File name of the n-th image.
        edit: Changes (header, z, t) before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = np.broadcast_to(starts, stored.shape[2:])
    durations = np.broadcast_to(durations, stored.shape[2:])
    normal = np.cross(*orientation)
    for t in range(stored.shape[3]):
        for z in range(stored.shape[2]):
            number = t * stored.shape[2] + z
            data = header(number)
            begun = scanned + timedelta(seconds=float(starts[z, t]))
            reference = SCANNED if decay == "START" else INJECTED
            since = (begun - (scanned if decay == "START" else reference)).total_seconds()
            data.SeriesDate, data.SeriesTime = series_time.strftime("%Y%m%d"), tm(series_time)
            data.AcquisitionDate, data.AcquisitionTime = begun.strftime("%Y%m%d"), tm(begun)
            data.ActualFrameDuration = int(1e3 * durations[z, t])
            data.DecayCorrection = decay
            if decay == "NONE":
                data.CorrectedImage = ["ATTN", "SCAT", "DTIM", "NORM"]
            else:
                data.DecayFactor = f"{decay_factor(since, durations[z, t], half_life):.7g}"
            data.RadiopharmaceuticalInformationSequence[0].RadionuclideHalfLife = half_life
            data.Columns, data.Rows = stored.shape[:2]
            data.ImageOrientationPatient = [f"{v:.10f}" for v in orientation.ravel()]
            position = np.array(origin) + z * distance * normal
            data.ImagePositionPatient = [f"{v:.6f}" for v in position]
            data.PixelSpacing = list(spacing)
            data.SliceThickness = 99.0  # wrong on purpose: the distance comes from positions
            data.RescaleSlope, data.RescaleIntercept = f"{slopes[z, t]:.6f}", 0
            data.PixelData = np.ascontiguousarray(stored[:, :, z, t].T).astype("<i2").tobytes()
            data.file_meta.TransferSyntaxUID = syntax
            if edit is not None:
                edit(data, z, t)
            data.save_as(folder / names(number), enforce_file_format=True)
    return folder


def header(number: int) -> FileDataset:
    """Return the header of an FDG image, without what differs between slices."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
    meta.MediaStorageSOPInstanceUID = f"{ROOT}9.{number + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.StudyInstanceUID = SERIES, STUDY
    data.FrameOfReferenceUID = FRAME_OF_REFERENCE
    data.Modality, data.PatientID, data.PatientName = "PT", "P-0001", "Doe^Jane"
    data.Manufacturer, data.ManufacturerModelName = "SIEMENS", "Biograph64_Vision"
    data.InstanceNumber = number + 1
    data.SeriesType = ["WHOLE BODY", "IMAGE"]
    data.Units, data.CountsSource = "BQML", "EMISSION"
    data.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "NORM"]
    data.PatientWeight, data.PatientSize, data.PatientSex = WEIGHT, HEIGHT, "F"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    dose, code = Dataset(), Dataset()
    dose.RadiopharmaceuticalStartTime = tm(INJECTED)
    dose.RadionuclideTotalDose = DOSE
    dose.RadionuclideHalfLife = F18
    dose.Radiopharmaceutical = "FDG"
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-111A1", "SRT", "^18^Fluorine"
    dose.RadionuclideCodeSequence = Sequence([code])
    data.RadiopharmaceuticalInformationSequence = Sequence([dose])
    return data


def dose_of(data: Dataset) -> Dataset:
    """Return the item that holds the dose."""
    return data.RadiopharmaceuticalInformationSequence[0]


def simple(folder: Path, edit: Edit | None = None, **options: Any) -> tuple[Path, np.ndarray]:
    """Write a static series of 5 x 4 x 6 voxels; return its folder and the rescaled values."""
    stored, slopes = stored_numbers((5, 4, 6, 1))
    write_series(folder, stored, slopes, edit=edit, **options)
    return folder, (stored * slopes)[..., 0]


def first_file(folder: Path) -> Path:
    """Return the first file of a series."""
    return min(folder.glob("IM*"))


def change(path: Path, edit: Callable[[Dataset], None]) -> None:
    """Change the header of one file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong on purpose
        data = pydicom.dcmread(path)
        edit(data)
        data.save_as(path, enforce_file_format=True)


def new_uid(data: Dataset) -> None:
    """Make a header that of another image."""
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
