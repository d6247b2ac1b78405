"""ECAT 7: what was written, what nibabel reads of it, and headers that are refused."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nibabel import ecat
from nibabel.orientations import aff2axcodes
from tests.io.ecat_cases import CALIBRATION, F18, SCANNED, SIZE, Edit, write_ecat

from betaplus.core.errors import InputError, UsageError
from betaplus.io.describe import describe
from betaplus.io.open import load
from betaplus.io.suv import suv_conversion

SHAPE = (5, 4, 6, 3)


def scan(path: Path, **options: Any) -> tuple[Path, np.ndarray]:
    """Write a scan of three frames; return its file and its values."""
    random = np.random.default_rng(0)
    stored = random.integers(-100, 32767, SHAPE).astype(np.int16)
    scales = random.uniform(0.1, 2.0, 3).astype(np.float32)
    write_ecat(path, stored, scales, **options)
    return path, stored * scales.astype(np.float64) * CALIBRATION


def main(name: str, value: Any) -> Edit:
    def edit(head: Any, sub: Any, t: int) -> None:
        if sub is None:
            head[name] = value

    return edit


def each(name: str, value: Any) -> Edit:
    def edit(head: Any, sub: Any, t: int) -> None:
        if sub is not None:
            sub[name] = value

    return edit


@pytest.mark.parametrize("directories", [1, 3])
def test_values_and_times(tmp_path: Path, directories: int) -> None:
    path, values = scan(tmp_path / "a.v", order=(2, 0, 1), directories=directories)
    image = load(path)
    assert image.shape == SHAPE
    np.testing.assert_allclose(np.asarray(image.data), values, rtol=1e-6)
    assert (image.unit, image.decay_corrected_to, image.injection) == ("Bq/mL", 0.0, -3600.0)
    assert image.frames is not None and image.tracer is not None
    np.testing.assert_allclose(image.frames.start, (0, 60, 360))
    np.testing.assert_allclose(image.frames.duration, (60, 300, 600))
    assert (image.tracer.radionuclide, image.tracer.name) == ("F18", "FDG")
    assert image.tracer.half_life == pytest.approx(F18)
    assert image.metadata["TimeZero"] == "11:00:00"
    assert image.remarks == ()
    assert "Doe" not in str(image.metadata) and "P-0001" not in str(image.metadata)
    assert describe(path)["format"] == "ECAT 7" and describe(path)["shape"] == list(SHAPE)


def test_against_nibabel(tmp_path: Path) -> None:
    """nibabel turns the voxels of a patient who lies head first and supine; we turn the axes."""
    path, _ = scan(tmp_path / "a.v")
    theirs, ours = ecat.load(path), load(path)
    values = np.stack([theirs.get_frame(t) for t in range(3)], axis=-1)
    data, affine = np.asarray(ours.data), theirs.get_frame_affine(0)
    for x, y, z in np.ndindex(SHAPE[:3]):
        world = ours.affine @ [x, y, z, 1]
        index = np.linalg.solve(affine, world)[:3]
        np.testing.assert_allclose(index, np.rint(index), atol=1e-4)
        at = tuple(np.rint(index).astype(int))
        np.testing.assert_allclose(data[x, y, z], values[at], rtol=1e-6)
    theirs.get_subheaders().fileobj.close()


@pytest.mark.parametrize(
    ("code", "axes"), [(0, "LAS"), (1, "RAI"), (2, "RPS"), (3, "LPI"), (8, "LPI")]
)
def test_how_the_patient_lies(tmp_path: Path, code: int, axes: str) -> None:
    """Prone turns about the long axis, feet first about the vertical one."""
    path, _ = scan(tmp_path / "a.v", edit=main("patient_orientation", code))
    image = load(path)
    assert "".join(aff2axcodes(image.affine)) == axes
    np.testing.assert_allclose(image.voxel_size, SIZE, rtol=1e-6)
    said = any("patient_orientation is 8" in text for text in image.remarks)
    assert said == (code == 8)
    assert np.linalg.det(image.affine) < 0  # turned, never mirrored


def test_lazy_slicing(tmp_path: Path) -> None:
    path, values = scan(tmp_path / "a.v")
    data = load(path).data
    for key in (
        (slice(None), slice(None), 2),
        (1, 2, 3, 1),
        (slice(1, 4), slice(None, None, -1), slice(5, 0, -2), slice(1, None)),
        (..., 2),
        (slice(None), 1, -1, [2, 0]),
        3,
    ):
        np.testing.assert_allclose(data[key], values[key], rtol=1e-6)
    slabs = [voxels for _, _, voxels in data.slabs()]
    np.testing.assert_allclose(np.concatenate(slabs, axis=-1), values, rtol=1e-6)


@pytest.mark.parametrize("kind", [(1, "u1"), (2, "<i2"), (5, ">f4"), (7, ">i4")])
def test_types_of_voxels(tmp_path: Path, kind: tuple[int, str]) -> None:
    path, _ = scan(tmp_path / "a.v", edit=each("data_type", kind[0]))
    raw, voxels = path.read_bytes(), 5 * 4 * 6
    at = 3 * 512  # of the first frame
    numbers = np.arange(voxels).astype(kind[1])
    path.write_bytes(raw[:at] + numbers.tobytes() + raw[at + numbers.nbytes :] + bytes(1024))
    scale = np.frombuffer(raw[2 * 512 + 26 :][:4], ">f4")[0]
    expected = numbers.reshape(SHAPE[:3], order="F") * float(scale) * CALIBRATION
    np.testing.assert_allclose(load(path).data[..., 0], expected, rtol=1e-6)


def test_decay_corrected_to_the_injection(tmp_path: Path) -> None:
    def edit(head: Any, sub: Any, t: int) -> None:
        if sub is not None:
            sub["decay_corr_fctr"] *= 2 ** (3600 / F18)

    path, _ = scan(tmp_path / "a.v", edit=edit)
    assert load(path).decay_corrected_to == load(path).injection == -3600.0


def test_options_fill_what_is_open(tmp_path: Path) -> None:
    def edit(head: Any, sub: Any, t: int) -> None:
        head["data_units"] = ""
        if sub is not None:
            sub["decay_corr_fctr"] = 1.0

    path, values = scan(tmp_path / "a.v", edit=edit)
    image = load(path, unit="kBq/mL", decay_corrected_to="none")
    assert (image.unit, image.decay_corrected_to) == ("kBq/mL", None)
    np.testing.assert_allclose(np.asarray(image.data), values, rtol=1e-6)
    with pytest.raises(InputError, match="Units"):
        load(path, decay_corrected_to="none")
    with pytest.raises(UsageError, match="--unit is kBq/mL"):
        load(scan(tmp_path / "b.v")[0], unit="kBq/mL")


def test_suv_needs_the_dose(tmp_path: Path) -> None:
    """``dosage`` may be Bq, MBq or mCi: it is not taken."""
    image = load(scan(tmp_path / "a.v")[0])
    with pytest.raises(InputError, match="InjectedRadioactivity is missing"):
        suv_conversion(image)
    factor = suv_conversion(image, dose=350e6).factor
    assert factor == pytest.approx(72000 / (350e6 * 2 ** (-3600 / F18)), rel=1e-6)


def frame_bytes(at: int, raw: bytes) -> Any:
    def edit(path: Path) -> None:
        old = path.read_bytes()
        path.write_bytes(old[:at] + raw + old[at + len(raw) :])

    return edit


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-512])


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (main("file_type", 11), r"holds 3-D sinograms \(file_type 11\)"),
        (main("num_gates", 8), r"is gated \(num_gates is 8\)"),
        (main("num_bed_pos", 2), r"of several beds \(num_bed_pos is 2\)"),
        (main("calibration_unitS", 0), "data_units is Bq/cc in a.v but calibration_units is 0"),
        (main("data_units", "counts"), "unit 'counts' in data_units of a.v is unknown"),
        (main("ecat_calibration_factor", 0.0), "ecat_calibration_factor is 0"),
        (main("ecat_calibration_factor", np.nan), "ecat_calibration_factor is nan"),
        (main("isotope_halflife", 109.8), "decay_corr_fctr is|half-li"),
        (main("dose_start_time", SCANNED - 10**6), "dose_start_time lies 1e[+]06 s before scan"),
        (each("decay_corr_fctr", 1.0), "corrections_applied says .* but decay_corr_fctr is not"),
        (each("decay_corr_fctr", 1.5), "decay_corr_fctr is 1.5 in frame 3"),
        (each("decay_corr_fctr", np.inf), "decay_corr_fctr is inf in frame 1"),
        (each("frame_duration", 0), "frame_duration is 0"),
        (each("data_type", 4), "data_type is 4 in frame 1"),
        (each("x_dimension", 0), r"frame 1 of a.v has shape \(0, 4, 6\)"),
        (each("x_dimension", 60000), "truncated: .* bytes of frame 1"),
        (each("x_pixel_size", 0.0), "pixel sizes are"),
        (cut, "truncated: .* bytes of frame 3; expected 240"),
        (frame_bytes(512 + 4, struct.pack(">i", 999)), "its directory is cut short"),
        (frame_bytes(512 + 12, struct.pack(">i", 99)), "lists 99 frames in a block"),
        (frame_bytes(512 + 12, struct.pack(">i", 0)), "its directory lists no frame"),
        (frame_bytes(512 + 20, struct.pack(">i", 999)), "frame 1 lies outside of it"),
        (frame_bytes(512 + 32, struct.pack(">i", 0x01010001)), "frame 1 is listed twice"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, edit: Any, says: str) -> None:
    of_header = edit.__code__.co_argcount == 3
    path, _ = scan(tmp_path / "a.v", edit=edit if of_header else None)
    if not of_header:
        edit(path)
    with warnings.catch_warnings(), pytest.raises(InputError, match=says) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_directory_without_end(tmp_path: Path) -> None:
    path, _ = scan(tmp_path / "a.v", directories=3)
    frame_bytes(2 * 512 + 4, struct.pack(">i", 3))(path)
    with pytest.raises(InputError, match="its directory goes in a circle"):
        load(path)
