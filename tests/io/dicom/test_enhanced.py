"""Enhanced PET images: the same values, places and times as the classic series of the same scan."""

from __future__ import annotations

import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless, generate_uid
from tests.io.dicom.cases import (
    DOSE,
    F18,
    HEIGHT,
    INJECTED,
    SCANNED,
    WEIGHT,
    simple,
    stored_numbers,
    write_series,
)
from tests.io.dicom.enhanced_cases import Edit, mapping, one, write_enhanced

from betaplus.core.errors import InputError
from betaplus.io.describe import describe
from betaplus.io.open import load
from betaplus.io.suv import suv_conversion, to_suv

STARTS, DURATIONS = np.array([0.0, 60.0, 300.0]), np.array([60.0, 240.0, 600.0])


def scan(path: Path, **options: Any) -> tuple[Path, np.ndarray]:
    """Write a dynamic scan of 5 x 4 x 6 x 3 voxels; return its file and its values."""
    stored, slopes = stored_numbers((5, 4, 6, 3))
    write_enhanced(path, stored, slopes, starts=STARTS, durations=DURATIONS, **options)
    return path, stored * slopes


def test_like_the_classic_series(tmp_path: Path) -> None:
    stored, slopes = stored_numbers((5, 4, 6, 3))
    rotated = np.array([[0.8, 0.6, 0.0], [0.0, 0.0, -1.0]])
    classic = write_series(
        tmp_path / "classic", stored, slopes, starts=STARTS, durations=DURATIONS,
        orientation=rotated,
    )  # fmt: skip
    path, values = scan(tmp_path / "enhanced" / "a.dcm", orientation=rotated)
    ours, theirs = load(path.parent), load(classic)
    np.testing.assert_allclose(np.asarray(ours.data), values, rtol=1e-6)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-6)
    assert ours.frames is not None and theirs.frames is not None
    np.testing.assert_allclose(ours.frames.start, theirs.frames.start)
    np.testing.assert_allclose(ours.frames.duration, theirs.frames.duration)
    assert ours.tracer is not None and ours.tracer.name == "Fluorodeoxyglucose F^18^"
    assert (ours.tracer.radionuclide, ours.tracer.half_life) == ("F18", F18)
    assert (ours.unit, ours.injection) == (theirs.unit, -3600.0)
    assert ours.decay_corrected_to == theirs.decay_corrected_to == 0.0
    np.testing.assert_allclose(
        ours.metadata["DecayCorrectionFactor"], theirs.metadata["DecayCorrectionFactor"], rtol=1e-6
    )
    assert ours.metadata["InjectedRadioactivity"] == theirs.metadata["InjectedRadioactivity"]
    assert ours.remarks == ()
    assert "Doe" not in str(ours.metadata)
    assert suv_conversion(ours).factor == pytest.approx(suv_conversion(theirs).factor)
    assert describe(path)["shape"] == [5, 4, 6, 3]


def test_a_scan_in_several_files(tmp_path: Path) -> None:
    for name, part in (("a", slice(0, 7)), ("b", slice(7, None))):
        path, values = scan(tmp_path / "s" / name, frames=part)
    np.testing.assert_allclose(np.asarray(load(tmp_path / "s").data), values, rtol=1e-6)
    path.unlink()
    with pytest.raises(InputError, match="expected each position once in each frame"):
        load(tmp_path / "s")


@pytest.mark.parametrize(("to", "hours"), [(INJECTED, 0.0), (SCANNED - timedelta(hours=2), -1.0)])
def test_decay_correction_to_any_time(tmp_path: Path, to: Any, hours: float) -> None:
    """SUV at injection by the decay from the time stated, whatever that is."""
    path, values = scan(tmp_path / "a.dcm", corrected_to=to)
    image = load(path)
    assert image.decay_corrected_to == (to - SCANNED).total_seconds()
    dose = DOSE * 2 ** (-3600 * hours / F18)
    suv = np.asarray(to_suv(image, suv_conversion(image)).data)
    np.testing.assert_allclose(suv, values * WEIGHT * 1000 / dose, rtol=1e-6)


def test_no_decay_correction(tmp_path: Path) -> None:
    path, values = scan(tmp_path / "a.dcm", corrected_to=None)
    image = load(path)
    assert image.decay_corrected_to is None and image.metadata["ImageDecayCorrected"] is False
    np.testing.assert_allclose(np.asarray(image.data), values, rtol=1e-6)


@pytest.mark.parametrize(
    ("unit", "kind", "to_body_weight"),
    [
        ("g/ml{SUVbw}", "SUVbw", 1.0),
        ("{SUVbw}g/ml", "SUVbw", 1.0),
        ("cm2/ml{SUVbsa}", "SUVbsa",
         WEIGHT * 1e3 / (0.007184 * WEIGHT**0.425 * (100 * HEIGHT) ** 0.725 * 1e4)),
        ("g/ml{SUVlbm(Janma)}", "SUL", (8780 + 244 * WEIGHT / HEIGHT**2) / 9270),
        ("g/ml{SUVlbm(James128)}", "SUL",
         WEIGHT / (1.07 * WEIGHT - 148 * (WEIGHT / (100 * HEIGHT)) ** 2)),
    ],
)  # fmt: skip
def test_suv_in_it(tmp_path: Path, unit: str, kind: str, to_body_weight: float) -> None:
    path, values = scan(tmp_path / "a.dcm", unit=unit)
    image = load(path)
    assert (image.unit, image.metadata["SUVType"]) == ("SUV", kind)
    lean = "james" if "James" in unit else "janmahasatian"
    suv = to_suv(image, suv_conversion(image, "SUVbw", lean_mass=lean))
    np.testing.assert_allclose(np.asarray(suv.data), values * to_body_weight, rtol=1e-5)


def test_activity_counts_where_both_are_mapped(tmp_path: Path) -> None:
    def add(data: Dataset) -> None:
        for group in data.PerFrameFunctionalGroupsSequence:
            group.RealWorldValueMappingSequence.insert(0, mapping("g/ml{SUVbw}", 0.123))

    path, values = scan(tmp_path / "a.dcm", edit=add)
    assert load(path).unit == "Bq/mL"
    np.testing.assert_allclose(np.asarray(load(path).data), values, rtol=1e-6)


def test_a_converted_series(tmp_path: Path) -> None:
    """highdicom's conversion of a classic series keeps units and times where that puts them."""
    legacy = pytest.importorskip("highdicom.legacy", reason="needs betaplus[dicom]")
    folder, values = simple(tmp_path / "classic", rescued)
    datasets = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom says of its values
        whole = legacy.LegacyConvertedEnhancedPETImage(
            datasets, series_instance_uid=generate_uid(), series_number=1,
            sop_instance_uid=generate_uid(), instance_number=1,
        )  # fmt: skip
        path = tmp_path / "legacy.dcm"
        whole.save_as(path)
    ours, theirs = load(path), load(folder)
    np.testing.assert_allclose(np.asarray(ours.data), values, rtol=1e-6)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-6)
    assert ours.decay_corrected_to == theirs.decay_corrected_to
    assert suv_conversion(ours).factor == pytest.approx(suv_conversion(theirs).factor)


def rescued(data: Dataset, z: int, t: int) -> None:
    data.PatientBirthDate, data.StudyID, data.AccessionNumber = "", "1", ""
    data.StudyDate, data.StudyTime, data.ReferringPhysicianName = "20240305", "105500", ""
    data.SeriesNumber, data.ImageType = 1, ["ORIGINAL", "PRIMARY"]
    data.ContentDate, data.ContentTime = "20240305", "130000"
    data.FrameReferenceTime, data.SoftwareVersions, data.DeviceSerialNumber = 90e3, "1", "1"
    data.PositionReferenceIndicator = ""


def test_run_length_encoded(tmp_path: Path) -> None:
    path, values = scan(tmp_path / "a.dcm")
    data = pydicom.dcmread(path)
    data.compress(RLELossless, generate_instance_uid=False)
    data.save_as(path)
    np.testing.assert_allclose(np.asarray(load(path).data)[..., 1], values[..., 1], rtol=1e-6)


def of_each(name: str, value: object, group: str) -> Edit:
    def edit(data: Dataset) -> None:
        for item in data.PerFrameFunctionalGroupsSequence:
            part = getattr(item, group)[0]
            delattr(part, name) if value is None else setattr(part, name, value)

    return edit


def of_top(name: str, value: object) -> Edit:
    def edit(data: Dataset) -> None:
        delattr(data, name) if value is None else setattr(data, name, value)

    return edit


def without_mapping(data: Dataset) -> None:
    for item in data.PerFrameFunctionalGroupsSequence:
        del item.RealWorldValueMappingSequence


def gated(data: Dataset) -> None:
    data.PerFrameFunctionalGroupsSequence[0].RespiratorySynchronizationSequence = one(
        RespiratoryIntervalTime=3000.0
    )


def other_unit(data: Dataset) -> None:
    item = data.PerFrameFunctionalGroupsSequence[3].RealWorldValueMappingSequence
    item[0] = mapping("g/ml{SUVbw}", 1.0)


def two_agents(data: Dataset) -> None:
    data.RadiopharmaceuticalInformationSequence = Sequence(
        [data.RadiopharmaceuticalInformationSequence[0]] * 2
    )


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (gated, r"is gated \(RespiratorySynchronizationSequence \(0020,9253\)\)"),
        (without_mapping, r"Units \(0054,1001\) is missing"),
        (of_each("MeasurementUnitsCodeSequence", None, "RealWorldValueMappingSequence"),
         r"MeasurementUnitsCodeSequence \(0040,08ea\) is missing"),
        (of_each("RealWorldValueSlope", None, "RealWorldValueMappingSequence"),
         r"RealWorldValueSlope \(0040,9225\) is missing"),
        (other_unit, r"Units \(0054,1001\) is"),
        (of_each("FrameAcquisitionDateTime", None, "FrameContentSequence"),
         r"FrameAcquisitionDateTime \(0018,9074\) is missing in frame 1"),
        (of_each("FrameAcquisitionDuration", None, "FrameContentSequence"),
         r"ActualFrameDuration \(0018,1242\) is missing"),
        (of_each("ImagePositionPatient", None, "PlanePositionSequence"),
         r"ImagePositionPatient \(0020,0032\) is missing"),
        (of_top("DecayCorrected", "MAYBE"), r"DecayCorrected \(0018,9758\) is MAYBE"),
        (of_top("DecayCorrected", None), r"DecayCorrection \(0054,1102\) is missing"),
        (of_top("DecayCorrectionDateTime", None),
         r"DecayCorrectionDateTime \(0018,9701\) is missing"),
        (of_top("PerFrameFunctionalGroupsSequence", None),
         r"PerFrameFunctionalGroupsSequence \(5200,9230\) is missing"),
        (of_top("NumberOfFrames", 3), r"NumberOfFrames \(0028,0008\) is 3 .* has 18 items"),
        (of_top("PixelData", bytes(100)), r"truncated: 100 bytes of voxels"),
        (two_agents, r"RadiopharmaceuticalInformationSequence \(0054,0016\) has 2 items"),
    ],
)  # fmt: skip
def test_says_what_is_wrong(tmp_path: Path, edit: Edit, says: str) -> None:
    path, _ = scan(tmp_path / "a.dcm", edit=edit)
    with pytest.raises(InputError, match=says) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_dose_in_bq_gives_no_suv(tmp_path: Path) -> None:
    def edit(data: Dataset) -> None:
        data.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = DOSE

    path, _ = scan(tmp_path / "a.dcm", edit=edit)
    with pytest.raises(InputError, match=r"RadionuclideTotalDose \(0018,1074\) is 3.5e\+14 Bq"):
        suv_conversion(load(path))


def test_items_without_end(tmp_path: Path) -> None:
    """Empty items take nothing in the file and much in memory."""
    path, _ = scan(tmp_path / "a.dcm")
    raw = path.read_bytes()
    junk = b"\x09\x00\x01\x10SQ\0\0" + (8 * 400_000).to_bytes(4, "little")
    junk += b"\xfe\xff\x00\xe0\0\0\0\0" * 400_000
    at = raw.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(raw[:at] + junk + raw[at:])
    with pytest.raises(InputError, match="damaged DICOM file"):
        load(path)
