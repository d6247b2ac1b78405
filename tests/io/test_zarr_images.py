"""PET images as zarr stores: the numbers of the NIfTI file, one plain line for every defect."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from typing import Any

import nibabel
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.numpy import basic_indices
from tests.io.zarr_store import AFFINE, CHUNKS, FIELDS, SHAPE, numbers, store

from betaplus.core.errors import InputError, OutputError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.tracer import Tracer
from betaplus.io.derivatives import source_stem, write_image, write_map
from betaplus.io.describe import describe
from betaplus.io.nifti import open_nifti
from betaplus.io.open import load
from betaplus.io.voxels import default_mask, iterate_frames, iterate_slabs, load_mask, voxel_curves
from betaplus.io.zarr_images import LazyZarr, load_zarr_image, open_zarr, write_zarr_image


def image(data: np.ndarray | None = None) -> PetImage:
    frames = FrameTiming.from_durations([10.0, 20, 30, 40, 50, 60, 70])
    return PetImage(
        data=numbers() if data is None else data,
        affine=AFFINE,
        unit="Bq/mL",
        frames=frames,
        tracer=Tracer.of("C11", name="PBR28"),
        decay_corrected_to=12.0,
        injection=3.0,
        metadata={"Manufacturer": "none", "FrameDuration": [1.0]},
    )


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "f8", "i2", "u2", "i4", "u1"])
@pytest.mark.parametrize("chunks", [CHUNKS, SHAPE, (5, 4, 6, 1), (1, 4, 2, 3)])
def test_read_is_what_zarr_stored(tmp_path, dtype, chunks):
    stored = np.clip(numbers(), 0, 100).astype(dtype)
    data = open_zarr(store(tmp_path / "a.zarr", stored, chunks=chunks))
    got = data.read()
    assert got.dtype == np.float32 and got.flags.c_contiguous and got.flags.writeable
    np.testing.assert_array_equal(got, stored.astype(np.float32))
    np.testing.assert_array_equal(data.header.affine, AFFINE)
    assert data.header.remarks == ()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    stored = numbers()
    keep = np.array([0, 2, 3, 6])
    path = store(tmp_path_factory.mktemp("pair") / "a.zarr", stored, chunks=(2, 3, 4, 2))
    return open_zarr(path).with_frames(keep), stored[..., keep]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(key=basic_indices((5, 4, 6, 4), allow_newaxis=False))
def test_slices_like_an_array(pair, key):
    data, expected = pair
    np.testing.assert_array_equal(data[key], expected[key])


def test_frames_are_chosen_in_any_order(pair):
    data, expected = pair
    np.testing.assert_array_equal(data.read([3, 0, 0]), expected[..., [3, 0, 0]])
    np.testing.assert_array_equal(data[1, :, 2, [2, 1]], expected[1][:, 2][:, [2, 1]])
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(data))), expected)
    order = [position for position, _ in data.stream([3, 0, 0])]
    assert sorted(order) == [0, 1, 2]
    for position, frame in data.stream([3, 0, 0]):
        np.testing.assert_array_equal(frame, expected[..., [3, 0, 0][position]])
    for key in ((..., 4), (5,), (-6,)):
        with pytest.raises(IndexError):
            data[key]


@pytest.mark.parametrize("chunks", [(2, 3, 4, 7), (5, 4, 6, 1), (1, 1, 1, 3), (5, 4, 5, 2)])
@pytest.mark.parametrize("limit", [1 << 28, 600, 1])
def test_slabs_are_every_voxel_once(tmp_path, monkeypatch, chunks, limit):
    monkeypatch.setattr("betaplus.io.zarr_images._AT_A_TIME", limit)
    stored = numbers()
    keep = np.array([0, 1, 3, 4, 6])
    data = open_zarr(store(tmp_path / "a.zarr", stored, chunks=chunks)).with_frames(keep)
    seen = np.zeros(data.shape, dtype=int)
    found = np.zeros(data.shape, dtype=np.float32)
    last: dict[int, int] = {}
    for planes, frames, voxels in data.slabs():
        assert voxels.nbytes <= max(limit, 4 * 5 * 4 * 2)
        seen[:, :, planes, frames] += 1
        found[:, :, planes, frames] = voxels
        for t in range(frames.start, frames.stop):
            assert planes.start == last.get(t, 0)  # ascending, without a gap
            last[t] = planes.stop
    assert (seen == 1).all()
    np.testing.assert_array_equal(found, stored[..., keep])
    for t, frame in data.stream():
        np.testing.assert_array_equal(frame, stored[..., keep[t]])


@pytest.fixture
def read(monkeypatch):
    """The chunks that were read, in order."""
    found: list[str] = []
    original = zarr.storage.LocalStore.get

    async def get(self, key, *args, **kwargs):
        if "/c/" in key:
            found.append(key)
        return await original(self, key, *args, **kwargs)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", get)
    return found


def test_a_slab_reads_every_chunk_once(tmp_path, read):
    """Curves of time-contiguous chunks must not decompress the store once per frame."""
    scan = load(store(tmp_path / "a.zarr", numbers()))
    read.clear()
    mask = default_mask(scan)
    assert len(read) == len(set(read)) == 3 * 2 * 2
    read.clear()
    voxel_curves(scan, mask)
    assert len(read) == len(set(read)) == 3 * 2 * 2


def test_a_stream_reads_every_chunk_once_where_it_holds_few_frames(tmp_path, read, monkeypatch):
    data = open_zarr(store(tmp_path / "a.zarr", numbers(), chunks=(5, 4, 6, 2)))
    monkeypatch.setattr("betaplus.io.zarr_images._AT_A_TIME", 3 * 4 * 5 * 4 * 6)  # three frames
    read.clear()
    for t, frame in data.stream():
        np.testing.assert_array_equal(frame, numbers()[..., t])
    assert len(read) == len(set(read)) == 4


@pytest.mark.parametrize("chunks", [(2, 3, 4, 7), (5, 4, 6, 1), (5, 4, 1, 3)])
def test_curves_and_mask_are_those_of_the_nifti_file(tmp_path, chunks):
    data = numbers()
    nibabel.save(nibabel.Nifti1Image(data, AFFINE), tmp_path / "a.nii.gz")
    (tmp_path / "a.json").write_text(json.dumps(FIELDS))
    nifti = load(tmp_path / "a.nii.gz")
    scan = load(store(tmp_path / "a.zarr", data, fields=None, chunks=chunks))  # JSON beside it
    assert scan.unit == nifti.unit == "kBq/mL" and scan.frames == nifti.frames
    mask = default_mask(scan)
    np.testing.assert_array_equal(mask, (data != 0).any(axis=3))
    np.testing.assert_array_equal(mask, default_mask(nifti))
    mask[3] = False
    for found in (voxel_curves(scan, mask), voxel_curves(nifti, mask)):
        assert found.dtype == np.float32 and found.flags.c_contiguous
        np.testing.assert_array_equal(found, data[mask])
    for (t, a), (u, b) in zip(iterate_frames(scan), iterate_frames(nifti), strict=True):
        assert t == u
        np.testing.assert_array_equal(a, b)
    for one in (scan, nifti):
        for planes, frames, voxels in iterate_slabs(one):
            np.testing.assert_array_equal(voxels, data[:, :, planes, frames])


def test_a_voxel_that_is_no_number_is_named(tmp_path):
    data = numbers()
    data[4, 1, 5, 3] = np.nan
    scan = load(store(tmp_path / "a.zarr", data))
    with pytest.raises(InputError, match=r"a.zarr holds nan at voxel \(4, 1, 5\) in frame 4"):
        voxel_curves(scan, default_mask(scan))


def test_written_store_loads_bit_equal(tmp_path):
    path = tmp_path / "new" / "sub-01_pet.zarr"
    write_zarr_image(path, image(), {"Manufacturer": "other"})
    assert [p.name for p in path.parent.iterdir()] == ["sub-01_pet.zarr"]
    got, expected = load(path), image()
    np.testing.assert_array_equal(got.data[...], expected.data)
    np.testing.assert_array_equal(got.affine, AFFINE)
    assert got.frames == expected.frames and got.tracer == expected.tracer
    assert (got.unit, got.decay_corrected_to, got.injection) == ("Bq/mL", 12.0, 3.0)
    assert got.metadata["Manufacturer"] == "other" and got.source == path and not got.remarks
    array = zarr.open_group(str(path), mode="r")["data"]
    assert array.chunks == SHAPE and array.dtype == np.float32  # no longer than the image
    np.testing.assert_array_equal(array[...], expected.data)
    write_image(tmp_path / "a_pet.nii.gz", expected)
    fields = json.loads((tmp_path / "a_pet.json").read_text())
    stored = json.loads((path / "zarr.json").read_text())["attributes"]["pet"]
    assert stored == {**fields, "Manufacturer": "other"}


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_becomes_zarr_without_being_held(tmp_path, name):
    data = np.round(numbers(1, (64, 32, 320, 12)) / 20)
    nibabel.save(nibabel.Nifti1Image(data, AFFINE), tmp_path / name)
    fields = {
        **FIELDS,
        "FrameTimesStart": [60.0 * i for i in range(12)],
        "FrameDuration": [60.0] * 12,
    }
    (tmp_path / "a.json").write_text(json.dumps(fields))
    scan = load(tmp_path / name)
    write_zarr_image(tmp_path / "warm.zarr", image())  # what is imported and cached
    tracemalloc.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.io.zarr_images._AT_A_TIME", 1)  # a layer of chunks at a time
        write_zarr_image(tmp_path / "b.zarr", scan)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * data.nbytes  # ten layers: one, its copies on the way, and a frame
    got = load(tmp_path / "b.zarr")
    assert got.data.header.chunks == (32, 32, 32, 12)
    np.testing.assert_array_equal(got.data[...], data)
    np.testing.assert_allclose(got.affine, scan.affine)
    assert got.frames == scan.frames and got.metadata["Sources"] == [name]


def test_a_volume(tmp_path):
    data = numbers()[..., -1]
    store(tmp_path / "a.zarr", data, {"Units": "SUV"})
    scan = load_zarr_image(tmp_path / "a.zarr")
    assert scan.shape == SHAPE[:3] and scan.frames is None and scan.unit == "SUV"
    np.testing.assert_array_equal(scan.data[...], data)
    np.testing.assert_array_equal(default_mask(scan), data != 0)
    np.testing.assert_array_equal(voxel_curves(scan, data != 0)[:, 0], data[data != 0])
    single = store(tmp_path / "b.zarr", data[..., None], {"Units": "SUV"}, chunks=(2, 3, 4, 1))
    assert load(single).shape == SHAPE[:3]
    np.testing.assert_array_equal(load(single).data[...], data)
    write_zarr_image(tmp_path / "c.zarr", load(single))
    np.testing.assert_array_equal(load(tmp_path / "c.zarr").data[...], data)


def test_maps_and_masks_lie_on_the_grid_of_the_store(tmp_path):
    scan = load(store(tmp_path / "sub-01_pet.zarr", numbers()))
    assert source_stem(scan.source) == "sub-01"
    assert source_stem(f"{scan.source}/") == "sub-01"
    write_map(tmp_path / "map.nii.gz", numbers()[..., 0], scan, {"Units": "1"})
    written = open_nifti(tmp_path / "map.nii.gz")
    np.testing.assert_allclose(written.header.affine, AFFINE, atol=1e-6)
    sidecar = json.loads((tmp_path / "map.json").read_text())
    assert sidecar["Sources"] == ["sub-01_pet.zarr"] and "FrameDuration" not in sidecar
    values = (numbers()[..., 0] > 40).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(load_mask(tmp_path / "mask.nii.gz", scan), values != 0)
    away = AFFINE.copy()
    away[0, 3] += 1
    nibabel.save(nibabel.Nifti1Image(values, away), tmp_path / "away.nii.gz")
    with pytest.raises(InputError, match="1 mm away"):
        load_mask(tmp_path / "away.nii.gz", scan)


def test_the_space_of_a_nifti_file_is_kept(tmp_path):
    nifti = nibabel.Nifti1Image(numbers()[..., 0], AFFINE)
    nifti.set_sform(AFFINE, code=4)
    nibabel.save(nifti, tmp_path / "a.nii.gz")
    (tmp_path / "a.json").write_text('{"Units": "SUV"}')
    write_zarr_image(tmp_path / "b.zarr", load(tmp_path / "a.nii.gz"))
    write_map(tmp_path / "c.nii.gz", numbers()[..., 0], load(tmp_path / "b.zarr"), {"Units": "1"})
    assert int(nibabel.load(tmp_path / "c.nii.gz").header["sform_code"]) == 4


def test_sharded_stores_are_read(tmp_path):
    data = numbers()
    path = store(tmp_path / "a.zarr", data, chunks=(2, 2, 2, 7), shards=(4, 4, 4, 7))
    assert open_zarr(path).header.chunks == (2, 2, 2, 7)
    np.testing.assert_array_equal(open_zarr(path).read(), data)


def test_a_shard_is_larger_than_its_chunks(tmp_path):
    data = np.random.default_rng(1).random((16, 16, 16, 7), np.float32)  # 115 kB, hardly packed
    path = store(tmp_path / "a.zarr", data, chunks=(2, 2, 2, 7), shards=(16, 16, 16, 7))
    np.testing.assert_array_equal(open_zarr(path).read(), data)


def test_an_option_fills_what_the_fields_lack(tmp_path):
    fields = {k: v for k, v in FIELDS.items() if k != "Units"}
    path = store(tmp_path / "a.zarr", numbers(), fields)
    with pytest.raises(InputError, match=r"Units is missing in a\.zarr"):
        load(path)
    assert load(path, unit="Bq/mL").unit == "Bq/mL"


def test_a_json_that_differs_is_remarked(tmp_path):
    path = store(tmp_path / "a.zarr", numbers())
    (tmp_path / "a.json").write_text(json.dumps({**FIELDS, "Units": "Bq/mL", "More": 1}))
    scan = load(path)
    assert scan.unit == "kBq/mL"
    assert scan.remarks == (
        "a.json differs from the fields in a.zarr in Units: those in the store are used",
    )


def test_chunks_that_are_not_there_are_remarked(tmp_path):
    path = store(tmp_path / "a.zarr", numbers())
    assert not load(path).remarks
    lost = path / "data" / "c" / "0" / "0" / "1" / "0"
    lost.unlink()
    scan = load(path)
    assert scan.remarks == ("1 of 12 chunks of a.zarr are not stored: read as 0.0",)
    assert not scan.data[:2, :3, 4:].any() and scan.data[:2, :3, :4].any()
    write_zarr_image(tmp_path / "air.zarr", image(np.zeros((40, 40, 40, 7), np.float32)))
    assert not load(tmp_path / "air.zarr").remarks  # empty ones are stored


def test_a_store_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_zarr(tmp_path / "a.zarr")


def test_nothing_half_written_is_left(tmp_path):
    bad = image()
    object.__setattr__(bad, "data", _Failing(numbers()))
    with pytest.raises(InputError, match="truncated"):
        write_zarr_image(tmp_path / "deep" / "a.zarr", bad)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        write_zarr_image(tmp_path / "file" / "a.zarr", image())


class _Failing:
    def __init__(self, data: np.ndarray) -> None:
        self.shape = data.shape

    def __getitem__(self, key: Any) -> np.ndarray:
        raise InputError("b.nii.gz is truncated")


def test_info_tells_what_a_store_is(tmp_path):
    data = numbers()
    data[..., 2] = 0
    data[1, 1, 1, 0] = np.inf
    fields = {k: v for k, v in FIELDS.items() if k != "Units"}
    path = store(tmp_path / "a_pet.zarr", data, fields)
    found = describe(path)
    assert json.loads(json.dumps(found)) == found
    assert found["kind"] == "image" and found["shape"] == list(SHAPE)
    assert found["voxel_size_mm"] == [3, 2, 2.502]
    assert found["frames"]["count"] == 7 and found["tracer"]["radionuclide"] == "F18"
    finite = data[np.isfinite(data)]
    assert found["range"] == [float(finite.min()), float(finite.max())]
    errors = [p["text"] for p in found["problems"] if p["level"] == "error"]
    assert any("Units is missing in a_pet.zarr" in text for text in errors)
    assert "1 values of a_pet.zarr are NaN or infinite" in errors
    remarks = [p["text"] for p in found["problems"] if p["level"] == "remark"]
    assert "frames 3 are zero everywhere" in remarks


def test_lazy_voxels_know_their_kind(tmp_path):
    data = open_zarr(store(tmp_path / "a.zarr", numbers()))
    assert isinstance(data, LazyZarr)
    assert (data.ndim, len(data), data.dtype) == (4, 5, np.float32)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(data, copy=False)
