"""Series that are no whole series, or contradict themselves: one line that says what is wrong."""

import os
from datetime import timedelta

import numpy as np
import pydicom
import pytest
from tests.io.dicom.cases import (
    SCANNED,
    change,
    dose_of,
    new_uid,
    simple,
    stored_numbers,
    write_series,
)

from betaplus.core.errors import InputError
from betaplus.io.describe import describe
from betaplus.io.open import load


def set_one(name, value, of_dose=False):
    def edit(folder):
        change(
            folder / "IM0003",
            lambda data: setattr(dose_of(data) if of_dose else data, name, value),
        )

    return edit


def set_all(name, value, of_dose=False):
    def edit(folder):
        for path in folder.iterdir():
            change(
                path,
                lambda data: setattr(dose_of(data) if of_dose else data, name, value),
            )

    return edit


def drop_all(name, of_dose=False):
    def edit(folder):
        for path in folder.iterdir():
            change(path, lambda data: delattr(dose_of(data) if of_dose else data, name))

    return edit


def gone(*names):
    def edit(folder):
        for name in names:
            (folder / name).unlink()

    return edit


def moved(name, by):
    def edit(folder):
        def move(data):
            data.ImagePositionPatient = [
                float(a) + b for a, b in zip(data.ImagePositionPatient, by, strict=True)
            ]

        change(folder / name, move)

    return edit


def copied(fresh):
    def edit(folder):
        (folder / "copy").write_bytes((folder / "IM0003").read_bytes())
        if fresh:
            change(folder / "copy", new_uid)

    return edit


def of_another_series(folder):
    def other(data):
        new_uid(data)
        data.SeriesInstanceUID, data.SeriesDescription = "1.2.3", "NAC"

    copied(False)(folder)
    change(folder / "copy", other)


def junk(folder):
    (folder / "IM0003").write_bytes(b"\0" * 128 + b"DICM" + bytes(range(256)) * 4)


def cut(folder):
    path = folder / "IM0003"
    os.truncate(path, path.stat().st_size - 10)


def raw_weight(folder):
    """Text where a number belongs, as only a byte edit can write it."""
    for path in folder.iterdir():
        data = path.read_bytes()
        at = data.index(b"\x10\x00\x30\x10DS") + 8
        path.write_bytes(data[:at] + b"heavy "[: data[at - 2]] + data[at + data[at - 2] :])


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (gone("IM0002"), r"1 slice missing between IM0001 and IM0003: 6 mm apart.*3 mm"),
        (gone("IM0002", "IM0003"), r"2 slices missing between IM0001 and IM0004"),
        (moved("IM0003", (0, 0, 0.5)), r"apart where others are 3 mm.*ImagePositionPatient"),
        (moved("IM0003", (4, 0, 0)), r"IM000\d lies .* mm aside of the other slices"),
        (copied(False), r"IM0003 and copy are the same image \(SOPInstanceUID"),
        (copied(True), r"2 slices of s lie at .*IM0003.*where other positions have 1"),
        (of_another_series, r"s holds 2 PET series: no description \(6 files.*NAC \(1 file"),
        (set_one("ImageOrientationPatient", [0, 1, 0, -1, 0, 0]), "Orientation.*differs between"),
        (set_all("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), "two unit vectors"),
        (set_one("PixelSpacing", [2.5, 2.1]), r"PixelSpacing \(0028,0030\) is .* in IM0000 but"),
        (set_all("PixelSpacing", [0, 2]), r"PixelSpacing .*above 0"),
        (set_one("PatientWeight", 80), r"PatientWeight \(0010,1030\) is 72.0 in IM0000 but 80"),
        (set_one("Units", "CNTS"), r"Units \(0054,1001\) is BQML in IM0000 but CNTS in IM0003"),
        (set_one("PatientID", "P-2"), "not of one patient"),
        (set_one("RadionuclideTotalDose", 1e6, True), r"RadionuclideTotalDose \(0018,1074\) is"),
        (set_all("Units", "PROPCNTS"), r"Units \(0054,1001\) is PROPCNTS in s; expected BQML"),
        (drop_all("Units"), r"Units \(0054,1001\) is missing in s"),
        (drop_all("RescaleSlope"), r"RescaleSlope \(0028,1053\) is missing in IM0000"),
        (set_all("RescaleSlope", "-1"), r"RescaleSlope \(0028,1053\) is -1"),
        (drop_all("ImagePositionPatient"), r"ImagePositionPatient \(0020,0032\) is missing"),
        (drop_all("AcquisitionTime"), r"AcquisitionTime \(0008,0032\) is missing in IM0000"),
        (set_all("AcquisitionTime", "9900"), r"AcquisitionTime .*9900.*expected yyyymmdd"),
        (drop_all("DecayCorrection"), r"DecayCorrection \(0054,1102\) is missing in s.*--decay"),
        (set_all("DecayCorrection", "LATER"), r"DecayCorrection .* is LATER"),
        (set_all("CorrectedImage", ["ATTN"]), r"CorrectedImage .* is ATTN but DecayCorrection"),
        (set_all("SeriesType", ["GATED", "IMAGE"]), r"SeriesType \(0054,1000\) is GATED"),
        (set_all("SeriesType", ["STATIC", "REPROJECTION"]), r"SeriesType .* REPROJECTION"),
        (set_all("NumberOfSlices", 7), r"NumberOfSlices \(0054,0081\) is 7 in s but there are 6"),
        (set_all("RadionuclideHalfLife", 109.8, True), r"HalfLife .* is 109.8 s in s but F18"),
        (set_all("DecayFactor", "1.5"), r"DecayFactor \(0054,1321\) is 1.5 in IM0000 but times"),
        (set_all("SeriesDate", "20240303"), r"SeriesTime .* expected them within a day"),
        (set_all("SeriesTime", "130000"), r"SeriesTime \(0008,0031\) is .*after the acquisition"),
        (
            set_all("RadiopharmaceuticalStartDateTime", "20240305093000", True),
            r"StartDateTime .* is 20240305093000 but .*StartTime .* is 1000.*same time of day",
        ),
        (
            set_all("RadiopharmaceuticalStartDateTime", "20240306100000", True),
            "after the scan ended",
        ),
        (
            set_all("RadiopharmaceuticalStartDateTime", "20200305100000", True),
            r"over 20 half-lives of 6586.2 s",
        ),
        (
            set_all("RadiopharmaceuticalStartTime", "110500", True),
            r"StartTime .* is 11:05:00 but the scan ended at 11:03:00.*at most 11 h",
        ),
        (set_all("RadiopharmaceuticalStartTime", "noon", True), r"StartTime .*expected hhmmss"),
        (set_all("Rows", 60000), r"Rows \(0028,0010\) is 60000 in IM0000; expected 1 to 4096"),
        (set_all("BitsAllocated", 12), r"BitsAllocated \(0028,0100\) is 12"),
        (
            set_all("NumberOfFrames", 4),
            r"multi-frame image and PerFrame.* \(5200,9230\) is missing",
        ),
        (set_all("Modality", "CT"), r"s holds no PET image but CT"),
        (junk, "IM0003 is a damaged DICOM file"),
        (cut, "IM0003 is truncated: 30 bytes of voxels; expected 40"),
        (set_one("PixelData", b"\0" * 8), "IM0003 is truncated: 8 bytes of voxels; expected 40"),
        (set_all("Rows", 4000), "IM0000 is truncated: 40 bytes of voxels; expected 40000"),
        (drop_all("PixelData"), r"PixelData \(7fe0,0010\) is missing in IM0000"),
        (raw_weight, r"PatientWeight \(0010,1030\) .*in IM0000"),
    ],
)
def test_says_what_is_wrong(tmp_path, edit, says):
    folder, _ = simple(tmp_path / "s")
    edit(folder)
    with pytest.raises(InputError, match=says) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert {"level": "error", "text": str(caught.value)} in describe(folder)["problems"]


def test_compressed_voxels_are_named(tmp_path):
    folder, _ = simple(tmp_path / "s")
    for path in folder.iterdir():
        data = pydicom.dcmread(path)
        data.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8 no JPEG"])
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
        data.save_as(path)
    with pytest.raises(InputError, match=r"IM0000 is compressed \(JPEG Lossless.*gdcmconv"):
        load(folder)


def test_run_length_encoding_that_is_damaged(tmp_path):
    folder, _ = simple(tmp_path / "s")
    for path in folder.iterdir():
        data = pydicom.dcmread(path)
        data.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        data.PixelData = data.PixelData[:-30] + bytes(30)
        data.save_as(path)
    with pytest.raises(InputError, match="the voxels of IM0000 are damaged"):
        np.asarray(load(folder).data)
    assert any(problem["level"] == "error" for problem in describe(folder)["problems"])


def test_dynamic_series_with_a_hole_or_a_twin(tmp_path):
    stored, slopes = stored_numbers((3, 3, 4, 3))
    folder = write_series(tmp_path / "s", stored, slopes, starts=[0.0, 60.0, 120.0], durations=60.0)
    name = "IM0005"
    kept = (folder / name).read_bytes()
    (folder / name).unlink()
    with pytest.raises(InputError, match=r"2 slices of s lie at .* where other positions have 3"):
        load(folder)
    for number in (5, 1):
        (folder / f"IM{number:04d}").write_bytes(kept)
    change(folder / "IM0001", new_uid)
    with pytest.raises(InputError, match=r"IM0001 and IM0005 are of one place and one time"):
        load(folder)


def test_overlapping_frames(tmp_path):
    stored, slopes = stored_numbers((3, 3, 2, 2))
    write_series(tmp_path / "s", stored, slopes, starts=[0.0, 60.0], durations=90.0)
    with pytest.raises(InputError, match="s: frame 1 ends at 90 s, after frame 2 starts at 60"):
        load(tmp_path / "s")


def test_a_day_that_cannot_be_known(tmp_path):
    """Zirconium, injected at 10:00 of a day that the header does not name."""

    def edit(data, z, t):
        data.RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence[
            0
        ].CodeMeaning = "^89^Zirconium"

    folder, _ = simple(tmp_path / "s", edit, half_life=282280.0)
    with pytest.raises(InputError, match=r"StartDateTime .* is missing .*78.4 h: the day"):
        load(folder)


def test_reference_times_of_two_scans(tmp_path):
    def edit(data, z, t):
        data.FrameReferenceTime = 90e3 + 60e3 * z

    folder, _ = simple(tmp_path / "s", edit, series_time=SCANNED + timedelta(hours=1))
    with pytest.raises(InputError, match=r"FrameReferenceTime \(0054,1300\) and AcquisitionTime"):
        load(folder)


def test_folders_and_files_that_are_no_series(tmp_path):
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(InputError, match=r"empty is a folder without DICOM.*folder inside it"):
        load(tmp_path / "empty")
    with pytest.raises(InputError, match=r"empty is a folder without DICOM"):
        describe(tmp_path / "empty")
    (tmp_path / "a.dcm").write_text("no DICOM")
    with pytest.raises(InputError, match=r"a\.dcm is a damaged DICOM file or none"):
        load(tmp_path / "a.dcm")
    os.mkfifo(tmp_path / "empty" / "pipe")
    with pytest.raises(InputError, match="without DICOM"):
        load(tmp_path / "empty")
