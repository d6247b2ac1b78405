"""The denoise verb from files to files: outputs, sidecars, journal, memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from tests.denoising.cases import SHAPE, VOXEL, image, noisy, tiny_bundle

from betaplus.core.errors import OutputError, UsageError
from betaplus.denoising import denoise
from betaplus.denoising.mmse import Mmse
from betaplus.io.derivatives import write_image
from betaplus.io.open import load
from betaplus.pipeline.denoise import DenoiseRequest, run_denoise
from betaplus.pipeline.denoise import run as module

TILES = ("tile=20", "overlap=8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, a static image in Bq/mL and a dynamic one in SUV."""
    folder = tmp_path_factory.mktemp("denoise")
    tiny_bundle(folder)
    dose = {"InjectedRadioactivity": 300.0, "InjectedRadioactivityUnits": "MBq",
            "InjectionStart": 0.0, "TracerName": "FDG", "BodyWeight": 75.0,
            "TracerRadionuclide": "F18"}  # fmt: skip
    static = image(noisy() * 4000, unit="Bq/mL", metadata=dose, decay_corrected_to=0.0)
    write_image(folder / "sub-01_pet.nii.gz", static)
    dynamic = image(np.stack([noisy(1), noisy(2), noisy(3)], axis=-1), decay_corrected_to=0.0)
    write_image(folder / "sub-02_pet.nii.gz", dynamic)
    return folder


def request(folder: Path, out: Path, source: str = "sub-01", **fields: Any) -> DenoiseRequest:
    given = {"bundle": folder / "denoiser-body-v1", "settings": TILES, **fields}
    return DenoiseRequest(source=folder / f"{source}_pet.nii.gz", out=out, **given)


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def test_the_output_keeps_grid_and_unit(folder: Path, tmp_path: Path) -> None:
    result = run_denoise(request(folder, tmp_path / "out"))
    assert result is not None
    written = tmp_path / "out" / "sub-01_desc-denoised_pet.nii.gz"
    source = load(folder / "sub-01_pet.nii.gz")
    found = load(written)
    assert found.unit == "Bq/mL" and np.array_equal(found.affine, source.affine)  # type: ignore[union-attr]
    expected = denoise(
        source,  # type: ignore[arg-type]
        bundle=folder / "denoiser-body-v1",
        settings={"tile": 20, "overlap": 8},
    )
    assert np.array_equal(voxels(written), expected.image.data)
    assert nibabel.load(written).header["sform_code"] == 1
    assert np.allclose(nibabel.load(written).header.get_zooms(), VOXEL)
    sidecar = json.loads(written.with_name("sub-01_desc-denoised_pet.json").read_text())
    assert sidecar["Sources"] == ["sub-01_pet.nii.gz"] and sidecar["TracerName"] == "FDG"
    about = sidecar["betaplus"]
    assert about["method"] == "mmse" and about["suv"]["SUVType"] == "SUVbw"
    assert about["network"]["bundle"] == "denoiser-body-v1" and "seed" in about
    run = json.loads((tmp_path / "out" / "sub-01_denoise_run.json").read_text())
    assert run["blocks_done"] > 8 and run["blocks_resumed"] == 0
    assert run["noise"][0]["typical"] > 0.05 and "findings" in run["guard"][0]
    assert run["engine"]["planned_bytes"] > 1e8 and run["outputs"] == [written.name]
    assert not (tmp_path / "out" / ".betaplus").exists()


def test_suv_on_demand(folder: Path, tmp_path: Path) -> None:
    for unit in ("input", "SUV"):
        run_denoise(request(folder, tmp_path / unit, method="gaussian", bundle=None, settings=(),
                            unit_out=unit))  # fmt: skip
    name = "sub-01_desc-denoised_pet"
    suv = json.loads((tmp_path / "SUV" / f"{name}.json").read_text())
    assert suv["Units"] == "SUV" and suv["SUVType"] == "SUVbw"
    factor = 75e3 / 300e6
    ratio = [voxels(tmp_path / unit / f"{name}.nii.gz") for unit in ("input", "SUV")]
    assert np.allclose(ratio[0] * factor, ratio[1], rtol=1e-6)


def test_frames_and_their_sd(folder: Path, tmp_path: Path) -> None:
    few = ("steps=2", "tile=32", "overlap=12")
    result = run_denoise(
        request(folder, tmp_path, "sub-02", method="ddim", samples=2, settings=few)
    )
    assert result is not None and result.run["blocks_done"] == 6
    source = load(folder / "sub-02_pet.nii.gz")
    for statistic, path in (("mean", result.names.image), ("std", result.names.std)):
        found = load(path)
        assert found.shape == (*SHAPE, 3)
        assert np.array_equal(found.frames.start, source.frames.start)  # type: ignore[union-attr]
        sidecar = json.loads(Path(str(path).replace(".nii.gz", ".json")).read_text())
        assert sidecar["betaplus"]["statistic"] == statistic
    expected = denoise(
        source,  # type: ignore[arg-type]
        method="ddim",
        samples=2,
        bundle=folder / "denoiser-body-v1",
        settings={"steps": 2, "tile": 32, "overlap": 12},
    )
    assert np.array_equal(voxels(result.names.image), expected.image.data)
    assert expected.std is not None
    assert np.array_equal(voxels(result.names.std), expected.std.data)
    assert len(result.views) == 3 and ("axial", "SD") in result.views[0].images


class Killed(BaseException):
    """What no handler of the program waits for."""


@pytest.mark.parametrize("source", ["sub-01", "sub-02"])
def test_resumed_where_it_was_stopped(
    folder: Path, tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_denoise(request(folder, tmp_path / "whole", source))
    assert whole is not None
    total = whole.run["blocks_done"]
    done, work = 0, Mmse.work

    def counted(self: Mmse, shared: Any, part: Any) -> np.ndarray:
        nonlocal done
        if done == total - 5:  # in the last frame
            raise Killed
        done += 1
        return work(self, shared, part)

    again = request(folder, tmp_path / "out", source, engine="inline")
    monkeypatch.setattr(Mmse, "work", counted)
    with pytest.raises(Killed):
        run_denoise(again)
    assert not (tmp_path / "out" / f"{source}_desc-denoised_pet.nii.gz").exists()
    monkeypatch.setattr(Mmse, "work", work)
    with pytest.raises(OutputError, match="--resume"):
        run_denoise(again)
    with pytest.raises(OutputError, match=r"differs in settings\.seed"):
        run_denoise(request(folder, tmp_path / "out", source, resume=True, seed=1))

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(module, "write_frames", killed)  # all is computed, nothing written
    more = request(folder, tmp_path / "out", source, resume=True, workers=3)
    with pytest.raises(Killed):
        run_denoise(more)
    monkeypatch.undo()
    result = run_denoise(more)
    assert result is not None
    assert (result.run["blocks_done"], result.run["blocks_resumed"]) == (total, total)
    assert np.array_equal(voxels(result.names.image), voxels(whole.names.image))
    assert run_denoise(more) is None


def test_memory_is_planned_and_bounded(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--max-memory 100\.00 MiB is too small"):
        run_denoise(request(folder, tmp_path / "out", max_memory="100M"))
    assert not (tmp_path / "out").exists()
    result = run_denoise(request(folder, tmp_path / "out", workers=8, max_memory="700M"))
    assert result is not None
    assert result.run["engine"]["workers"] <= 8
    assert result.run["engine"]["planned_bytes"] <= 700 << 20


def test_the_input_is_never_replaced(folder: Path, tmp_path: Path) -> None:
    run_denoise(request(folder, tmp_path, method="gaussian", bundle=None, settings=()))
    source = tmp_path / "sub-01_desc-denoised_pet.nii.gz"
    with pytest.raises(OutputError, match="is the input"):
        run_denoise(DenoiseRequest(source=source, out=tmp_path, method="gaussian", overwrite=True))
