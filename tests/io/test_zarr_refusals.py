"""Stores that are damaged, or made to do harm: one plain line, and nothing is run or written."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from tests.io.zarr_store import CHUNKS, SHAPE, edit, numbers, store

from betaplus.core.errors import InputError
from betaplus.io.describe import describe
from betaplus.io.open import load
from betaplus.io.voxels import voxel_curves


@pytest.mark.parametrize("how", ["cut", "noise", "empty"])
@pytest.mark.parametrize("codec", ["blosc", "zstd", "gzip", "crc32c"])
def test_damaged_chunks_are_one_plain_line(tmp_path, how, codec):
    codecs = {
        "blosc": zarr.codecs.BloscCodec(),
        "zstd": zarr.codecs.ZstdCodec(),
        "gzip": zarr.codecs.GzipCodec(),
        "crc32c": zarr.codecs.Crc32cCodec(),
    }
    path = store(tmp_path / "a.zarr", numbers(), compressors=codecs[codec])
    chunk = path / "data" / "c" / "0" / "0" / "0" / "0"
    whole = chunk.read_bytes()
    changed = {"cut": whole[: len(whole) // 2], "noise": os.urandom(len(whole)), "empty": b""}
    chunk.write_bytes(changed[how])
    scan = load(path)
    with pytest.raises(InputError, match=r"a\.zarr (is damaged|cannot be read)") as caught:
        voxel_curves(scan, np.ones(SHAPE[:3], dtype=bool))
    assert "\n" not in str(caught.value)


class Trap:
    """Makes a folder if it is ever unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def hostile(folder: Path, kind: str) -> Path:
    path = folder / "a.zarr"
    if kind == "a file":
        path.write_text("x")
        return path
    if kind == "empty":
        path.mkdir()
        return path
    store(path, numbers())
    group, array = path / "zarr.json", path / "data" / "zarr.json"
    attributes = json.loads(group.read_text())["attributes"]
    codecs = json.loads(array.read_text())["codecs"]
    if kind == "no array":
        (path / "data").rename(path / "other")
    elif kind == "an array itself":
        path = path / "data"
        path.rename(folder / "b.zarr")
        return folder / "b.zarr"
    elif kind == "group as data":
        edit(array, node_type="group")
    elif kind == "version 2":
        group.rename(path / ".zgroup")
    elif kind == "version 4":
        edit(array, zarr_format=4)
    elif kind == "no JSON":
        array.write_text("{")
    elif kind == "huge":
        edit(array, shape=[30000, 30000, 30000, 7])
    elif kind == "long":
        edit(array, shape=[5, 4, 6, 10**12])
    elif kind == "5-D":
        edit(array, shape=[*SHAPE, 2])
    elif kind == "2-D":
        edit(array, shape=[5, 4])
    elif kind == "zero":
        edit(array, shape=[5, 0, 6, 7])
    elif kind == "negative":
        edit(array, shape=[5, -4, 6, 7])
    elif kind == "shape of text":
        edit(array, shape="big")
    elif kind == "large chunks":
        grid = {"name": "regular", "configuration": {"chunk_shape": [30000, 30000, 30000, 7]}}
        edit(array, chunk_grid=grid)
    elif kind == "chunks of 3":
        edit(array, chunk_grid={"name": "regular", "configuration": {"chunk_shape": [2, 2, 2]}})
    elif kind == "other grid":
        grid = {"name": "rectilinear", "configuration": {"chunk_shape": list(CHUNKS)}}
        edit(array, chunk_grid=grid)
    elif kind == "complex":
        edit(array, data_type="complex64", fill_value=[0.0, 0.0])
    elif kind == "text":
        edit(array, data_type="string", fill_value="")
    elif kind == "structured":
        edit(array, data_type={"name": "structured", "configuration": {"fields": []}})
    elif kind == "pickle":
        edit(array, codecs=[{"name": "numcodecs.pickle", "configuration": {"protocol": 5}}])
        (path / "data" / "c" / "0" / "0" / "0" / "0").write_bytes(pickle.dumps(Trap(folder / "X")))
    elif kind == "pickle in a shard":
        inner = {"chunk_shape": [1, 1, 1, 7], "codecs": [{"name": "numcodecs.pickle"}]}
        inner["index_codecs"] = codecs[:1]
        edit(array, codecs=[{"name": "sharding_indexed", "configuration": inner}])
    elif kind == "no codecs":
        edit(array, codecs=[])
    elif kind == "bad codec settings":
        edit(array, codecs=[{"name": "bytes", "configuration": {"endian": "round"}}])
    elif kind == "transformers":
        edit(array, storage_transformers=[{"name": "indirect"}])
    elif kind == "keys":
        edit(array, chunk_key_encoding={"name": "web", "configuration": {}})
    elif kind == "separator":
        edit(array, chunk_key_encoding={"name": "default", "configuration": {"separator": "/../"}})
    elif kind == "scaled":
        edit(array, data_type="int16", fill_value=0, attributes={"scale_factor": 0.5})
    elif kind == "link to a file":
        (folder / "secret").write_text("x")
        chunk = path / "data" / "c" / "0" / "0" / "0" / "0"
        chunk.unlink()
        chunk.symlink_to(folder / "secret")
    elif kind == "link to a folder":
        (path / "data" / "c").rename(folder / "c")
        (path / "data" / "c").symlink_to(folder / "c")
    elif kind == "pipe":
        os.mkfifo(path / "data" / "c" / "0" / "0" / "0" / "9")
    elif kind == "no affine":
        del attributes["affine"]
        edit(group, attributes=attributes)
    elif kind.startswith("affine "):
        odd = {"flat": np.diag([1, 0, 1, 1.0]).tolist(), "words": "identity", "ragged": [[1], 2]}
        odd |= {"short": np.eye(3).tolist(), "projective": np.diag([2.0, 2, 2, 2]).tolist()}
        edit(group, attributes={**attributes, "affine": odd[kind.removeprefix("affine ")]})
    elif kind == "fields of text":
        edit(group, attributes={**attributes, "pet": "FDG"})
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("a file", "unsupported kind"),
        ("empty", r"no zarr\.json"),
        ("no array", "no array data"),
        ("an array itself", "describes 'array'"),
        ("group as data", "describes 'group'"),
        ("version 2", "zarr version 2"),
        ("version 4", "zarr_format is 4"),
        ("no JSON", "not valid JSON"),
        ("huge", "at most"),
        ("long", "at most"),
        ("5-D", r"shape \(5, 4, 6, 7, 2\)"),
        ("2-D", r"shape \(5, 4\)"),
        ("zero", "numbers above 0"),
        ("negative", "numbers above 0"),
        ("shape of text", "shape is big"),
        ("large chunks", "chunks hold"),
        ("chunks of 3", "regular grid"),
        ("other grid", "regular grid"),
        ("complex", "holds complex64 voxels"),
        ("text", "holds string voxels"),
        ("structured", "holds structured voxels"),
        ("pickle", r"codec numcodecs\.pickle"),
        ("pickle in a shard", r"codec numcodecs\.pickle"),
        ("no codecs", "nothing of its codecs"),
        ("bad codec settings", "damaged"),
        ("transformers", "unknown way"),
        ("keys", "unknown way"),
        ("separator", "damaged"),
        ("scaled", "scale_factor 0.5"),
        ("link to a file", "is a link"),
        ("link to a folder", "data/c is a link"),
        ("pipe", "neither a file nor a folder"),
        ("no affine", "no affine"),
        ("affine flat", "singular"),
        ("affine words", "no matrix"),
        ("affine ragged", "no matrix"),
        ("affine short", "no matrix"),
        ("affine projective", "singular"),
        ("fields of text", "no fields"),
    ],
)
def test_hostile_stores_are_one_plain_line(tmp_path, capfd, kind, says):
    path = hostile(tmp_path, kind)
    with pytest.raises(InputError, match=says) as caught:
        scan = load(path)
        voxel_curves(scan, np.ones(scan.shape[:3], dtype=bool))
    assert path.name in str(caught.value) or "zarr.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "X").exists()
    assert capfd.readouterr() == ("", "")


def test_metadata_of_the_group_cannot_stand_in_for_the_array_s(tmp_path):
    """Consolidated metadata could name a codec that the array's own do not."""
    path = store(tmp_path / "a.zarr", numbers())
    array = json.loads((path / "data" / "zarr.json").read_text())
    array["codecs"] = [{"name": "numcodecs.pickle", "configuration": {"protocol": 5}}]
    inline = {"kind": "inline", "must_understand": False, "metadata": {"data": array}}
    edit(path / "zarr.json", consolidated_metadata=inline)
    np.testing.assert_array_equal(load(path).data[...], numbers())


def test_info_of_a_hostile_store_is_an_error_in_the_list(tmp_path):
    found = describe(hostile(tmp_path, "pickle"))
    assert [p for p in found["problems"] if "codec numcodecs.pickle" in p["text"]]
