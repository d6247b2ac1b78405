"""Raw data by name, and what `betaplus info` says of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.io.raw.cases import MMR, TINY, list_file, tag, word

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.raw import RawScan
from betaplus.core.scanners import SCANNERS
from betaplus.io.describe import describe
from betaplus.io.open import load
from betaplus.io.raw.interfile_projections import write_interfile_projections
from betaplus.io.raw.open_raw import open_raw
from betaplus.io.raw.store import write_raw

TEACHING = SCANNERS["teaching"]


def store(tmp_path, **fields):
    scan = {"scanner": TINY, "prompts": np.full((2, *TINY.shape), 3, np.uint8)} | fields
    write_raw(tmp_path / "a_raw.zarr", RawScan(**scan))
    return tmp_path / "a_raw.zarr"


def lists(tmp_path):
    words = [tag(0), word(True, 172, 1, 0), word(False, 172, 1, 9), tag(1), word(True, 173, 5, 64)]
    return list_file(tmp_path / "a.l", words)


def test_each_kind(tmp_path):
    found = open_raw(store(tmp_path))
    assert found.scanner == TINY and found.prompts[1].sum() == 3 * np.prod(TINY.shape)

    data = np.random.default_rng(0).integers(0, 9, TEACHING.shape).astype(np.float32)
    frames = FrameTiming.from_durations([60.0], 5.0)
    write_interfile_projections(tmp_path / "b.hs", data, TEACHING, frames=frames, dtype=np.uint8)
    found = open_raw(tmp_path / "b.hs", scanner=TEACHING)
    assert found.scanner == TEACHING and found.frames == frames
    assert np.array_equal(found.prompts[0], data)

    found = open_raw(lists(tmp_path), frames=FrameTiming.from_durations([0.001, 0.001]))
    assert found.scanner == MMR and found.n_frames == 2
    assert found.prompts[0].sum() == found.delayeds[0].sum() == found.prompts[1].sum() == 1


def test_what_cannot_be_opened(tmp_path):
    (tmp_path / "a.petsird").touch()
    (tmp_path / "a.nii").touch()
    cases = [
        (lambda: open_raw(tmp_path / "none.l"), "none.l does not exist"),
        (lambda: open_raw(tmp_path / "a.petsird"), "PETSIRD, which this version does not read"),
        (lambda: open_raw(tmp_path / "a.nii"), "a.nii is no raw data that is known"),
        (lambda: open_raw(store(tmp_path), scanner=MMR), "scanner tiny, which differs from mMR in"),
        (
            lambda: open_raw(store(tmp_path), frames=FrameTiming.from_durations([1.0])),
            "frames for a_raw.zarr, which has its own",
        ),
        (lambda: load(store(tmp_path)), "a_raw.zarr is raw data; expected an image or curves"),
    ]
    for call, message in cases:
        with pytest.raises(InputError, match=message):
            call()


def test_negative_prompts_in_interfile(tmp_path):
    write_interfile_projections(tmp_path / "b.hs", -np.ones(TINY.shape, np.float32), TINY)
    with pytest.raises(InputError, match=r"prompts in b\.hs go down to -1"):
        open_raw(tmp_path / "b.hs")


def test_info_of_a_store(tmp_path):
    found = describe(
        store(
            tmp_path,
            efficiency=np.full(TINY.shape, 0.5, np.float32),
            randoms=np.zeros((2, *TINY.shape), np.float32),
            frames=FrameTiming.from_durations([1.0, 2.0]),
            sensitivity=0.5,
            remarks=("made up",),
        )
    )
    assert json.loads(json.dumps(found)) == found
    assert found["kind"] == "raw" and found["format"] == "sinograms"
    assert found["shape"] == [2, 18, 15, 19] and found["scanner"] == "tiny"
    assert found["prompts"] == {"sum": 6 * np.prod(TINY.shape)} and "scatter" not in found
    assert found["efficiency"] == {"range": [0.5, 0.5]}
    assert found["frames"] == {"count": 2, "first_start_s": 0.0, "last_end_s": 3.0}
    assert [p["text"] for p in found["problems"]] == ["made up", "randoms are zero everywhere"]


def test_info_of_a_list_file(tmp_path):
    found = describe(lists(tmp_path))
    assert json.loads(json.dumps(found)) == found
    assert (found["prompts"], found["delayeds"], found["words"]) == (2, 1, 5)
    assert (found["start_s"], found["end_s"], found["injection_s"]) == (0.0, 0.002, -3215.0)
    assert found["problems"] == []


def test_info_of_what_is_wrong(tmp_path):
    (tmp_path / "a.l").write_bytes(b"12345")
    (tmp_path / "a.hs").write_text("nothing")
    for name, message in (("a.l", "a.l holds 5 bytes"), ("a.hs", "a.hs is no Interfile header")):
        (problem,) = describe(tmp_path / name)["problems"]
        assert problem["level"] == "error" and problem["text"].startswith(message)
