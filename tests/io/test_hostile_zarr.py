"""Zarr stores whose chunks say that they hold more than their place in the array."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr

from betaplus.core.errors import InputError
from betaplus.io.zarr_chunks import check_chunks
from betaplus.io.zarr_images import open_zarr

SHAPE = (4, 4, 4)
SIZE = 4 * 4 * 4 * 4  # bytes


def store(path: Path, compressors: Any, **options: Any) -> Path:
    """Write a store of one chunk and return the file of that chunk."""
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    group.attrs["affine"] = np.eye(4).tolist()
    options = {"chunks": SHAPE, **options}
    array = group.create_array(
        "data", shape=SHAPE, dtype=np.float32, compressors=compressors, **options
    )
    array[...] = values()
    return path / "data" / "c" / "0" / "0" / "0"


def values() -> np.ndarray:
    return np.arange(64, dtype=np.float32).reshape(SHAPE)


BLOSC, ZSTD, GZIP = zarr.codecs.BloscCodec, zarr.codecs.ZstdCodec, zarr.codecs.GzipCodec


def blosc_of_two_gigabytes(raw: bytes) -> bytes:
    return raw[:4] + (2**31 - 32).to_bytes(4, "little") + raw[8:]


def blosc_that_is_longer_than_it_is(raw: bytes) -> bytes:
    """The library would read 2 GB beyond the end of the chunk, and the process would die."""
    return raw[:12] + (2**31 - 1).to_bytes(4, "little") + raw[16:]


def blosc_of_a_bomb(raw: bytes) -> bytes:
    return bytes(numcodecs.Blosc("zstd", 5).encode(bytes(1 << 28)))


def zstd_of_a_bomb(raw: bytes) -> bytes:
    return bytes(numcodecs.Zstd(1).encode(bytes(1 << 28)))


def zstd_of_two_frames(raw: bytes) -> bytes:
    """The first frame is what was stored."""
    return raw + zstd_of_a_bomb(raw)


def zstd_behind_a_frame_to_skip(raw: bytes) -> bytes:
    return (0x184D2A50).to_bytes(4, "little") + b"\4\0\0\0none" + zstd_of_a_bomb(raw)


def zstd_of_a_terabyte(raw: bytes) -> bytes:
    """A frame whose header alone says so, in its eight bytes for the size."""
    return raw[:4] + b"\xe0" + (10**12).to_bytes(8, "little") + raw[6:]


def zstd_that_does_not_say(raw: bytes) -> bytes:
    return raw[:4] + b"\0\x70" + raw[6:]


def gzip_of_a_bomb(raw: bytes) -> bytes:
    return gzip.compress(bytes(1 << 28), 9)


def gzip_of_two_members(raw: bytes) -> bytes:
    return raw + gzip.compress(bytes(1 << 28), 9)


@pytest.mark.parametrize(
    ("codec", "change"),
    [
        (BLOSC, blosc_of_two_gigabytes),
        (BLOSC, blosc_that_is_longer_than_it_is),
        (BLOSC, blosc_of_a_bomb),
        (ZSTD, zstd_of_a_bomb),
        (ZSTD, zstd_of_two_frames),
        (ZSTD, zstd_behind_a_frame_to_skip),
        (ZSTD, zstd_of_a_terabyte),
        (ZSTD, zstd_that_does_not_say),
        (GZIP, gzip_of_a_bomb),
        (GZIP, gzip_of_two_members),
    ],
)
@pytest.mark.parametrize("sharded", [False, True])
def test_bombs_are_not_unpacked(
    tmp_path: Path, codec: Any, change: Callable[[bytes], bytes], sharded: bool
) -> None:
    path = tmp_path / "a.zarr"
    chunk = store(path, codec(), shards=SHAPE if sharded else None)
    np.testing.assert_array_equal(open_zarr(path).read(), values())
    raw = chunk.read_bytes()
    if sharded:  # the place and size of the one chunk stand at the end, with a checksum of 4 bytes
        at, size = np.frombuffer(raw[-20:-4], "<u8")
        changed = change(raw[at : at + size])
        index = np.array([0, len(changed)], "<u8").tobytes()
        crc = numcodecs.CRC32C(location="end").encode(index)
        chunk.write_bytes(changed + bytes(crc))
    else:
        chunk.write_bytes(change(raw))
    tracemalloc.start()
    with pytest.raises(
        InputError, match=r"a\.zarr (is damaged: a chunk|cannot be used: a chunk of)"
    ):
        open_zarr(path).read()
    assert tracemalloc.get_traced_memory()[1] < 16 << 20  # the bombs hold 256 MiB and more
    tracemalloc.stop()


def test_the_measure_sees_what_is_unpacked(tmp_path: Path) -> None:
    bomb = zstd_of_a_bomb(b"")
    tracemalloc.start()
    numcodecs.Zstd().decode(bomb)
    assert tracemalloc.get_traced_memory()[1] > 1 << 28
    tracemalloc.stop()


WHOLE = [
    *(BLOSC(cname=n, shuffle="bitshuffle") for n in ("lz4", "lz4hc", "zstd", "zlib", "blosclz")),
    BLOSC(cname="lz4", shuffle="noshuffle", clevel=0),
    ZSTD(level=3, checksum=True),
    GZIP(level=9),
]


@pytest.mark.parametrize("codec", WHOLE)
def test_what_is_whole_is_read(tmp_path: Path, codec: Any) -> None:
    """Also of chunks that reach beyond the array, and behind another checksum."""
    store(tmp_path / "a.zarr", (codec, zarr.codecs.Crc32cCodec()), chunks=(3, 4, 2))
    np.testing.assert_array_equal(open_zarr(tmp_path / "a.zarr").read(), values())


def test_a_grid_of_too_many_chunks_is_not_counted_out() -> None:
    assert check_chunks((1000, 1000, 1000), (32, 32, 32), 4, 0) is None
    assert "chunks, expected at most" in str(check_chunks((1000, 1000, 1000), (1, 1, 1), 4, 0))


def test_a_chunk_far_larger_than_the_array() -> None:
    assert check_chunks((4, 4, 4), (128, 128, 128), 4, 0) is None
    assert "numbers for shape" in str(check_chunks((4, 4, 4), (400, 400, 400), 4, 0))


def test_a_file_far_larger_than_its_chunk(tmp_path: Path) -> None:
    chunk = store(tmp_path / "a.zarr", None)
    with chunk.open("r+b") as file:
        file.truncate(8 << 30)  # takes no room on the disk
    with pytest.raises(InputError, match="a chunk of 8589934592 bytes for 256 bytes of numbers"):
        open_zarr(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": [10_000, 10_000, 10_000]}, "expected at most"),
        ({"shape": [1000, 1000, 1000, 1000]}, "expected at most"),
        ({"shape": [1000, 1000, 1000]}, "chunks, expected at most"),
        ({"codecs": [{"name": "bytes"}] * 9}, "9 codecs; expected at most 5"),
        ({"codecs": [{"name": {"a": 1}}]}, "codec {'a': 1}"),
        ({"codecs": [{"name": None}]}, "codec None"),
        ({"fill_value": 1e300}, r"its fill value 1e\+300 is no float32"),
    ],
)
def test_metadata_that_ask_for_too_much(tmp_path: Path, changes: Any, words: str) -> None:
    store(tmp_path / "a.zarr", None)
    path = tmp_path / "a.zarr" / "data" / "zarr.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(InputError, match=words):
        open_zarr(tmp_path / "a.zarr")


def test_a_json_beside_a_store_that_leads_out_of_the_data_set(tmp_path: Path) -> None:
    (tmp_path / "private.json").write_text("{}")
    folder = tmp_path / "data"
    folder.mkdir()
    store(folder / "a.zarr", None)
    (folder / "a.json").symlink_to(tmp_path / "private.json")
    with pytest.raises(InputError, match=r"a\.json, which belongs to a\.zarr, leads out"):
        open_zarr(folder / "a.zarr").header.sidecar()


@pytest.mark.parametrize("value", [10**400, [[10**400, 0, 0, 0]] * 4, [[1e300] * 4] * 4])
def test_an_affine_of_numbers_that_are_none(tmp_path: Path, value: Any) -> None:
    store(tmp_path / "a.zarr", None)
    path = tmp_path / "a.zarr" / "zarr.json"
    fields = json.loads(path.read_text())
    fields["attributes"]["affine"] = value
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match="its affine is"):
        open_zarr(tmp_path / "a.zarr")
