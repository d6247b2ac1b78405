"""Images and maps written as DICOM, read back with pydicom, highdicom and betaplus."""

from __future__ import annotations

import dataclasses
import json
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.io.dicom.cases import SCANNED, simple, stored_numbers, write_series
from tests.io.dicom.enhanced_cases import write_enhanced
from tests.io.dicom.maps import map_voxels
from tests.io.dicom.vendors import write_vendor

from betaplus.core.errors import InputError
from betaplus.io.dicom.out.maps import MapKind, write_parametric_map
from betaplus.io.dicom.out.pet import write_pet
from betaplus.io.dicom.out.source import About, open_source
from betaplus.io.dicom.series import load_dicom
from betaplus.io.suv import suv_conversion, to_suv

ABOUT = About(description="betaplus test", number=9001, model="test", derivation="nothing at all")
OBLIQUE = np.array([[0.8, 0.6, 0.0], [0.0, 0.0, -1.0]])


def slices(folder: Path) -> list[Dataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def changed(path: Path, seed: int = 1) -> tuple[Any, np.ndarray]:
    """Return the image of a series with other values, half of them below 0, and those values."""
    image = load_dicom(path)
    random = np.random.default_rng(seed)
    values = random.normal(0.0, 1.0, image.shape) * random.uniform(1, 1e4, image.shape[2:])
    return dataclasses.replace(image, data=values.astype(np.float32)), values.astype(np.float32)


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips", "enhanced"])
@pytest.mark.parametrize("protocol", ["static", "beds", "dynamic"])
def test_round_trip(tmp_path: Path, vendor: str, protocol: str) -> None:
    """Places, times, decay and SUV are those of the source; values within half a step."""
    folder = tmp_path / "s"
    if vendor == "enhanced":
        stored, slopes = stored_numbers((5, 4, 6, 3))
        starts = np.array([0.0, 60.0, 300.0])
        write_enhanced(folder / "a", stored, slopes, starts=starts, durations=[60.0, 240.0, 600.0])
    else:
        folder = write_vendor(folder, vendor, protocol).folder
    image, values = changed(folder)
    out = write_pet(tmp_path / "out", image, open_source(folder), ABOUT)
    back = load_dicom(out)
    assert back.remarks == ()
    steps = np.array([float(one.RescaleSlope) for one in slices(out)])
    off = np.abs(np.asarray(back.data, np.float64) - values)
    off = off.reshape(*image.shape[:3], image.n_frames)
    allowed = 0.5 * steps.reshape(image.n_frames, image.shape[2]).T
    assert (off <= allowed * (1 + 1e-6) + 3e-7 * np.abs(values).reshape(off.shape)).all()
    assert (off > 0.4 * allowed).any()
    np.testing.assert_allclose(back.affine, image.affine, atol=1e-5)
    assert back.frames is not None and image.frames is not None
    np.testing.assert_allclose(back.frames.start, image.frames.start, atol=1e-3)
    np.testing.assert_allclose(back.frames.duration, image.frames.duration, atol=1e-3)
    for name in ("SliceTimesStart", "SliceDuration", "InjectedRadioactivity", "PatientWeight"):
        assert np.array_equal(back.metadata.get(name, 0), image.metadata.get(name, 0))
    assert (back.decay_corrected_to, back.injection) == (image.decay_corrected_to, image.injection)
    assert back.tracer is not None and image.tracer is not None
    assert back.tracer.half_life == image.tracer.half_life
    for kind in ("SUVbw", "SUL", "SUVbsa"):
        ours, theirs = (suv_conversion(one, kind).factor for one in (back, image))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_header(tmp_path: Path) -> None:
    folder, _ = simple(tmp_path / "s", orientation=OBLIQUE)
    source, image = slices(folder), changed(folder)[0]
    made = slices(write_pet(tmp_path / "out", image, open_source(folder), ABOUT))
    assert len(made) == len(source) == 6
    assert len({one.SOPInstanceUID for one in made + source}) == 12
    assert {one.SeriesInstanceUID for one in made} != {source[0].SeriesInstanceUID}
    assert len({one.SeriesInstanceUID for one in made}) == 1
    for new, old in zip(made, source, strict=True):
        for name in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
            assert new[name].value == old[name].value
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            np.testing.assert_allclose(new[name].value, old[name].value, atol=1e-6)
        assert (new.AcquisitionDate, new.AcquisitionTime) == (
            old.AcquisitionDate, old.AcquisitionTime,
        )  # fmt: skip
        assert new.SeriesTime == SCANNED.strftime("%H%M%S.%f")
        reference = new.SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == old.SOPInstanceUID
        assert reference.ReferencedSOPClassUID == old.SOPClassUID
        assert new.ImageType == ["DERIVED", "PRIMARY"]
        assert (new.Manufacturer, new.SeriesNumber) == ("betaplus", 9001)
        assert new.ContributingEquipmentSequence[0].Manufacturer == "SIEMENS"
        assert float(new.DecayFactor) == pytest.approx(float(old.DecayFactor), rel=1e-6)
        assert float(new.RescaleIntercept) == 0.0
        assert new.DerivationDescription == "nothing at all"
        assert not any(element.tag.is_private for element in new)


@pytest.fixture(scope="module")
def wanted() -> dict[str, list[str]]:
    """Module to elements that must be there (types 1 and 2), by highdicom's table."""
    pytest.importorskip("highdicom", reason="needs betaplus[dicom]")
    table = json.loads((files("highdicom") / "_standard/module_attribute_map.json").read_text())
    return {
        name: [a["keyword"] for a in rows if not a["path"] and a["type"] in ("1", "2")]
        for name, rows in table.items()
    }


PET_MODULES = (
    "patient", "general-study", "general-series", "pet-series", "pet-isotope",
    "nm-pet-patient-orientation", "frame-of-reference", "general-equipment", "general-image",
    "image-plane", "image-pixel", "pet-image", "sop-common",
)  # fmt: skip
MAP_MODULES = (
    "patient", "general-study", "general-series", "parametric-map-series", "frame-of-reference",
    "enhanced-general-equipment", "general-image", "floating-point-image-pixel",
    "parametric-map-image", "multi-frame-dimension", "acquisition-context", "sop-common",
    "common-instance-reference", "parametric-map-multi-frame-functional-groups",
)  # fmt: skip


def test_every_element_that_the_standard_wants(
    tmp_path: Path, wanted: dict[str, list[str]]
) -> None:
    folder = write_vendor(tmp_path / "s", "siemens", "dynamic").folder
    image = changed(folder)[0]
    for one in slices(write_pet(tmp_path / "out", image, open_source(folder), ABOUT)):
        for module in PET_MODULES:
            assert [name for name in wanted[module] if name not in one] == [], module
        assert (one.NumberOfSlices, one.NumberOfTimeSlices) == (4, 3)
    order = [(float(one.FrameReferenceTime), one.ImageIndex) for one in slices(tmp_path / "out")]
    assert order == sorted(order)
    assert [len(list(group)) for _, group in groupby(order, key=lambda pair: pair[0])] == [4, 4, 4]


def test_suv_and_decay_corrected_to_the_injection(tmp_path: Path) -> None:
    """What was not decay-corrected becomes SUV at injection."""
    folder = write_vendor(tmp_path / "s", "ge", "dynamic", "NONE").folder
    image = load_dicom(folder)
    suv = to_suv(image, suv_conversion(image))
    back = load_dicom(write_pet(tmp_path / "out", suv, open_source(folder), ABOUT))
    assert (back.unit, back.metadata["SUVType"]) == ("SUV", "SUVbw")
    assert back.decay_corrected_to == back.injection == -3600.0
    values = np.asarray(suv.data)
    assert np.abs(np.asarray(back.data) - values).max() < 0.51 * values.max() / 32767


def test_series_of_another_grid_or_time(tmp_path: Path) -> None:
    folder, _ = simple(tmp_path / "s")
    image, values = changed(folder)
    source, out = open_source(folder), tmp_path / "out"
    moved = np.array(image.affine)
    moved[0, 3] += 1.0
    for wrong, says in (
        ({"affine": moved}, "lies 1 mm off s"),
        ({"data": values[:4]}, "has 4 x 4 x 6 voxels but s 5 x 4 x 6"),
        ({"decay_corrected_to": 77.0}, "decay-corrected to 77 s after the scan began"),
        ({"data": np.where(values > 0, values, np.nan)}, "slice 1 of out holds NaN"),
    ):
        with pytest.raises(InputError, match=says):
            write_pet(out, dataclasses.replace(image, **wrong), source, ABOUT)
        assert not out.exists()
    stored, slopes = stored_numbers((5, 4, 6, 2))
    write_series(tmp_path / "d", stored, slopes, starts=[0, 180])
    with pytest.raises(InputError, match="out has 1 frames but d 2"):
        write_pet(out, image, open_source(tmp_path / "d"), ABOUT)


KI = MapKind(quantity="Ki", statistic="std", unit="mL/cm3/min")


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_parametric_map(tmp_path: Path, kind: str) -> None:
    """By pydicom and by highdicom: the very values, in place, with unit, quantity and sources."""
    hd = pytest.importorskip("highdicom", reason="needs betaplus[dicom]")
    stored, slopes = stored_numbers((5, 4, 6, 3))
    times = {"starts": np.array([0.0, 60.0, 300.0]), "durations": np.array([60.0, 240.0, 600.0])}
    folder = tmp_path / "s"
    if kind == "classic":
        write_series(folder, stored, slopes, orientation=OBLIQUE, **times)
        positions = {one.SOPInstanceUID: one.ImagePositionPatient for one in slices(folder)}
        uids = set(positions)
    else:
        path = write_enhanced(folder / "a.dcm", stored, slopes, orientation=OBLIQUE, **times)
        uids = {pydicom.dcmread(path).SOPInstanceUID}
    source = open_source(folder)
    values = np.random.default_rng(3).normal(0.0, 1e-2, (5, 4, 6)).astype(np.float32)
    path = write_parametric_map(tmp_path / "m.dcm", values, source, KI, ABOUT)

    data = pydicom.dcmread(path)
    assert data.SOPClassUID == pydicom.uid.ParametricMapStorage
    assert (data.PatientID, data.Manufacturer) == ("P-0001", "betaplus")
    assert data.StudyInstanceUID == source.header.StudyInstanceUID
    assert data.FrameOfReferenceUID == source.header.FrameOfReferenceUID
    assert {one.ReferencedSOPInstanceUID for one in data.SourceImageSequence} == uids
    assert data.ContributingEquipmentSequence[0].Manufacturer == source.header.Manufacturer
    (listed,) = data.ReferencedSeriesSequence
    assert {one.ReferencedSOPInstanceUID for one in listed.ReferencedInstanceSequence} == uids
    for group in data.PerFrameFunctionalGroupsSequence:  # slices of all frames at the same place
        place = group.PlanePositionSequence[0].ImagePositionPatient
        sources = group.DerivationImageSequence[0].SourceImageSequence
        if kind == "classic":
            at = [positions[one.ReferencedSOPInstanceUID] for one in sources]
            assert len({one.ReferencedSOPInstanceUID for one in sources}) == 3
            np.testing.assert_allclose(at, np.tile(place, (3, 1)), atol=1e-4)
    affine = np.array(load_dicom(folder).affine)
    np.testing.assert_array_equal(map_voxels(data, affine), values)
    shared = data.SharedFunctionalGroupsSequence[0]
    np.testing.assert_allclose(shared.PixelMeasuresSequence[0].PixelSpacing, (2.5, 2.0))
    assert float(shared.PixelMeasuresSequence[0].SpacingBetweenSlices) == pytest.approx(3.0)
    mapping = (
        shared if "RealWorldValueMappingSequence" in shared
        else data.PerFrameFunctionalGroupsSequence[0]
    ).RealWorldValueMappingSequence[0]  # fmt: skip
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "mL/cm3/min"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1.0, 0.0)
    of, statistic = mapping.QuantityDefinitionSequence
    assert of.ConceptCodeSequence[0].CodeValue == "Ki"
    assert statistic.ConceptCodeSequence[0].CodeMeaning == "Standard Deviation"

    found = hd.imread(path).get_volume()  # (slice, row, column), in LPS
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ found.affine
    index = np.linalg.solve(matrix, affine @ [1, 2, 3, 1])[:3]
    at = tuple(np.rint(index).astype(int))
    np.testing.assert_allclose(index, at, atol=1e-4)
    assert found.array[at] == pytest.approx(float(values[1, 2, 3]), rel=1e-6)


def test_every_element_of_a_map(tmp_path: Path, wanted: dict[str, list[str]]) -> None:
    folder, _ = simple(tmp_path / "s")
    path = tmp_path / "m.dcm"
    data = pydicom.dcmread(
        write_parametric_map(path, np.ones((5, 4, 6)), open_source(folder), KI, ABOUT)
    )
    for module in MAP_MODULES:
        assert [name for name in wanted[module] if name not in data] == [], module


def test_a_map_of_another_shape(tmp_path: Path) -> None:
    pytest.importorskip("highdicom", reason="needs betaplus[dicom]")
    folder, _ = simple(tmp_path / "s")
    with pytest.raises(InputError, match="expected \\(5, 4, 6\\)"):
        write_parametric_map(tmp_path / "m.dcm", np.zeros((4, 5, 6)), open_source(folder), KI,
                             ABOUT)  # fmt: skip
    assert not (tmp_path / "m.dcm").exists()
