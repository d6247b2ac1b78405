"""The container of raw data: what goes in comes out, and what is damaged is said."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.io.raw.cases import TINY

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.raw import RawScan
from betaplus.core.tracer import Tracer
from betaplus.io.raw.store import read_raw, write_raw
from betaplus.io.raw.store_header import ARRAYS

TIMED = TINY.replace(tof_bins=3, tof_width=300.0, tof_resolution=500.0)


def scan(scanner=TINY, frames=3, most=9, seed=0, **changes) -> RawScan:
    rng = np.random.default_rng(seed)
    shape, flat = scanner.shape, scanner.shape[:3]
    fields = {
        "scanner": scanner,
        "prompts": rng.integers(0, most + 1, (frames, *shape)).astype(np.float32),
        "delayeds": rng.integers(0, 2, (frames, *flat)).astype(np.int64),
        "randoms": rng.random((frames, *shape)).astype(np.float32),
        "scatter": rng.random((frames, *shape)).astype(np.float32),
        "efficiency": rng.random(flat).astype(np.float32) * scanner.live[..., None],
        "attenuation": rng.random(flat).astype(np.float32),
        "frames": FrameTiming.from_durations(1.1 + np.arange(frames), 0.1),
        "tracer": Tracer.of("C11", 1221.66, "PBR28"),
        "injection": -12.3456789012345,
        "sensitivity": 1.2345678901234e-5,
        "metadata": {"Manufacturer": "none", "a": [1, 2.5], "b": {"c": None}},
        "remarks": ("cut", "ü"),
    }
    return RawScan(**(fields | changes))


class Lazy:
    """An array that gives a frame at a time and notes what was asked for."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.shape, self.asked = data, data.shape, []

    def __getitem__(self, key: object) -> np.ndarray:
        self.asked.append(key)
        return self.data[key]


@pytest.mark.parametrize("scanner", [TINY, TIMED, TINY.replace(span=1)], ids=["", "tof", "span 1"])
def test_all_of_a_scan(tmp_path, scanner):
    made = scan(scanner)
    write_raw(tmp_path / "a_raw.zarr", made)
    found = read_raw(tmp_path / "a_raw.zarr")
    assert found.source == tmp_path / "a_raw.zarr"
    for name in ("scanner", "frames", "tracer", "injection", "sensitivity", "metadata", "remarks"):
        assert getattr(found, name) == getattr(made, name), name
    for name in ARRAYS:
        stored = getattr(found, name)
        assert stored.dtype == np.float32 and stored.shape == getattr(made, name).shape
        assert np.array_equal(np.asarray(stored), getattr(made, name)), name
        assert np.array_equal(stored[1:2], getattr(made, name)[1:2])


def test_what_is_not_known_stays_unknown(tmp_path):
    made = RawScan(scanner=TINY, prompts=np.ones((1, *TINY.shape), np.uint8))
    write_raw(tmp_path / "a_raw.zarr", made)
    found = read_raw(tmp_path / "a_raw.zarr")
    assert np.array_equal(found.prompts[0], made.prompts[0])
    for field in dataclasses.fields(RawScan):
        if field.name not in ("scanner", "prompts", "source"):
            assert getattr(found, field.name) == getattr(made, field.name)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    most=st.lists(st.sampled_from([0, 1, 255, 256, 65535, 65536, 1 << 24]), min_size=1, max_size=4)
)
def test_counts_take_the_smallest_type(tmp_path, most):
    prompts = np.zeros((len(most), *TINY.shape), np.float32)
    for t, value in enumerate(most):
        prompts[t, t, 3, 5] = value
    write_raw(tmp_path / "a_raw.zarr", RawScan(scanner=TINY, prompts=prompts))
    assert np.array_equal(np.asarray(read_raw(tmp_path / "a_raw.zarr").prompts), prompts)
    kind = zarr.open_array(str(tmp_path / "a_raw.zarr"), path="prompts", mode="r").dtype
    expected = next(k for k in (np.uint8, np.uint16, np.uint32) if max(most) <= np.iinfo(k).max)
    assert kind == expected
    assert {p.name for p in (tmp_path / "a_raw.zarr").iterdir()} == {"zarr.json", "prompts"}


def test_means_as_prompts(tmp_path):
    prompts = np.ones((3, *TINY.shape), np.float32)
    prompts[1] = 0.25
    write_raw(tmp_path / "a_raw.zarr", RawScan(scanner=TINY, prompts=prompts))
    assert np.array_equal(np.asarray(read_raw(tmp_path / "a_raw.zarr").prompts), prompts)


def test_a_lazy_scan_is_read_frame_by_frame(tmp_path):
    made = scan()
    lazy = Lazy(made.prompts)
    write_raw(tmp_path / "a_raw.zarr", dataclasses.replace(made, prompts=lazy))
    assert lazy.asked == [0, 1, 2]
    again = read_raw(tmp_path / "a_raw.zarr")
    write_raw(tmp_path / "b_raw.zarr", again)
    assert np.array_equal(np.asarray(read_raw(tmp_path / "b_raw.zarr").prompts), made.prompts)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("prompts", -1.0, "prompts in a_raw.zarr go down to -1"),
        ("prompts", np.nan, "prompts in a_raw.zarr hold NaN or infinity"),
        ("randoms", np.inf, "randoms in a_raw.zarr hold NaN or infinity"),
        ("scatter", -0.1, "scatter in a_raw.zarr go down to -0.1"),
        ("efficiency", -0.1, "efficiency in a_raw.zarr go down to -0.1"),
        ("attenuation", 1.5, "attenuation in a_raw.zarr goes up to 1.5"),
    ],
)
def test_numbers_that_cannot_be(tmp_path, name, value, message):
    made = scan()
    getattr(made, name)[..., 4] = value
    with pytest.raises(InputError, match=message):
        write_raw(tmp_path / "a_raw.zarr", made)
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_checked_on_reading(tmp_path):
    write_raw(tmp_path / "a_raw.zarr", scan())
    array = zarr.open_array(str(tmp_path / "a_raw.zarr"), path="randoms", mode="r+")
    array[1, 2, 3, 4] = -1
    found = read_raw(tmp_path / "a_raw.zarr")
    assert found.randoms[0].min() >= 0
    with pytest.raises(InputError, match=r"randoms in a_raw\.zarr go down to -1"):
        found.randoms[1]


def test_another_name(tmp_path):
    with pytest.raises(UsageError, match=r"expected <name>_raw\.zarr"):
        write_raw(tmp_path / "a.zarr", scan())


def attributes(path, **changes) -> None:
    fields = json.loads((path / "zarr.json").read_text())
    fields["attributes"]["betaplus_raw"] |= changes
    (path / "zarr.json").write_text(json.dumps(fields))


PLAIN = dataclasses.asdict(TINY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "its layout is 2; expected 1; update betaplus"),
        ({"scanner": {}}, "its scanner lacks or adds block, depth"),
        ({"scanner": PLAIN | {"rings": "5"}}, "rings of its scanner is '5'; expected int"),
        ({"scanner": PLAIN | {"rings": 5.5}}, "rings of its scanner is '5.5'; expected int"),
        ({"scanner": PLAIN | {"radius": None}}, "radius of its scanner is 'None'"),
        ({"scanner": PLAIN | {"radius": 10**400}}, "radius of its scanner is '1000"),
        ({"scanner": PLAIN | {"radius": 6e5}}, "crystals 1e.05 mm apart"),
        (
            {"scanner": PLAIN | {"rings": 6}},
            r"prompts of shape \(3, 18, 15, 19\); expected \(3, 18",
        ),
        ({"scanner": PLAIN | {"tof_bins": 3}}, "bins of 0 ps"),
        ({"frames": {"start": [0, 1], "duration": [1, 1]}}, "2 frame times for 3 frames"),
        ({"frames": {"start": [0, "x"], "duration": [1, 1]}}, "its frame times are no numbers"),
        ({"frames": {"start": [0, 1, 2], "duration": [1, 1, -1]}}, "frame 3 lasts -1 s"),
        ({"frames": 7}, "cannot be used"),
        ({"tracer": {"radionuclide": "Xx9"}}, "radionuclide 'Xx9'"),
        ({"tracer": {"radionuclide": "F18", "half_life": -1}}, "its half_life is -1"),
        ({"injection": "now"}, "its injection is 'now'; expected a number"),
        ({"sensitivity": 0}, "its sensitivity is 0; expected above 0"),
    ],
)
def test_attributes_that_are_wrong(tmp_path, changes, message):
    path = tmp_path / "a_raw.zarr"
    write_raw(path, scan())
    attributes(path, **changes)
    with pytest.raises(InputError, match=message) as error:
        read_raw(path)
    assert "a_raw.zarr cannot be used" in str(error.value)


def test_damaged_stores(tmp_path):
    path = tmp_path / "a_raw.zarr"
    with pytest.raises(InputError, match="does not exist"):
        read_raw(path)
    path.mkdir()
    with pytest.raises(InputError, match=r"no zarr\.json"):
        read_raw(path)
    zarr.open_group(str(path), mode="w", zarr_format=3)
    with pytest.raises(InputError, match="its attributes hold no betaplus_raw"):
        read_raw(path)

    write_raw(path, scan())
    chunk = next(p for p in (path / "prompts").rglob("*") if p.is_file() and p.name != "zarr.json")
    raw = chunk.read_bytes()
    flipped = bytearray(raw)
    flipped[len(raw) // 2] ^= 1
    for damaged in (raw[: len(raw) // 2], bytes(flipped), b""):
        chunk.write_bytes(damaged)
        found = read_raw(path)
        with pytest.raises(InputError, match=r"a_raw\.zarr is damaged"):
            np.asarray(found.prompts)
    chunk.unlink()
    with pytest.raises(InputError, match="1 of 3 chunks of prompts are missing"):
        read_raw(path)
    chunk.symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link"):
        read_raw(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data_type", "float64", "prompts of type float64"),
        ("data_type", {"name": "object"}, "prompts of type"),
        ("shape", [3, 18, 15], "expected .3, 18, 15, 19."),
        ("shape", "x", "its shape of prompts is x"),
        ("codecs", [{"name": "pickle"}], "codec pickle"),
        ("codecs", None, "codec None"),
        ("zarr_format", 2, "prompts is no array of zarr version 3"),
        ("chunk_grid", {"name": "odd"}, "its chunks is None"),
    ],
)
def test_arrays_that_are_wrong(tmp_path, key, value, message):
    path = tmp_path / "a_raw.zarr"
    write_raw(path, scan())
    fields = json.loads((path / "prompts" / "zarr.json").read_text())
    (path / "prompts" / "zarr.json").write_text(json.dumps(fields | {key: value}))
    with pytest.raises(InputError, match=message):
        read_raw(path)


def test_chunks_hold_some_views():
    from betaplus.io.raw.store import _chunks

    assert _chunks((24, 252, 344, 837), "prompts") == (1, 7, 344, 837)
    assert _chunks((252, 344, 837), "efficiency") == (7, 344, 837)
    assert _chunks((1, 399, 520, 3000, 33), "prompts") == (1, 1, 21, 3000, 33)
