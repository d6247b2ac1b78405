"""Every verb through every engine: files with the bits of one thread.

`kinetics` and `denoise` have tests of their own, `tests/cli/test_resume.py` and
`tests/denoising/test_engines.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cli.patlak_study import make_scan
from tests.cli.separate_study import DELAY, make_image
from tests.cli.separate_study import scan as two_tracers
from tests.cli.test_reconstruct import scan as raw_scan
from tests.killing.studies import COARSE
from tests.patlak.scans import blood

from betaplus.engine import open_engine
from betaplus.io.raw.store import write_raw
from betaplus.patlak import kernel_rows, non_local
from betaplus.patlak.fitting import fit
from betaplus.pipeline.reconstruct import ReconstructRequest, run_reconstruct
from betaplus.separation.fitting import separate

pytestmark = pytest.mark.slow

ENGINES = ["processes", pytest.param("dask", marks=pytest.mark.dask)]
PATLAK: dict[str, dict[str, Any]] = {
    "wls": {},
    "nlm": {},
    "kernel": {},
    "tv": {"iterations": 40},
    "red-diff": {"steps": 2},
    "hqs": {"steps": 2},
    "gibbs": {"samples": 2, "burn": 1},
}
SEPARATE: dict[str, dict[str, Any]] = {
    "tissues": {"steps": 2},
    "compartment": {},
    "inn": {"tile": 16, "overlap": 8},
}
RECONSTRUCT: dict[str, dict[str, Any]] = {
    "osem": {},
    "dds": {"bundle": COARSE, "samples": 2, "steps": 3, "settings": ("inner=2",)},
    "gibbs": {"bundle": COARSE, "samples": 2, "settings": ("burn=1", "thin=1", "chains=2")},
}


def digest(*arrays: torch.Tensor) -> str:
    return hashlib.sha256(b"".join(array.numpy().tobytes() for array in arrays)).hexdigest()


def patlak(method: str, engine: Any, workers: int | None = 2) -> str:
    anatomy = {"anatomy": "body"} if method in ("hqs", "red-diff", "gibbs") else {}
    found = fit(
        make_scan(), blood(), method=method, t_star=1200.0, settings=PATLAK[method],
        engine=engine, workers=workers, **anatomy,
    )  # fmt: skip
    return digest(found.u)


def separated(method: str, engine: Any, workers: int | None = 2) -> str:
    study = two_tracers()
    found = separate(
        make_image(), "FMZ,FDG", DELAY, blood=study.blood, arrivals=study.arrivals,
        method=method, settings=SEPARATE[method], engine=engine, workers=workers,
    )  # fmt: skip
    return digest(found.found.x)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("make", "methods"), [(patlak, PATLAK), (separated, SEPARATE)], ids=["patlak", "separate"]
)
def test_pieces_elsewhere_have_the_bits_of_one_thread(
    name: str, make: Callable[..., str], methods: dict[str, Any]
) -> None:
    with open_engine(name, 2) as engine:
        for method in methods:
            assert make(method, engine) == make(method, "inline", None), method


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("method", RECONSTRUCT)
def test_frames_and_draws_elsewhere(tmp_path: Path, name: str, method: str) -> None:
    write_raw(tmp_path / "sub-01_raw.zarr", raw_scan())
    files = []
    for engine, workers in (("inline", None), (name, 2)):
        out = tmp_path / engine
        request = ReconstructRequest(
            source=tmp_path / "sub-01_raw.zarr", out=out, method=method, voxel=6.0, matrix=15,
            psf=0.0, subsets=6, engine=engine, workers=workers, **RECONSTRUCT[method],
        )  # fmt: skip
        found = run_reconstruct(request)
        assert found is not None and found.run["engine"]["executor"] == engine
        files.append({p.name: p.read_bytes() for p in out.glob("*.nii.gz")})
    assert files[0] == files[1] and len(files[0]) == (1 if method == "osem" else 3)


@pytest.mark.parametrize("method", ["nlm", "hqs"])
def test_the_size_of_blocks_changes_no_bit(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for planes in (1, 3, 8, 64):
        monkeypatch.setattr(kernel_rows, "_PLANES", planes)
        monkeypatch.setattr(non_local, "_PLANES", planes)
        found.add(patlak(method, "threads"))
    assert len(found) == 1
