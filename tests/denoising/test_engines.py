"""Pieces in other processes: the bits of one process, for every method."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.denoising.cases import image, noisy, tiny_bundle

from betaplus.core.errors import UsageError
from betaplus.denoising.bundle import load_denoiser
from betaplus.denoising.frames import FrameDenoiser
from betaplus.denoising.mmse import Mmse, MmseSettings
from betaplus.denoising.options import check_options
from betaplus.denoising.volume import Volume
from betaplus.engine import open_engine

TILES = {"tile": 24, "overlap": 8}
METHODS: dict[str, dict[str, Any]] = {
    "mmse": {"settings": TILES},
    "consistency": {"samples": 2, "settings": {**TILES, "calls": 1}},
    "ddim": {"samples": 2, "settings": {**TILES, "steps": 2}},
    "ddpm": {"samples": 2, "settings": {**TILES, "steps": 2}},
    "nlm": {},
    "gaussian": {},
}
KINDS = {"mmse": None, "consistency": "fast", "ddim": "draws", "ddpm": "draws"}
SHAPE = (20, 22, 36)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        method: tiny_bundle(tmp_path_factory.mktemp(method), kind) for method, kind in KINDS.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["processes", pytest.param("dask", marks=pytest.mark.dask)])
def test_every_method_has_the_bits_of_one_process(name: str, bundles: dict[str, Path]) -> None:
    scan = image(noisy(shape=SHAPE))
    with open_engine(name, 2) as engine:
        for method, options in METHODS.items():
            given = {**options, "bundle": bundles.get(method)}
            here = FrameDenoiser(scan, method=method, engine="inline", **given)
            apart = FrameDenoiser(scan, method=method, engine=name, workers=2, **given)
            # Two frames through one engine, where a frame is a context of its own or not.
            for t, factor in enumerate((1.0, 2.0) if method in ("mmse", "ddim") else (1.0,)):
                raw = scan.data * np.float32(factor)
                one, other = here.frame(t, raw), apart.frame(t, raw, engine=engine)
                assert one.mean.tobytes() == other.mean.tobytes(), method
                assert (one.std is None) == (other.std is None)
                if one.std is not None and other.std is not None:
                    assert one.std.any() and one.std.tobytes() == other.std.tobytes(), method
                assert one.about == other.about and one.blocks == other.blocks


def test_what_is_sent_of_a_volume_is_the_volume() -> None:
    volume = Volume(data=noisy(shape=SHAPE), voxel=(2.4, 2.4, 3.0), grid_voxel=3.0)
    before = len(pickle.dumps(volume))
    volume.prepare(True)
    assert len(pickle.dumps(volume)) == before < 2 * volume.data.nbytes
    again = pickle.loads(pickle.dumps(volume))
    assert np.array_equal(again.shown.images.numpy(), volume.shown.images.numpy())


def test_a_tile_is_sent_without_the_volume_around_it(bundles: dict[str, Path]) -> None:
    method = Mmse(MmseSettings(**TILES), load_denoiser("body", bundles["mmse"]))
    volume = Volume(data=noisy(shape=(48, 48, 48)), voxel=(3.0,) * 3, grid_voxel=3.0)
    part = method.part(volume, 0)
    channels = part.images.shape[1] + part.basis.shape[1]
    assert len(pickle.dumps(part)) < 4 * channels * 24**3 + 5000


def test_memory_of_processes_is_planned() -> None:
    scan = image(noisy(shape=SHAPE))
    plans = [
        FrameDenoiser(scan, method="nlm", engine=engine, workers=2).memory.bytes_total
        for engine in ("threads", "processes")
    ]
    assert plans[1] - plans[0] > 2 * (500 << 20)


def test_a_gpu_serves_one_process() -> None:
    with pytest.raises(UsageError, match="--engine processes with --device cuda:0; a GPU serves"):
        check_options("mmse", None, None, "processes", 2, "cuda:0")
    assert check_options("mmse", None, None, "threads", 2, "cuda:0").kind == "threads"
