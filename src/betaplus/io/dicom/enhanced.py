"""Enhanced (multi-frame) PET images: every frame as a header of a classic slice.

A file holds many slices; what they share and what is of one stands in functional groups (DICOM
PS3.3 A.56, and A.70 for series that were converted, which keep elements of the old kind as they
were). Each frame becomes a view in the words of a classic slice, so that one set of rules judges
both kinds.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from betaplus.core.errors import InputError
from betaplus.io.dicom import elements as el
from betaplus.io.dicom.opened import Opened

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["classic_views", "is_enhanced"]

_SHARED, _EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_CONVERTED = (
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
)
_GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "PETFrameCorrectionFactorsSequence": ("DecayFactor",),
}
_GATES = ("CardiacSynchronizationSequence", "RespiratorySynchronizationSequence")
_CORRECTIONS = {
    "DecayCorrected": "DECY",
    "AttenuationCorrected": "ATTN",
    "ScatterCorrected": "SCAT",
    "DeadTimeCorrected": "DTIM",
    "RandomsCorrected": "RAN",
    "DetectorNormalizationCorrection": "NORM",
}
_UNITS = {  # UCUM, as PS3.16 CID 84 codes them and as scanners do: Units, SUVType
    "Bq/ml": ("BQML", None),
    "Bq/mL": ("BQML", None),
    "g/ml{SUVbw}": ("GML", "BW"),
    "{SUVbw}g/ml": ("GML", "BW"),
    "g/ml{SUVlbm(Janma)}": ("GML", "LBMJANMA"),
    "{SUVlbm(Janma)}g/ml": ("GML", "LBMJANMA"),
    "g/ml{SUVlbm(James128)}": ("GML", "LBMJAMES128"),
    "{SUVlbm(James128)}g/ml": ("GML", "LBMJAMES128"),
    "cm2/ml{SUVbsa}": ("CM2ML", "BSA"),
    "{SUVbsa}cm2/ml": ("CM2ML", "BSA"),
}
_MOST_FRAMES = 200_000
_ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"


def is_enhanced(opened: Opened) -> bool:
    """Return whether a file holds many slices, with functional groups."""
    frames = el.one_number(opened.data, "NumberOfFrames", opened.path.name) or 1.0
    return frames > 1.0 or _SHARED in opened.data or _EACH in opened.data


def classic_views(opened: Opened) -> list[Opened]:
    """Return a view of every frame of an enhanced image, as the header of a classic slice.

    Raises:
        InputError: If the image is gated, has no unit, or its groups are missing or damaged; the
            message names the element.
    """
    from pydicom.dataset import Dataset

    data, where = opened.data, opened.path.name
    stated = el.one_number(data, "NumberOfFrames", where)
    each = el.items(data, _EACH, where)
    if not each:
        raise InputError(
            f"{where} is a multi-frame image and {el.called(_EACH)} is missing",
            "expected the place and time of each frame",
            "export it again, or as a classic PET series",
        )
    said = "missing" if stated is None else f"{stated:g}"
    if stated is None or stated != len(each) or len(each) > _MOST_FRAMES:
        raise InputError(
            f"{el.called('NumberOfFrames')} is {said} in {where} but"
            f" {el.called(_EACH)} has {len(each)} items",
            f"expected the same, up to {_MOST_FRAMES}",
        )
    shared = el.items(data, _SHARED, where)
    top = _top(data, where)
    for group in shared:
        _take(top, group, where)
    for tag in list(top.keys()):
        with contextlib.suppress(Exception):  # junk in an element that nobody asks for
            top[tag]  # read once for all views
    views = []
    for number, group in enumerate(each):
        view = Dataset()
        view.update(top)
        _take(view, group, where)
        if "AcquisitionDateTime" not in view and "AcquisitionTime" not in view:
            raise InputError(
                f"{el.called('FrameAcquisitionDateTime')} is missing in frame {number + 1} of"
                f" {where}",
                "expected when each frame was begun",
            )
        views.append(replace(opened, data=view, frame=number))
    return views


def _top(data: Dataset, where: str) -> Dataset:
    """Return the elements outside the groups, without the groups and the pixels."""
    from pydicom.dataset import Dataset

    top = Dataset()
    top.update(data)
    for name in (_SHARED, _EACH, "NumberOfFrames", "AcquisitionDateTime"):
        if name in top:
            delattr(top, name)
    if el.text(data, "TimezoneOffsetFromUTC", where) is None:
        zone = re.search(r"[+-]\d{4}$", _first_time(data, where))
        if zone:
            _put(top, "TimezoneOffsetFromUTC", "SH", zone.group())
    if el.text(data, "SOPClassUID", where) == _ENHANCED_PET:
        _dose_in_bq(top, where)
    corrected = el.text(data, "DecayCorrected", where)
    if corrected is not None:
        if corrected.upper() not in ("YES", "NO"):
            raise InputError(
                f"{el.called('DecayCorrected')} is {corrected} in {where}", "expected YES or NO"
            )
        when = el.text(data, "DecayCorrectionDateTime", where)
        if corrected.upper() == "YES" and when is None:
            raise InputError(
                f"{el.called('DecayCorrectionDateTime')} is missing in {where} but"
                f" {el.called('DecayCorrected')} is YES",
                "expected the time that values are decay-corrected to",
            )
        _put(top, "DecayCorrection", "CS", "DATETIME" if corrected.upper() == "YES" else "NONE")
        done = [name for key, name in _CORRECTIONS.items() if el.text(data, key, where) == "YES"]
        _put(top, "CorrectedImage", "CS", done)
    return top


def _dose_in_bq(top: Dataset, where: str) -> None:
    """Turn the dose, which an enhanced image has in MBq (PS3.3 C.8.22.4), to Bq."""
    from pydicom.dataset import Dataset

    doses = []
    for old in el.items(top, "RadiopharmaceuticalInformationSequence", where):
        dose = Dataset()
        dose.update(old)
        stated = el.one_number(old, "RadionuclideTotalDose", where)
        if stated is not None:
            _put(dose, "RadionuclideTotalDose", "FD", 1e6 * stated)
        doses.append(dose)
    if doses:
        _put(top, "RadiopharmaceuticalInformationSequence", "SQ", doses)


def _first_time(data: Dataset, where: str) -> str:
    for group in el.items(data, _EACH, where)[:1]:
        for item in el.items(group, "FrameContentSequence", where)[:1]:
            return el.text(item, "FrameAcquisitionDateTime", where) or ""
    return ""


def _take(view: Dataset, group: Dataset, where: str) -> None:
    """Put what a functional group says into a view."""
    for name in _GATES:
        if name in group:
            raise InputError(
                f"{where} is gated ({el.called(name)})",
                "expected a static or dynamic image",
                "take the series that is not gated",
            )
    for name in _CONVERTED:
        for item in el.items(group, name, where):
            view.update(item)
    for name, keywords in _GROUPS.items():
        for item in el.items(group, name, where)[:1]:
            for keyword in keywords:
                if keyword in item:
                    view.add(item[keyword])
    for item in el.items(group, "FrameContentSequence", where)[:1]:
        _time(view, item, where)
    values = el.items(group, "RealWorldValueMappingSequence", where)
    if values:
        _real_world(view, values, where)


def _time(view: Dataset, item: Dataset, where: str) -> None:
    begun = el.text(item, "FrameAcquisitionDateTime", where)
    if begun is not None:
        if el.date_time(begun) is None:
            raise InputError(
                f"{el.called('FrameAcquisitionDateTime')} is {begun[:30]!r} in {where}",
                "expected yyyymmddhhmmss",
            )
        for name in ("AcquisitionDate", "AcquisitionTime"):
            if name in view:
                delattr(view, name)
        _put(view, "AcquisitionDateTime", "DT", begun)
    length = el.one_number(item, "FrameAcquisitionDuration", where)
    if length is not None:
        _put(view, "ActualFrameDuration", "FD", length)


def _real_world(view: Dataset, values: list[Dataset], where: str) -> None:
    """Take the mapping to Bq/mL, or to an SUV where there is none: it counts, not the rescale."""
    found: dict[str, tuple[float, float, tuple[str, str | None]]] = {}
    seen = []
    for item in values:
        codes = el.items(item, "MeasurementUnitsCodeSequence", where)
        code = None
        if codes:
            long = el.text(codes[0], "LongCodeValue", where)
            code = el.text(codes[0], "CodeValue", where) or long
        seen.append(code or "missing")
        if code not in _UNITS or "RealWorldValueLUTData" in item:
            continue
        slope = el.one_number(item, "RealWorldValueSlope", where)
        if slope is None:
            raise InputError(
                f"{el.called('RealWorldValueSlope')} is missing in {where}", "expected a number"
            )
        intercept = el.one_number(item, "RealWorldValueIntercept", where) or 0.0
        found[_UNITS[code][0]] = (slope, intercept, _UNITS[code])
    for unit in ("BQML", "GML", "CM2ML"):
        if unit in found:
            slope, intercept, (_, kind) = found[unit]
            _put(view, "Units", "CS", unit)
            _put(view, "RescaleSlope", "FD", slope)
            _put(view, "RescaleIntercept", "FD", intercept)
            if kind is not None:
                _put(view, "SUVType", "CS", kind)
            return
    if "Units" not in view:
        raise InputError(
            f"{el.called('MeasurementUnitsCodeSequence')} is {', '.join(seen)[:80]} in {where}",
            f"expected one of {', '.join(_UNITS)}, with a slope",
            "export the image in Bq/ml or SUV",
        )


def _put(view: Dataset, keyword: str, kind: str, value: object) -> None:
    """Put a new element into a view; those of other views stay as they are."""
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None
    view.add_new(tag, kind, value)
