"""A map as a parametric map (DICOM PS3.3 A.75): 32-bit floats, with unit and quantity in codes.

Made by highdicom (`pip install betaplus[dicom]`). Values are the very ones of the map.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus import __version__
from betaplus.core.errors import InputError, UsageError
from betaplus.io.atomic import atomic_path
from betaplus.io.dicom.header import Slice
from betaplus.io.dicom.opened import open_header
from betaplus.io.dicom.out.quantities import SCHEME, Code, map_unit, quantity, statistic
from betaplus.io.dicom.out.source import (
    MAKER,
    About,
    Source,
    carry,
    code,
    made_by,
    new_uid,
    source_images,
)

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["MapKind", "refuse_without_highdicom", "write_parametric_map"]

_WINDOW = 99.5  # percentile of the values that are not zero, at the end of the window


@dataclass(frozen=True, kw_only=True)
class MapKind:
    """What a map is of.

    Attributes:
        quantity: Such as ``Ki`` or ``chi2``.
        statistic: ``mean``, ``std``, ``median``, ``q05``, ``q95``, or empty.
        unit: As the sidecar has it.
        frame: Which time frame of a dynamic image it is of, from 0, or None.
    """

    quantity: str
    statistic: str
    unit: str
    frame: int | None = None


def refuse_without_highdicom() -> None:
    """Refuse to go on where highdicom is not installed.

    Raises:
        UsageError: If it is not.
    """
    import importlib.util

    if importlib.util.find_spec("highdicom") is None:
        raise UsageError(
            "--dicom writes parametric maps with highdicom, which is not installed",
            "expected the dicom extra",
            "pip install 'betaplus[dicom]'",
        )


def write_parametric_map(
    path: Path,
    values: np.ndarray,
    source: Source,
    kind: MapKind,
    about: About,
    series_uid: str | None = None,
) -> Path:
    """Write a map in the study of its source; return its path.

    It refers to every slice of the source series; patient, study and geometry are those of it.

    Args:
        path: The file; it appears complete or not at all.
        values: On the grid of the source, shape (X, Y, Z).
        source: From `betaplus.io.dicom.out.source.open_source`.
        kind: What it is of.
        about: What is said of the series.
        series_uid: Of a series that has other files too, or None for a new one.

    Raises:
        InputError: If the map is not of that grid.
        OutputError: If the file cannot be written.
        UsageError: If highdicom is not installed.
    """
    refuse_without_highdicom()
    planes = source.series.frames[0]
    rows, columns = planes[0].shape
    values = np.asarray(values, dtype=np.float32)
    if values.shape != (columns, rows, len(planes)):
        raise InputError(
            f"{path.name} has shape {values.shape}", f"expected {(columns, rows, len(planes))}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values in headers of others
        data = _map(values, source, kind, about, series_uid or new_uid())
        with atomic_path(path) as temporary:
            data.save_as(temporary)
    return path


def _map(
    values: np.ndarray, source: Source, kind: MapKind, about: About, series_uid: str
) -> Dataset:
    import highdicom as hd
    from highdicom.pm import DerivedPixelContrastValues, ImageFlavorValues, ParametricMap

    planes = source.series.frames[0]
    first, further = _references(source)
    classic = planes[0].frame is None
    label = kind.quantity if not kind.statistic else f"{kind.quantity}_{kind.statistic}"
    pixels = np.ascontiguousarray(values.transpose(2, 1, 0))
    distance = float(np.linalg.norm(source.series.affine[:3, 2]))
    height, width = planes[0].spacing
    data = ParametricMap(
        source_images=first,
        further_source_images=further or None,
        pixel_array=pixels,
        series_instance_uid=series_uid,
        series_number=about.number,
        sop_instance_uid=new_uid(),
        instance_number=1 if kind.frame is None else kind.frame + 1,
        manufacturer=MAKER,
        manufacturer_model_name=f"{MAKER} {about.model}",
        software_versions=__version__,
        device_serial_number="0",
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(pixels, kind)],
        voi_lut_transformations=[_window(pixels)],
        content_label=label.upper()[:16],
        content_description=about.description[:64],
        image_flavor=ImageFlavorValues.VOLUME,
        derived_pixel_contrast=DerivedPixelContrastValues.QUANTITY,
        pixel_measures=hd.PixelMeasuresSequence(
            pixel_spacing=(float(height), float(width)),
            slice_thickness=distance,
            spacing_between_slices=distance,
        ),
        plane_orientation=hd.PlaneOrientationSequence(
            hd.CoordinateSystemNames.PATIENT,
            tuple(float(v) for v in planes[0].orientation.ravel()),
        ),
        plane_positions=[
            hd.PlanePositionSequence(
                hd.CoordinateSystemNames.PATIENT, tuple(float(v) for v in one.position)
            )
            for one in planes
        ],
    )
    if classic:
        _refer(data, source)
    carry(data, source)
    made_by(data, about)
    data.CodingSchemeIdentificationSequence = [_scheme()]
    return data


def _mapping(pixels: np.ndarray, kind: MapKind) -> Any:
    """Return what says that values are what they are, with unit and quantity."""
    from highdicom.pm import RealWorldValueMapping
    from highdicom.sr import CodedConcept
    from pydicom.dataset import Dataset

    def concept(found: Code) -> Any:
        return CodedConcept(found.value, found.scheme, found.meaning[:64])

    finite = pixels[np.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    what = quantity(kind.quantity)
    mapping = RealWorldValueMapping(
        lut_label=kind.quantity[:16],
        lut_explanation=what.meaning[:64],
        unit=concept(map_unit(kind.unit)),
        value_range=(low, high),
        slope=1.0,
        intercept=0.0,
        quantity_definition=concept(what),
    )
    which = statistic(kind.statistic)
    if which is not None:
        item = Dataset()
        item.ValueType = "CODE"
        item.ConceptNameCodeSequence = code("121401", "DCM", "Derivation")
        item.ConceptCodeSequence = code(*which)
        both: list[Any] = [*mapping.QuantityDefinitionSequence, item]
        mapping.QuantityDefinitionSequence = both
    return mapping


def _window(pixels: np.ndarray) -> Any:
    from highdicom import VOILUTTransformation

    seen = pixels[np.isfinite(pixels) & (pixels != 0.0)]
    end = float(np.percentile(seen, _WINDOW)) if seen.size else 1.0
    low = min(0.0, float(np.percentile(seen, 100.0 - _WINDOW))) if seen.size else 0.0
    width = max(end - low, float(np.finfo(np.float32).tiny))
    return VOILUTTransformation(window_center=_short(low + 0.5 * width), window_width=_short(width))


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _scheme() -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = "Quantities of tracer kinetics that betaplus maps"
    item.CodingSchemeResponsibleOrganization = "The betaplus developers"
    return item


def _references(source: Source) -> tuple[list[Dataset], list[Dataset]]:
    """Return headers of the slices of the first frame, and of further files, as highdicom asks."""
    frames = source.series.frames
    if frames[0][0].frame is not None:
        files = list(dict.fromkeys(one.path for frame in frames for one in frame))
        headers = [_whole(open_header(path).data, source) for path in files]
        return headers[:1], headers[1:]
    top = _stub(source)
    return [_of_slice(top, one) for one in frames[0]], []


def _refer(data: Dataset, source: Source) -> None:
    """Add the slices of all frames but the first to the references, also place by place.

    highdicom would do it too, but looks for the place of each slice anew, map by map.
    """
    frames = source.series.frames
    later = [_reference(one) for frame in frames[1:] for one in frame]
    if not later:
        return
    data.SourceImageSequence = [*data.SourceImageSequence, *later]
    (series,) = data.ReferencedSeriesSequence
    series.ReferencedInstanceSequence = [*series.ReferencedInstanceSequence, *later]
    places = {one.uid: z for z, one in enumerate(frames[0])}
    for group in data.PerFrameFunctionalGroupsSequence:
        if "DerivationImageSequence" not in group:
            continue
        found = group.DerivationImageSequence[0]
        z = places[str(found.SourceImageSequence[0].ReferencedSOPInstanceUID)]
        others = source_images([frame[z] for frame in frames[1:]])
        found.SourceImageSequence = [*found.SourceImageSequence, *others]


def _reference(one: Slice) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.kind, one.uid
    return item


def _whole(header: Dataset, source: Source) -> Dataset:
    carry(header, source)
    return header


def _stub(source: Source) -> Dataset:
    from pydicom.dataset import Dataset

    top = Dataset()
    carry(top, source)
    del top.ContributingEquipmentSequence
    top.Modality, top.SeriesInstanceUID = "PT", source.series.frames[0][0].series
    return top


def _of_slice(top: Dataset, one: Slice) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.update(top)
    item.SOPClassUID, item.SOPInstanceUID = one.kind, one.uid
    item.Rows, item.Columns = one.shape
    item.PixelSpacing = [float(v) for v in one.spacing]
    item.ImageOrientationPatient = [float(v) for v in one.orientation.ravel()]
    item.ImagePositionPatient = [float(v) for v in one.position]
    item.SliceThickness = float(one.thickness or 1.0)
    return item
