"""What an image or a map takes over from the series it was made from."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus import __version__
from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.io.dicom.header import Slice
from betaplus.io.dicom.opened import open_header
from betaplus.io.dicom.series import Series, read_whole

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "MAKER",
    "About",
    "Source",
    "carry",
    "code",
    "made_by",
    "new_uid",
    "open_source",
    "refuse_grid",
    "source_images",
]

MAKER = "betaplus"
_PATIENT = (
    "SpecificCharacterSet", "PatientName", "PatientID", "IssuerOfPatientID",
    "TypeOfPatientID", "IssuerOfPatientIDQualifiersSequence", "OtherPatientIDsSequence",
    "PatientBirthDate", "PatientBirthTime", "PatientSex", "PatientAge", "PatientSize",
    "PatientWeight", "PatientSpeciesDescription", "PatientSpeciesCodeSequence",
    "PatientBreedDescription", "PatientBreedCodeSequence", "ResponsiblePerson",
    "ResponsiblePersonRole", "EthnicGroup", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence", "ClinicalTrialSponsorName", "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName", "ClinicalTrialSiteID", "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID",
)  # fmt: skip
_STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription",
    "AccessionNumber", "IssuerOfAccessionNumberSequence", "ReferringPhysicianName",
    "ProcedureCodeSequence", "ReferencedStudySequence", "FrameOfReferenceUID",
    "PositionReferenceIndicator", "PatientPosition", "BodyPartExamined", "TimezoneOffsetFromUTC",
)  # fmt: skip
_EMPTY = (  # asked for, and may be empty (type 2)
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator",
)  # fmt: skip
_EQUIPMENT = (
    "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions",
    "InstitutionName", "StationName",
)  # fmt: skip
_MOST_AFFINE = 0.02  # mm: between the corners of both grids


@dataclass(frozen=True, kw_only=True)
class About:
    """What is said of an output.

    Attributes:
        description: SeriesDescription.
        number: SeriesNumber.
        model: What made it: the verb.
        derivation: DerivationDescription: what was done.
    """

    description: str
    number: int
    model: str
    derivation: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Source:
    """The series that outputs belong to.

    Attributes:
        series: Its slices, places and times.
        header: The whole header of one file, without voxels.
    """

    series: Series
    header: Dataset

    @property
    def number(self) -> int:
        """SeriesNumber, 0 where there is none."""
        try:
            return int(self.header.get("SeriesNumber") or 0)
        except (TypeError, ValueError):
            return 0


def open_source(path: str | Path, *, decay_option: bool = False) -> Source:
    """Read what outputs take over.

    Args:
        path: The folder of the series, or a file of it.
        decay_option: Whether the user says what values are decay-corrected to.

    Raises:
        InputError: As `betaplus.io.dicom.series.read_whole` does.
    """
    series = read_whole(path, decay_option=decay_option)
    header = open_header(series.frames[0][0].path).data
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if not header.get(keyword):
            setattr(header, keyword, new_uid())
    return Source(series=series, header=header)


def carry(target: Dataset, source: Source) -> None:
    """Put patient, study, frame of reference and the scanner into a header.

    Private elements and whatever is of one image only stay behind.
    """
    header = source.header
    for keyword in (*_PATIENT, *_STUDY):
        if keyword in header:
            target[keyword] = copy.deepcopy(header[keyword])
    for keyword in _EMPTY:
        if keyword not in target:
            setattr(target, keyword, "")
    target.ContributingEquipmentSequence = [_scanner(header)]


def _scanner(header: Dataset) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword in _EQUIPMENT:
        if keyword in header:
            item[keyword] = copy.deepcopy(header[keyword])
    if not item.get("Manufacturer"):
        item.Manufacturer = "unknown"
    item.PurposeOfReferenceCodeSequence = code("109101", "DCM", "Acquisition Equipment")
    return item


def made_by(target: Dataset, about: About) -> None:
    """Say in a header what made the image, and when."""
    now = datetime.datetime.now()
    target.Manufacturer, target.ManufacturerModelName = MAKER, f"{MAKER} {about.model}"[:64]
    target.SoftwareVersions, target.DeviceSerialNumber = __version__, "0"
    target.InstanceCreationDate = target.ContentDate = now.strftime("%Y%m%d")
    target.InstanceCreationTime = target.ContentTime = now.strftime("%H%M%S.%f")
    target.SeriesDescription, target.SeriesNumber = about.description[:64], about.number
    target.DerivationDescription = about.derivation[:1024]


def code(value: str, scheme: str, meaning: str) -> Any:
    """Return a sequence of one code."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    item = Dataset()
    setattr(item, "CodeValue" if len(value) <= 16 else "LongCodeValue", value)
    item.CodingSchemeDesignator, item.CodeMeaning = scheme, meaning[:64]
    return Sequence([item])


def source_images(slices: Sequence[Slice]) -> Any:
    """Return references to the slices that an image was made from."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    found = []
    for one in slices:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.kind, one.uid
        if one.frame is not None:
            item.ReferencedFrameNumber = one.frame + 1
        item.SpatialLocationsPreserved = "YES"
        item.PurposeOfReferenceCodeSequence = code(
            "121322", "DCM", "Source image for image processing operation"
        )
        found.append(item)
    return Sequence(found)


def new_uid() -> str:
    """Return a UID that nobody else has."""
    from pydicom.uid import generate_uid

    return str(generate_uid(prefix=None))


def refuse_grid(image: PetImage, series: Series, name: str) -> None:
    """Refuse an image that is not on the grid of a series.

    Raises:
        InputError: If shape or place differ.
    """
    rows, columns = series.frames[0][0].shape
    shape = (columns, rows, len(series.frames[0]))
    if image.shape[:3] != shape:
        raise InputError(
            f"{name} has {' x '.join(map(str, image.shape[:3]))} voxels but {series.where}"
            f" {' x '.join(map(str, shape))}",
            "expected an image on the grid of the series",
        )
    corners = np.array([[0, 0, 0, 1], [*np.subtract(shape, 1), 1]], dtype=np.float64).T
    off = np.abs((np.asarray(image.affine) - series.affine) @ corners).max()
    if off > _MOST_AFFINE:
        raise InputError(
            f"{name} lies {off:.3g} mm off {series.where}",
            "expected an image on the grid of the series",
        )
