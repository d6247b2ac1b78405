"""An image as a series of PET slices (DICOM PS3.3 A.21), with a slope for each.

Written by pydicom alone. A value is off by at most half a step of its slice, whose largest value is
32767 steps.
"""

from __future__ import annotations

import copy
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.core.units import activity_factor
from betaplus.io.atomic import atomic_path
from betaplus.io.dicom.elements import decimal_string
from betaplus.io.dicom.header import Slice
from betaplus.io.dicom.nuclides import nuclide_code
from betaplus.io.dicom.out.clock import SliceTime, decay_word, slice_time
from betaplus.io.dicom.out.source import (
    About,
    Source,
    carry,
    code,
    made_by,
    new_uid,
    refuse_grid,
    source_images,
)
from betaplus.io.voxels import iterate_slabs

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["write_pet"]

_STEPS = 32767
_KEPT = (
    "AttenuationCorrectionMethod", "ScatterCorrectionMethod", "RandomsCorrectionMethod",
    "ReconstructionMethod", "ConvolutionKernel",
)  # fmt: skip
_SUV = {
    ("SUVbw", ""): ("GML", "BW"),
    ("SUL", "janmahasatian"): ("GML", "LBMJANMA"),
    ("SUL", "james"): ("GML", "LBMJAMES128"),
    ("SUVbsa", ""): ("CM2ML", "BSA"),
}
_SAME_INJECTION = 1.0  # s


def write_pet(folder: Path, image: PetImage, source: Source, about: About) -> Path:
    """Write an image as a PET series in the study of its source; return its folder.

    Patient, study, geometry and times are those of the source. Decay correction, unit and tracer
    are those of the image.

    Args:
        folder: To write; it appears complete or not at all.
        image: On the grid of the source, with as many frames; its voxels are read once.
        source: From `open_source`.
        about: What is said of the series.

    Raises:
        InputError: If the image is not of that grid and those frames, its values are not finite,
            or its unit or decay correction cannot be said in DICOM.
        OutputError: If the folder cannot be written.
    """
    series, name = source.series, folder.name
    refuse_grid(image, series, name)
    if image.n_frames != len(series.frames):
        raise InputError(
            f"{name} has {image.n_frames} frames but {series.where} {len(series.frames)}",
            "expected the frames of the series",
        )
    unit, kind, scale = _unit(image, name)
    common = _common(image, source, about, decay_word(image, name))
    common.Units = unit
    if kind:
        common.SUVType = kind
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for planes, frames, voxels in iterate_slabs(image):
            for t in range(image.n_frames)[frames]:
                for z in range(image.shape[2])[planes]:
                    plane = voxels[:, :, z - (planes.start or 0), t - (frames.start or 0)]
                    values = scale * np.asarray(plane, np.float64).T
                    if not np.isfinite(values).all():
                        raise InputError(f"slice {z + 1} of {name} holds NaN or infinite values")
                    when = slice_time(image, series, z, t)
                    number = t * image.shape[2] + z + 1
                    data = _slice(common, values, series.frames[t][z], when, number)
                    data.save_as(
                        temporary / f"{t + 1:03d}_{z + 1:04d}.dcm", enforce_file_format=True
                    )
    return folder


def _unit(image: PetImage, name: str) -> tuple[str, str, float]:
    """Return Units, SUVType and the factor to them."""
    if image.unit != "SUV":
        return "BQML", "", activity_factor(image.unit, "Bq/mL")
    stated = image.metadata.get("SUVType", "SUVbw")
    lean = str(image.metadata.get("LeanBodyMass", "janmahasatian")) if stated == "SUL" else ""
    if (stated, lean) not in _SUV:
        raise InputError(
            f"{name} holds {stated} {lean}", "expected a type of SUV that DICOM has a word for"
        )
    return (*_SUV[stated, lean], 1.0)


def _common(image: PetImage, source: Source, about: About, decay: str) -> Dataset:
    """Return the header that all slices share."""
    from pydicom.dataset import Dataset
    from pydicom.uid import PositronEmissionTomographyImageStorage

    series, data = source.series, Dataset()
    carry(data, source)
    made_by(data, about)
    data.SOPClassUID = PositronEmissionTomographyImageStorage
    data.SeriesInstanceUID, data.Modality = new_uid(), "PT"
    zero = series.times.zero
    data.SeriesDate, data.SeriesTime = zero.strftime("%Y%m%d"), zero.strftime("%H%M%S.%f")
    data.ImageType = ["DERIVED", "PRIMARY"]
    dynamic = image.n_frames > 1
    data.SeriesType = [_series_type(series.common["SeriesType"], dynamic), "IMAGE"]
    data.NumberOfSlices = image.shape[2]
    if dynamic:
        data.NumberOfTimeSlices = image.n_frames
    data.CountsSource, data.CollimatorType = "EMISSION", "NONE"
    data.DecayCorrection = decay
    done = [word for word in series.common["CorrectedImage"] if word != "DECY"]
    data.CorrectedImage = [*(["DECY"] if decay != "NONE" else []), *done]
    for keyword in _KEPT:
        if series.common[keyword]:
            setattr(data, keyword, series.common[keyword])
    data.RadiopharmaceuticalInformationSequence = [_dose(image, source)]
    data.PatientOrientationCodeSequence = data.PatientGantryRelationshipCodeSequence = []
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.RescaleIntercept, data.LossyImageCompression = 0, "00"
    data.SliceThickness = decimal_string(float(image.voxel_size[2]))
    return data


def _series_type(stated: list[str], dynamic: bool) -> str:
    word = stated[0] if stated else ""
    if dynamic:
        return "DYNAMIC" if word != "WHOLE BODY" else word
    return word if word in ("STATIC", "WHOLE BODY") else "STATIC"


def _dose(image: PetImage, source: Source) -> Dataset:
    """Return the item that says what was given: the source's, if it is of this image's tracer."""
    from pydicom.dataset import Dataset

    series, item = source.series, Dataset()
    held = source.header.get("RadiopharmaceuticalInformationSequence") or []
    given = series.times.injection
    same = given is None or abs(series.times.seconds(given) - image.injection) < _SAME_INJECTION
    tracer, stated = image.tracer, series.about.get("TracerRadionuclide")
    if held and same and (tracer is None or stated in (None, tracer.radionuclide)):
        item = copy.deepcopy(held[0])
    if "InjectedRadioactivity" in image.metadata:
        item.RadionuclideTotalDose = decimal_string(float(image.metadata["InjectedRadioactivity"]))
    elif "RadionuclideTotalDose" in item:
        del item.RadionuclideTotalDose
    if tracer is not None:
        item.RadionuclideHalfLife = decimal_string(tracer.half_life)
        item.RadionuclideCodeSequence = code(*nuclide_code(tracer.radionuclide))
        if tracer.name:
            item.Radiopharmaceutical = tracer.name[:64]
    if given is not None:
        when = series.times.zero + timedelta(seconds=image.injection)
        item.RadiopharmaceuticalStartDateTime = when.strftime("%Y%m%d%H%M%S.%f")
        item.RadiopharmaceuticalStartTime = when.strftime("%H%M%S.%f")
    return item


def _slice(
    common: Dataset, values: np.ndarray, one: Slice, when: SliceTime, number: int
) -> Dataset:
    """Return a file of one slice, whose values are of shape (rows, columns)."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = common.SOPClassUID
    meta.MediaStorageSOPInstanceUID = UID(new_uid())
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.update(common)
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.InstanceNumber = data.ImageIndex = number
    data.AcquisitionDate = when.begun.strftime("%Y%m%d")
    data.AcquisitionTime = when.begun.strftime("%H%M%S.%f")
    if when.duration is not None:
        data.ActualFrameDuration = round(1e3 * when.duration)
    data.FrameReferenceTime = decimal_string(1e3 * when.reference)
    if when.factor is not None:
        data.DecayFactor = decimal_string(when.factor)
    data.ImagePositionPatient = [decimal_string(float(v)) for v in one.position]
    data.ImageOrientationPatient = [decimal_string(float(v)) for v in one.orientation.ravel()]
    data.PixelSpacing = [decimal_string(v) for v in one.spacing]
    data.Rows, data.Columns = values.shape
    peak = float(np.abs(values).max())
    slope = float(decimal_string(peak / _STEPS)) or 1.0
    stored = np.clip(np.rint(values / slope), -_STEPS, _STEPS)
    data.RescaleSlope = decimal_string(slope)
    data.SourceImageSequence = source_images([one])
    data.PixelData = stored.astype("<i2").tobytes()
    return data
