"""Lazy NIfTI reading: the same numbers as nibabel, one plain line for every broken file."""

from __future__ import annotations

import gzip
import pickle

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.numpy import basic_indices

from betaplus.core.errors import InputError
from betaplus.io.nifti import LazyNifti, open_nifti


def save(path, data, affine=None, **header):
    image = nibabel.Nifti1Image(data, np.diag([2.0, 3.0, 4.0, 1.0]) if affine is None else affine)
    for key, value in header.items():
        image.header[key] = value
    nibabel.save(image, path)
    return path


def numbers(shape=(4, 3, 5, 6), dtype=np.float32):
    return np.random.default_rng(0).normal(50, 20, shape).astype(dtype)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<i2", ">i2", "u1"])
def test_read_is_what_was_stored(tmp_path, name, dtype):
    stored = np.clip(numbers(), 0, 100).astype(dtype)
    data = open_nifti(save(tmp_path / name, stored))
    got = data.read()
    assert data.shape == stored.shape
    assert got.dtype == np.float32
    assert got.flags.c_contiguous and got.flags.writeable
    np.testing.assert_array_equal(got, stored.astype(np.float32))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_scale_factors_are_applied(tmp_path, name):
    path = tmp_path / name
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.37, -5.0)
    nibabel.save(image, path)
    expected = nibabel.load(path).get_fdata()
    np.testing.assert_allclose(open_nifti(path).read(), expected, rtol=1e-6)
    assert expected.min() < 0 < expected.max()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    stored = numbers()
    keep = np.array([0, 2, 3, 5])
    files = [open_nifti(save(folder / name, stored)) for name in ("a.nii", "a.nii.gz")]
    return [LazyNifti(file.header, keep) for file in files], stored[..., keep]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(key=basic_indices((4, 3, 5, 4), allow_newaxis=False))
def test_slices_like_an_array(pair, key):
    files, expected = pair
    for file in files:
        np.testing.assert_array_equal(file[key], expected[key])


def test_frames_are_chosen_in_any_order(pair):
    files, expected = pair
    for file in files:
        np.testing.assert_array_equal(file.read([3, 0, 0]), expected[..., [3, 0, 0]])
        np.testing.assert_array_equal(file[1, :, 2, [2, 1]], expected[1][:, 2][:, [2, 1]])
        np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(file))), expected)
        with pytest.raises(IndexError):
            file[..., 4]


def test_opening_reads_no_voxels(tmp_path):
    path = save(tmp_path / "a.nii.gz", numbers((20, 20, 20, 30)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 10])
    data = open_nifti(path)
    assert data.shape == (20, 20, 20, 30)
    data[..., 0]  # the first frame is still there
    with pytest.raises(InputError, match=r"a\.nii\.gz is truncated"):
        data.read()


def test_whole_gzip_of_a_cut_file(tmp_path):
    path = save(tmp_path / "a.nii.gz", numbers())
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-4]))
    with pytest.raises(InputError, match=r"a\.nii\.gz is truncated"):
        open_nifti(path).read()


def test_gzip_checksum_is_checked(tmp_path):
    path = save(tmp_path / "a.nii.gz", numbers())
    whole = bytearray(path.read_bytes())
    whole[-6] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"a\.nii\.gz is a damaged gzip file"):
        open_nifti(path).read()


def broken(tmp_path, kind):
    path = tmp_path / ("a.nii" if kind in ("short", "analyze", "flat") else "a.nii.gz")
    if kind == "text":
        path.write_bytes(gzip.compress(b"hello" * 200))
    elif kind == "not gzip":
        path.write_bytes(b"hello" * 200)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "header cut":
        save(path, numbers())
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:200]))
    elif kind == "complex":
        save(path, numbers(dtype=np.complex64))
    elif kind == "5-D":
        save(path, numbers((2, 2, 2, 2, 3)))
    elif kind == "2-D":
        save(path, numbers((2, 2)))
    elif kind == "bad type":
        save(path, numbers())
        raw = bytearray(gzip.decompress(path.read_bytes()))
        raw[70:72] = b"\x99\x09"
        path.write_bytes(gzip.compress(bytes(raw)))
    elif kind == "flat":
        save(path, numbers())
        raw = bytearray(path.read_bytes())
        raw[280:328] = bytes(48)  # srow_x, srow_y, srow_z
        path.write_bytes(raw)
    elif kind == "short":
        save(path, numbers())
        path.write_bytes(path.read_bytes()[:-4])
    elif kind == "analyze":
        nibabel.save(nibabel.Spm99AnalyzeImage(numbers((2, 2, 2)), np.eye(4)), tmp_path / "a.img")
        (tmp_path / "a.img").rename(path)
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "does not exist"),
        ("text", "not a readable NIfTI"),
        ("not gzip", "damaged gzip file"),
        ("empty", "not a readable NIfTI"),
        ("header cut", "not a readable NIfTI"),
        ("bad type", "not a readable NIfTI"),
        ("analyze", "not a readable NIfTI"),
        ("complex", "complex64 voxels; expected real numbers"),
        ("5-D", r"shape \(2, 2, 2, 2, 3\)"),
        ("2-D", r"shape \(2, 2\)"),
        ("flat", "singular"),
        ("short", "truncated: 1788 bytes; expected 1792"),
    ],
)
def test_broken_files_are_one_plain_line(tmp_path, capfd, kind, says):
    path = broken(tmp_path, kind)
    with pytest.raises(InputError, match=says) as caught:
        open_nifti(path)
    assert path.name in str(caught.value) and "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_untidy_headers_leave_remarks(tmp_path):
    image = nibabel.Nifti1Image(numbers((2, 2, 2, 3, 1)), None)
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "a.nii")
    data = open_nifti(tmp_path / "a.nii")
    assert data.shape == (2, 2, 2, 3)
    np.testing.assert_allclose(abs(np.diag(data.header.affine)[:3]), [1e-3] * 3)
    assert "orientation" in data.header.remarks[0] and "micron" in data.header.remarks[1]
