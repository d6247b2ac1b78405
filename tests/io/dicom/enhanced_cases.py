"""Enhanced PET images written with pydicom, element by element as DICOM PS3.3 A.56 has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedPETImageStorage, ExplicitVRLittleEndian, generate_uid
from tests.io.dicom.cases import (
    AXIAL,
    DOSE,
    F18,
    FRAME_OF_REFERENCE,
    HEIGHT,
    INJECTED,
    SCANNED,
    SERIES,
    STUDY,
    WEIGHT,
    decay_factor,
)

Edit = Callable[[Dataset], None]


def dt(when: datetime) -> str:
    return when.strftime("%Y%m%d%H%M%S.%f")


def item(**elements: Any) -> Dataset:
    """Return a data set of elements."""
    data = Dataset()
    for name, value in elements.items():
        setattr(data, name, value)
    return data


def one(**elements: Any) -> Sequence:
    """Return a sequence of one item."""
    return Sequence([item(**elements)])


def code(value: str, scheme: str, meaning: str) -> Sequence:
    name = "CodeValue" if len(value) <= 16 else "LongCodeValue"
    return one(**{name: value}, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def mapping(unit: str, slope: float, intercept: float = 0.0) -> Dataset:
    """Return a real world value mapping to a unit (UCUM)."""
    return item(
        RealWorldValueFirstValueMapped=-32768,
        RealWorldValueLastValueMapped=32767,
        RealWorldValueSlope=slope,
        RealWorldValueIntercept=intercept,
        LUTLabel="x",
        LUTExplanation="x",
        MeasurementUnitsCodeSequence=code(unit, "UCUM", unit),
    )


def write_enhanced(
    path: Path,
    stored: np.ndarray,
    slopes: np.ndarray,
    *,
    starts: Any = (0.0,),
    durations: Any = (180.0,),
    unit: str = "Bq/ml",
    corrected_to: datetime | None = SCANNED,
    edit: Edit | None = None,
    frames: slice = slice(None),
    orientation: np.ndarray = AXIAL,
) -> Path:
    """Write one enhanced image, frames in an order that is not that of time or place.

    Args:
        path: The file.
        stored: Stored numbers, shape (X, Y, Z, T).
        slopes: Their scale, shape (Z, T).
        starts: Of the time frames [s after `SCANNED`].
        durations: Of them [s].
        unit: UCUM code of the mapped values.
        corrected_to: What values are decay-corrected to, or None.
        edit: Changes the whole before it is written.
        frames: Which of the frames this file holds.
        orientation: Directions of a row and a column.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    starts = np.broadcast_to(starts, stored.shape[3])
    durations = np.broadcast_to(durations, stored.shape[3])
    normal = np.cross(*orientation)
    order = np.random.default_rng(5).permutation(stored.shape[2] * stored.shape[3])[frames]
    groups, pixels = [], []
    for number in order:
        t, z = divmod(int(number), stored.shape[2])
        begun = SCANNED + timedelta(seconds=float(starts[t]))
        position = np.array([-30.0, -20.0, 100.0]) + z * 3.0 * normal
        group = item(
            FrameContentSequence=one(
                FrameAcquisitionDateTime=dt(begun),
                FrameReferenceDateTime=dt(begun + timedelta(seconds=float(durations[t]) / 2)),
                FrameAcquisitionDuration=1e3 * float(durations[t]),
                DimensionIndexValues=[1, t + 1, z + 1],
                StackID="1",
                InStackPositionNumber=z + 1,
                TemporalPositionIndex=t + 1,
            ),
            PlanePositionSequence=one(ImagePositionPatient=[f"{v:.6f}" for v in position]),
            # Wrong on purpose: what counts is the mapping to real values.
            PixelValueTransformationSequence=one(
                RescaleSlope=1, RescaleIntercept=0, RescaleType="US"
            ),
            RealWorldValueMappingSequence=Sequence([mapping(unit, float(slopes[z, t]))]),
        )
        if corrected_to is not None:
            since = (begun - corrected_to).total_seconds()
            factor = decay_factor(since, float(durations[t]))
            group.PETFrameCorrectionFactorsSequence = one(
                DecayFactor=factor, PrimaryPromptsCountsAccumulated=1, SliceSensitivityFactor=1.0
            )
        groups.append(group)
        pixels.append(np.ascontiguousarray(stored[:, :, z, t].T).astype("<i2").tobytes())
    data = _top(stored.shape, corrected_to)
    data.SharedFunctionalGroupsSequence = one(
        PixelMeasuresSequence=one(PixelSpacing=[2.5, 2.0], SliceThickness=99.0),
        PlaneOrientationSequence=one(
            ImageOrientationPatient=[f"{v:.10f}" for v in orientation.ravel()]
        ),
        PETFrameTypeSequence=one(FrameType=["ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"]),
    )
    data.PerFrameFunctionalGroupsSequence = Sequence(groups)
    data.NumberOfFrames = len(groups)
    data.PixelData = b"".join(pixels)
    if edit is not None:
        edit(data)
    data.save_as(path, enforce_file_format=True)
    return path


def _top(shape: tuple[int, ...], corrected_to: datetime | None) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = EnhancedPETImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.StudyInstanceUID = SERIES, STUDY
    data.FrameOfReferenceUID = FRAME_OF_REFERENCE
    data.Modality, data.PatientID, data.PatientName = "PT", "P-0001", "Doe^Jane"
    data.PatientBirthDate, data.StudyID, data.AccessionNumber = "19700101", "1", ""
    data.StudyDate, data.StudyTime, data.ReferringPhysicianName = "20240305", "105500", ""
    data.SeriesNumber, data.InstanceNumber = 3, 1
    data.Manufacturer, data.ManufacturerModelName = "Philips", "Vereos"
    data.DeviceSerialNumber, data.SoftwareVersions = "1", "1"
    data.ImageType = ["ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"]
    data.AcquisitionDateTime = dt(SCANNED)
    data.ContentDate, data.ContentTime = "20240305", "130000"
    data.PatientWeight, data.PatientSize, data.PatientSex = WEIGHT, HEIGHT, "F"
    data.Columns, data.Rows = shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.DecayCorrected = "NO" if corrected_to is None else "YES"
    if corrected_to is not None:
        data.DecayCorrectionDateTime = dt(corrected_to)
    for name in ("Attenuation", "Scatter", "DeadTime", "Randoms"):
        setattr(data, f"{name}Corrected", "YES")
    data.DetectorNormalizationCorrection = "YES"
    data.RadiopharmaceuticalInformationSequence = one(
        RadiopharmaceuticalAgentNumber=1,
        RadiopharmaceuticalStartDateTime=dt(INJECTED),
        RadionuclideTotalDose=DOSE / 1e6,  # in MBq: what Enhanced PET asks for
        RadionuclideHalfLife=F18,
        RadionuclidePositronFraction=0.97,
        RadionuclideCodeSequence=code("77004003", "SCT", "^18^Fluorine"),
        RadiopharmaceuticalCodeSequence=code("35321007", "SCT", "Fluorodeoxyglucose F^18^"),
    )
    return data
