"""NIfTI files that ask for more than they hold."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import logging
import struct
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.filebasedimages import ImageFileError

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.io.labels import load_labels
from betaplus.io.nifti import open_nifti

_DIM, _OFFSET, _UNITS = 40, 108, 123  # places in the header of NIfTI-1


def saved(path: Path, **values: tuple[int, bytes]) -> Path:
    """Write an image of 2 x 3 x 4 voxels with other bytes in its header."""
    image = nibabel.Nifti1Image(np.ones((2, 3, 4), np.float32), np.eye(4))
    raw = bytearray(image.to_bytes())
    for at, content in values.values():
        raw[at : at + len(content)] = content
    path.write_bytes(gzip.compress(bytes(raw)) if path.suffix == ".gz" else bytes(raw))
    return path


def dimensions(*shape: int) -> tuple[int, bytes]:
    return _DIM, struct.pack("<8h", len(shape), *shape, *([1] * (7 - len(shape))))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(
    "shape", [(30000, 30000, 30000), (1000, 1000, 1000, 1000), (1000, 1000, 1000, 60)]
)
def test_dimensions_that_are_not_there(tmp_path, name, shape):
    path = saved(tmp_path / name, dim=dimensions(*shape))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"says that it has shape|is truncated"):
        open_nifti(path)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()


def test_dimensions_with_room_but_without_reason(tmp_path):
    """A file with a hole is as long as it says and takes no room on the disk."""
    path = saved(tmp_path / "a.nii", dim=dimensions(1000, 1000, 1000, 1000))
    with path.open("r+b") as file:
        file.truncate(352 + 4 * 10**12)
    with pytest.raises(InputError, match=r"shape \(1000, 1000, 1000, 1000\); expected at most"):
        open_nifti(path)


@pytest.mark.parametrize("offset", [1e9, -400.0, 100.0, np.nan, np.inf])
def test_voxels_that_begin_nowhere(tmp_path, offset):
    path = saved(tmp_path / "a.nii.gz", offset=(_OFFSET, struct.pack("<f", offset)))
    with pytest.raises(InputError, match=r"begin at byte|not a readable NIfTI"):
        open_nifti(path)


@pytest.mark.parametrize("size", [2**31 - 16, 4, 0, -16])
def test_an_extension_is_not_unpacked(tmp_path, size):
    """Behind the header stand 200 MB of zeros that call themselves an extension."""
    image = nibabel.Nifti1Image(np.ones((2, 3, 4), np.float32), np.eye(4))
    raw = bytearray(image.to_bytes()[:348])
    raw[_OFFSET : _OFFSET + 4] = struct.pack("<f", 32 << 20)
    path = tmp_path / "a.nii.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(bytes(raw) + b"\1\0\0\0" + struct.pack("<ii", size, 4))
        for _ in range(200):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    assert open_nifti(path).shape == (2, 3, 4)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()


def test_other_packings_are_not_unpacked(tmp_path):
    path = tmp_path / "a.nii.bz2"
    path.write_bytes(bz2.compress(bytes(1 << 20)))
    with pytest.raises(InputError, match=r"no NIfTI file by its name; expected \.nii or \.nii\.gz"):
        open_nifti(path)


def test_odd_headers_are_not_talked_about(tmp_path):
    """The library logs what it finds; of a refused file the one line is enough."""
    heard: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = heard.append  # type: ignore[method-assign]
    logger = logging.getLogger("nibabel.global")
    logger.addHandler(listener)
    try:
        for change in ((70, b"\x99\x09"), (344, b"\0\0n+"), (80, bytes(12)), (_UNITS, b"\xff")):
            path = saved(tmp_path / "a.nii", change=change)
            with contextlib.suppress(InputError):
                open_nifti(path)
        assert heard == []
        with contextlib.suppress(ImageFileError):
            nibabel.load(saved(tmp_path / "a.nii", change=(80, bytes(12))))
        assert heard != []
    finally:
        logger.removeHandler(listener)


def test_an_affine_beyond_this_world(tmp_path):
    for value in (1e30, 1e7, float("nan")):
        rows = struct.pack("<12f", value, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
        path = saved(tmp_path / "a.nii", affine=(280, rows), code=(252, struct.pack("<2h", 0, 1)))
        with pytest.raises(InputError, match="the affine of"):
            open_nifti(path)


def test_labels_beyond_whole_numbers(tmp_path):
    values = np.zeros((2, 3, 4), np.float32)
    values[0, 0, 0] = 1e12
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "a_dseg.nii")
    frames = FrameTiming.from_durations([60.0])
    like = PetImage(data=values[..., None], affine=np.eye(4), unit="Bq/mL", frames=frames)
    with pytest.raises(InputError, match=r"a_dseg\.nii holds 1e\+12; expected labels to 16777216"):
        load_labels(tmp_path / "a_dseg.nii", like)
