"""Images in Interfile: voxels and where they are."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.io.raw.cases import MMR, TINY

from betaplus.core.errors import InputError, UsageError
from betaplus.core.grid import ImageGrid
from betaplus.io.raw.interfile_image import read_interfile_image, write_interfile_image

HEADER = """!INTERFILE  :=
name of data file := a.v
imagedata byte order := LITTLEENDIAN
patient orientation := head_in
patient rotation := supine
!number format := float
!number of bytes per pixel := 4
number of dimensions := 3
matrix axis label [1] := x
!matrix size [1] := {n[0]}
scaling factor (mm/pixel) [1] := 3
matrix axis label [2] := y
!matrix size [2] := {n[1]}
scaling factor (mm/pixel) [2] := 4
matrix axis label [3] := z
!matrix size [3] := {n[2]}
scaling factor (mm/pixel) [3] := 2
!END OF INTERFILE :=
"""


def by_hand(tmp_path, n=(3, 5, 9)):
    data = np.arange(np.prod(n), dtype="<f4")
    data.tofile(tmp_path / "a.v")
    (tmp_path / "a.hv").write_text(HEADER.format(n=n))
    return tmp_path / "a.hv", data.reshape(n[::-1]).T


def test_x_is_fastest_and_odd_sizes_are_centred(tmp_path):
    path, data = by_hand(tmp_path)
    found = read_interfile_image(path)
    assert found.data.dtype == np.float32 and found.data.flags.c_contiguous
    assert np.array_equal(found.data, data)
    assert found.grid.voxel_size == (3, 4, 2) and found.grid.centre == (0, 0, 0)
    assert np.allclose(found.affine @ (1, 2, 4, 1), (0, 0, 0, 1))
    assert np.allclose(found.affine @ (2, 2, 4, 1), (-3, 0, 0, 1))


def test_z_begins_at_the_first_ring(tmp_path):
    path, _ = by_hand(tmp_path, (3, 5, 9))  # 9 planes of 2 mm on 5 rings of 4 mm
    assert np.allclose(read_interfile_image(path, TINY).grid.axis(2), np.arange(9) * 2.0 - 8.0)
    assert read_interfile_image(path, TINY).grid.axis(2)[0] == TINY.ring_z[0]


def test_even_sizes_have_a_voxel_on_the_axis(tmp_path):
    path, _ = by_hand(tmp_path, (4, 6, 9))
    found = read_interfile_image(path, TINY)
    assert found.grid.axis(0)[2] == 0.0 and found.grid.axis(1)[3] == 0.0


def test_offsets(tmp_path):
    path, _ = by_hand(tmp_path)
    extra = "".join(f"first pixel offset (mm) [{i}] := {i}\n" for i in (1, 2, 3))
    path.write_text(path.read_text().replace("!END", extra + "!END"))
    assert np.allclose(read_interfile_image(path, TINY).grid.first, (1, 2, 3 - 8))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    size=st.tuples(*[st.floats(0.5, 9)] * 3),
    centre=st.tuples(*[st.floats(-50, 50)] * 3),
)
def test_written_is_read(tmp_path, shape, size, centre):
    grid = ImageGrid(shape=shape, voxel_size=size, centre=centre)
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    write_interfile_image(tmp_path / "b.hv", data, grid, MMR)
    found = read_interfile_image(tmp_path / "b.hv", MMR)
    assert np.array_equal(found.data, data) and found.grid.shape == shape
    assert np.allclose(found.grid.first, grid.first, atol=1e-9)
    assert found.grid.voxel_size == size


def test_compressed_beside(tmp_path):
    path, data = by_hand(tmp_path)
    raw = (tmp_path / "a.v").read_bytes()
    (tmp_path / "a.v").unlink()
    (tmp_path / "a.v.gz").write_bytes(gzip.compress(raw))
    assert np.array_equal(read_interfile_image(path).data, data)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size [1] := 3", "size [1] := 4", "a.v holds 540 bytes; expected 720 as a.hv says"),
        ("size [1] := 3", "size [1] := 0", "0 voxels of 3.0 mm along x"),
        ("[2] := 4", "[2] := -4", "5 voxels of -4.0 mm along y"),
        ("scaling factor (mm/pixel) [3] := 2\n", "", "9 voxels of None mm along z"),
        ("label [1] := x", "label [1] := z", "axis 1 is 'z'"),
        ("dimensions := 3", "dimensions := 4", "not 3 dimensions"),
        ("!number format", "number of time frames := 2\n!number format", "several time frames"),
        ("size [3] := 9", "size [3] := 999999999", "999999999.*expected at most"),
    ],
)
def test_headers_that_are_wrong(tmp_path, old, new, message):
    path, _ = by_hand(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_interfile_image(path)


def test_other_positions_are_remarked(tmp_path):
    path, _ = by_hand(tmp_path)
    path.write_text(path.read_text().replace("head_in", "feet_in"))
    assert "feet_in" in read_interfile_image(path).remarks[0]


def test_what_cannot_be_written(tmp_path):
    grid = ImageGrid(shape=(2, 2, 2), voxel_size=(1.0, 1.0, 1.0))
    with pytest.raises(UsageError, match=r"a name in \.hv"):
        write_interfile_image(tmp_path / "b.v", np.zeros((2, 2, 2)), grid, TINY)
    with pytest.raises(UsageError, match=r"expected \(2, 2, 2\)"):
        write_interfile_image(tmp_path / "b.hv", np.zeros((2, 2, 3)), grid, TINY)
