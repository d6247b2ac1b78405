"""Voxels, affine and frames of DICOM series, against what was written and nibabel."""

import warnings
from datetime import datetime, timedelta

import numpy as np
import pydicom
import pytest
from nibabel.orientations import aff2axcodes
from tests.io.dicom.cases import (
    F18,
    INJECTED,
    SCANNED,
    change,
    decay_factor,
    dose_of,
    first_file,
    simple,
    stored_numbers,
    tm,
    write_series,
)

from betaplus.io.open import load


def rotation(seed: int) -> np.ndarray:
    """Return a rotation, shape (3, 3), far from the axes."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def test_static(tmp_path):
    folder, values = simple(tmp_path / "s")
    scan = load(folder)
    assert scan.shape == (5, 4, 6)
    assert scan.unit == "Bq/mL"
    data = np.asarray(scan.data)
    assert data.dtype == np.float32
    np.testing.assert_allclose(data, values, rtol=1e-6)
    np.testing.assert_allclose(scan.voxel_size, (2.0, 2.5, 3.0))
    assert aff2axcodes(scan.affine) == ("L", "P", "S")
    assert (scan.tracer.radionuclide, scan.tracer.half_life) == ("F18", F18)
    assert scan.decay_corrected_to == 0.0
    assert scan.injection == -3600.0
    np.testing.assert_allclose((scan.frames.start, scan.frames.duration), ((0.0,), (180.0,)))
    assert scan.metadata["TimeZero"] == "11:00:00"
    assert scan.metadata["PatientWeight"] == 72.0
    assert scan.remarks == ()
    assert "Doe" not in str(scan.metadata) and "P-0001" not in str(scan.metadata)


@pytest.mark.parametrize("seed", range(4))
def test_affine_of_an_oblique_stack(tmp_path, seed):
    """Every voxel's centre by the definition in DICOM PS3.3 C.7.6.2.1.1, one by one."""
    directions = rotation(seed)
    origin = (12.3, -45.6, 78.9)
    folder, values = simple(
        tmp_path / "s", orientation=directions[:2], origin=origin, spacing=(2.5, 2.0), distance=3.0
    )
    scan = load(folder)
    data = np.asarray(scan.data)
    normal = np.cross(directions[0], directions[1])
    for row, column, z in np.ndindex(4, 5, 6):
        lps = (
            np.array(origin)
            + directions[0] * 2.0 * column
            + directions[1] * 2.5 * row
            + normal * 3.0 * z
        )
        ras = lps * (-1, -1, 1)
        index = np.linalg.solve(scan.affine, [*ras, 1.0])[:3]
        np.testing.assert_allclose(index, np.rint(index), atol=1e-4)
        x, y, k = np.rint(index).astype(int)
        assert data[x, y, k] == pytest.approx(values[column, row, z], rel=1e-6)


@pytest.mark.parametrize("seed", range(4, 7))
def test_affine_against_nibabel(tmp_path, seed):
    """nibabel's reader of single slices: row, column to DICOM's world."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls itself experimental
        from nibabel.nicom.dicomwrappers import wrapper_from_file

    folder, _ = simple(tmp_path / "s", orientation=rotation(seed)[:2], spacing=(2.5, 2.0))
    scan = load(folder)
    for z in range(6):
        theirs = wrapper_from_file(folder / f"IM{z:04d}")
        lps = theirs.affine @ np.array([[0, 3, 3], [0, 0, 4], [0, 0, 0], [1, 1, 1]])
        ours = scan.affine @ np.array([[0, 0, 4], [0, 3, 3], [z, z, z], [1, 1, 1]])
        np.testing.assert_allclose(ours, np.diag([-1, -1, 1, 1]) @ lps, atol=1e-4)


def test_slices_come_by_position_whatever_files_are_called(tmp_path):
    order = np.random.default_rng(1).permutation(6)
    a, _ = simple(tmp_path / "a")
    b, _ = simple(tmp_path / "b", names=lambda n: f"{order[n]}.x{n}.dcm")

    def backwards(data, z, t):
        data.InstanceNumber = 6 - z

    c, _ = simple(tmp_path / "c", backwards)
    for folder in (b, c):
        np.testing.assert_array_equal(np.asarray(load(folder).data), np.asarray(load(a).data))
        np.testing.assert_array_equal(load(folder).affine, load(a).affine)


def test_lazy_slicing(tmp_path):
    stored, slopes = stored_numbers((5, 4, 6, 3))
    write_series(tmp_path / "s", stored, slopes, starts=[0, 60, 120], durations=60)
    data = load(tmp_path / "s").data
    whole = np.asarray(data)
    assert whole.shape == (5, 4, 6, 3)
    for key in (
        (slice(None), slice(None), 2),
        (1, 2, 3, 1),
        (slice(1, 4), slice(None, None, -1), slice(5, 0, -2), slice(1, None)),
        (..., 2),
        (slice(None), 1, -1, [2, 0]),
        3,
    ):
        np.testing.assert_array_equal(data[key], whole[key])


def test_dynamic(tmp_path):
    stored, slopes = stored_numbers((5, 4, 6, 4))
    starts, durations = np.array([5.0, 15.0, 45.0, 120.0]), np.array([10.0, 30.0, 60.0, 300.0])

    def injected(data, z, t):
        dose_of(data).RadiopharmaceuticalStartTime = tm(SCANNED + timedelta(seconds=3))
        data.SeriesType = ["DYNAMIC", "IMAGE"]
        data.NumberOfSlices, data.NumberOfTimeSlices = 6, 4

    shuffled = np.random.default_rng(2).permutation(24)
    write_series(
        tmp_path / "s",
        stored,
        slopes,
        starts=starts,
        durations=durations,
        names=lambda n: f"{shuffled[n]:02d}",
        edit=injected,
    )
    scan = load(tmp_path / "s")
    np.testing.assert_allclose(np.asarray(scan.data), stored * slopes, rtol=1e-6)
    np.testing.assert_allclose(scan.frames.start, starts)
    np.testing.assert_allclose(scan.frames.duration, durations)
    assert scan.injection == 3.0  # after the scan began, not a day before
    expected = [decay_factor(s, d) for s, d in zip(starts, durations, strict=True)]
    np.testing.assert_allclose(scan.metadata["DecayCorrectionFactor"], expected, rtol=1e-6)


def test_dynamic_by_reference_times(tmp_path):
    """Every frame has the acquisition time of the first; FrameReferenceTime tells them apart."""
    stored, slopes = stored_numbers((3, 3, 2, 3))
    starts, durations = np.array([0.0, 600.0, 1800.0]), np.array([600.0, 1200.0, 1800.0])

    def alike(data, z, t):
        rate = np.log(2) / F18
        mean = np.log(rate * durations[t] / (1 - np.exp(-rate * durations[t]))) / rate
        data.FrameReferenceTime = f"{1e3 * (starts[t] + mean):.3f}"
        data.AcquisitionTime = tm(SCANNED)
        del data.DecayFactor

    write_series(tmp_path / "s", stored, slopes, starts=starts, durations=durations, edit=alike)
    scan = load(tmp_path / "s")
    np.testing.assert_allclose(scan.frames.start, starts, atol=1e-3)
    np.testing.assert_allclose(np.asarray(scan.data), stored * slopes, rtol=1e-6)


def test_beds_of_a_whole_body_scan(tmp_path):
    begun = np.array([[0.0], [0.0], [120.0], [120.0], [240.0], [240.0]])
    folder, values = simple(tmp_path / "s", starts=begun, durations=110.0)
    scan = load(folder)
    assert scan.shape == (5, 4, 6)
    np.testing.assert_allclose(np.asarray(scan.data), values, rtol=1e-6)
    assert (scan.frames.start[0], scan.frames.end[0]) == (0.0, 350.0)
    assert scan.metadata["SliceTimesStart"] == begun[:, 0].tolist()
    assert scan.decay_corrected_to == 0.0


def test_passes_over_beds_are_frames(tmp_path):
    stored, slopes = stored_numbers((3, 3, 4, 2))
    begun = np.array([[0.0, 200.0], [0.0, 200.0], [60.0, 260.0], [60.0, 260.0]])
    write_series(tmp_path / "s", stored, slopes, starts=begun, durations=50.0)
    scan = load(tmp_path / "s")
    np.testing.assert_allclose(np.asarray(scan.data), stored * slopes, rtol=1e-6)
    np.testing.assert_allclose(scan.frames.start, [0.0, 200.0])
    np.testing.assert_allclose(scan.frames.duration, 110.0)


def test_other_images_and_files_are_left_out(tmp_path):
    folder, values = simple(tmp_path / "s")
    (folder / "notes.txt").write_text("x")
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM junk")
    (folder / "ct").write_bytes(first_file(folder).read_bytes())
    change(folder / "ct", lambda data: setattr(data, "Modality", "CT"))
    outside = tmp_path / "outside.dcm"
    outside.write_bytes(first_file(folder).read_bytes())
    (folder / "link").symlink_to(outside)
    (folder / "nowhere").symlink_to(tmp_path / "gone")
    scan = load(folder)
    np.testing.assert_allclose(np.asarray(scan.data), values, rtol=1e-6)
    assert len(scan.remarks) == 3
    assert "2 files of s are not DICOM" in scan.remarks[0]
    assert "2 links of s lead out of it" in scan.remarks[1]
    assert "1 file of CT left out" in scan.remarks[2]


def test_a_file_names_its_series(tmp_path):
    folder, values = simple(tmp_path / "s")
    other, _ = simple(
        tmp_path / "o",
        lambda data, z, t: (
            setattr(data, "SeriesInstanceUID", "1.2.3"),
            setattr(data, "SOPInstanceUID", f"1.2.4.{z + 1}"),
        ),
    )
    for path in other.iterdir():
        path.rename(folder / f"other{path.name}")
    scan = load(folder / "IM0002")
    np.testing.assert_allclose(np.asarray(scan.data), values, rtol=1e-6)
    assert any("6 files of another PET series left out" in text for text in scan.remarks)


@pytest.mark.parametrize(
    "syntax", [pydicom.uid.ImplicitVRLittleEndian, pydicom.uid.ExplicitVRBigEndian]
)
def test_transfer_syntaxes(tmp_path, syntax):
    folder, values = simple(tmp_path / "s")
    for path in folder.iterdir():
        data = pydicom.dcmread(path)
        big = syntax == pydicom.uid.ExplicitVRBigEndian
        if big:
            data.PixelData = np.frombuffer(data.PixelData, "<i2").astype(">i2").tobytes()
        data.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(
            path, data, implicit_vr=not big, little_endian=not big, force_encoding=True
        )
    np.testing.assert_allclose(np.asarray(load(folder).data), values, rtol=1e-6)


def test_run_length_encoded(tmp_path):
    folder, values = simple(tmp_path / "s")
    for path in folder.iterdir():
        change(
            path, lambda data: data.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        )
    np.testing.assert_allclose(np.asarray(load(folder).data), values, rtol=1e-6)


def test_unsigned_and_one_slice(tmp_path):
    def edit(data, z, t):
        data.PixelRepresentation = 0
        data.PixelData = np.full(20, 40000, "<u2").tobytes()
        data.SliceThickness = 3.0

    stored, slopes = stored_numbers((5, 4, 1, 1))
    write_series(tmp_path / "s", stored, slopes, edit=edit)
    scan = load(tmp_path / "s")
    assert scan.shape == (5, 4, 1)
    np.testing.assert_allclose(np.asarray(scan.data), 40000 * slopes[0, 0], rtol=1e-6)
    np.testing.assert_allclose(scan.affine[:3, 2], (0, 0, 3.0))


def test_scan_and_injection_around_midnight(tmp_path):
    scanned = datetime(2024, 3, 6, 0, 10)
    folder, _ = simple(
        tmp_path / "s",
        lambda data, z, t: setattr(dose_of(data), "RadiopharmaceuticalStartTime", "231000"),
        series_time=scanned,
        scanned=scanned,
    )
    assert load(folder).injection == -3600.0

    late = datetime(2024, 3, 5, 23, 50)
    stored, slopes = stored_numbers((3, 3, 2, 2))
    write_series(  # a dynamic scan over midnight, injected after it
        tmp_path / "d",
        stored,
        slopes,
        starts=[0.0, 900.0],
        durations=900.0,
        series_time=late,
        scanned=late,
        edit=lambda data, z, t: setattr(dose_of(data), "RadiopharmaceuticalStartTime", "000100"),
    )
    assert load(tmp_path / "d").injection == 660.0


def test_time_zone_of_the_injection(tmp_path):
    def edit(data, z, t):
        data.TimezoneOffsetFromUTC = "+0100"
        del dose_of(data).RadiopharmaceuticalStartTime
        dose_of(data).RadiopharmaceuticalStartDateTime = "20240305090000+0000"

    folder, _ = simple(tmp_path / "s", edit)
    assert load(folder).injection == (INJECTED - SCANNED).total_seconds()
