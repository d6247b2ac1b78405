"""Keys change with what a result depends on, and with nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.engine import content_key


@dataclass(frozen=True)
class Uniform:
    low: float
    high: float


@dataclass(frozen=True)
class LogUniform:
    low: float
    high: float


SETTINGS = {
    "method": "exact",
    "samples": 100,
    "prior": {"K1": Uniform(0.01, 5.0)},
    "grid": np.arange(3.0),
    "delay": None,
    "limit": np.inf,
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.nii"
    path.write_bytes(b"voxels")
    return path


def make(image, settings=SETTINGS, version="1", bundle=None):
    return content_key({"image": image}, settings, {"betaplus": version}, bundle)


def test_place_time_and_order_do_not_matter(image, tmp_path):
    copy = tmp_path / "elsewhere" / "b.nii"
    copy.parent.mkdir()
    copy.write_bytes(image.read_bytes())
    backwards = dict(reversed(SETTINGS.items()))
    assert make(image) == make(copy, backwards)


@pytest.mark.parametrize(
    ("name", "value", "changed"),
    [
        ("samples", 101, ["settings.samples"]),
        ("prior", {"K1": Uniform(0.02, 5.0)}, ["settings.prior.K1.low"]),
        ("prior", {"K1": LogUniform(0.01, 5.0)}, ["settings.prior.K1.class"]),
        ("grid", np.arange(3.0) + 1e-15, ["settings.grid"]),
        ("grid", np.arange(3.0, dtype=np.float32), ["settings.grid"]),
        ("delay", 0.0, ["settings.delay"]),
        ("limit", -np.inf, ["settings.limit"]),
        ("other", 1, ["settings.other"]),
    ],
)
def test_a_changed_setting_changes_the_key_and_is_named(image, name, value, changed):
    key = make(image)
    other = make(image, {**SETTINGS, name: value})
    assert other.digest != key.digest
    assert other.changes(json.loads(json.dumps(key.parts))) == changed


def test_content_version_and_bundle_change_the_key(image):
    key = make(image)
    assert make(image, version="2").changes(key.parts) == ["versions.betaplus"]
    assert make(image, bundle="abc").changes(key.parts) == ["bundle"]
    image.write_bytes(b"voxelz")
    assert make(image).changes(key.parts) == ["inputs.image"]


def test_a_folder_counts_names_and_content(tmp_path):
    series = tmp_path / "dicom"
    (series / "deep").mkdir(parents=True)
    (series / "deep" / "1").write_bytes(b"x")
    first = make(series)
    (series / "deep" / "1").rename(series / "deep" / "2")
    assert make(series) != first


def test_a_folder_s_key_does_not_depend_on_place_or_order(tmp_path):
    files = {"zarr.json": b"{}", "data/c/0/0": b"x", "data/c/0/1": b"y", "data/c/10/0": b""}
    keys = []
    for place, names in (("one.zarr", list(files)), ("two.zarr", list(reversed(files)))):
        for name in names:
            path = tmp_path / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[name])
        keys.append(make(tmp_path / place))
    assert keys[0] == keys[1]
    (tmp_path / "two.zarr" / "data" / "empty").mkdir()
    assert make(tmp_path / "two.zarr") == keys[0]  # only files hold anything


@pytest.mark.parametrize("change", ["other bytes", "swapped", "one gone", "one more", "moved on"])
def test_any_file_of_a_folder_counts(tmp_path, change):
    chunks = tmp_path / "a.zarr" / "c"
    chunks.mkdir(parents=True)
    for name, content in (("0", b"x"), ("1", b"y")):
        (chunks / name).write_bytes(content)
    first = make(tmp_path / "a.zarr")
    if change == "other bytes":
        (chunks / "1").write_bytes(b"z")
    elif change == "swapped":
        (chunks / "0").write_bytes(b"y")
        (chunks / "1").write_bytes(b"x")
    elif change == "one gone":
        (chunks / "1").unlink()
    elif change == "one more":
        (chunks / "2").write_bytes(b"")
    elif change == "moved on":
        (chunks / "0").write_bytes(b"xy")
        (chunks / "1").write_bytes(b"")
    assert make(tmp_path / "a.zarr").changes(first.parts) == ["inputs.image"]


def test_what_cannot_be_read_or_written_down_is_refused(tmp_path, image):
    with pytest.raises(InputError, match=r"gone\.nii cannot be read"):
        make(tmp_path / "gone.nii")
    with pytest.raises(TypeError, match="set cannot be part of a key"):
        make(image, {"bad": {1, 2}})
