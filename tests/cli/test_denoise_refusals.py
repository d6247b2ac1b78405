"""What `betaplus denoise` cannot use: one line that says so, exit code 2, nothing written."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.study import tree
from tests.denoising.cases import image, noisy, tiny_bundle

from betaplus.io.derivatives import write_image

DOSE = {
    "InjectedRadioactivity": 300.0,
    "InjectedRadioactivityUnits": "MBq",
    "InjectionStart": 0.0,
    "BodyWeight": 75.0,
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
}
SOURCE = "sub-01_pet.nii.gz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refusals")
    tiny_bundle(folder)
    tiny_bundle(folder, "fast")
    write_image(folder / SOURCE, image())
    return folder


def refused(result: tuple[int, str, str], *words: str) -> None:
    code, text, err = result
    assert (code, text, err.count("\n")) == (2, "", 1), err
    assert err.startswith("betaplus: error: ")
    for word in words:
        assert word in err


@pytest.fixture
def denoise(run_cli: RunCli, folder: Path, tmp_path: Path) -> Any:
    def run(*more: object, source: Path = folder / SOURCE, bundle: str = "denoiser-body-v1") -> Any:
        weights = ("--bundle", folder / bundle)
        return run_cli("denoise", source, "-o", tmp_path / "out", *weights, "--no-report", *more)

    return run


def written(folder: Path, name: str, data: np.ndarray, **fields: Any) -> Path:
    write_image(folder / f"{name}_pet.nii.gz", image(data, **fields))
    return folder / f"{name}_pet.nii.gz"


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("InjectedRadioactivity", "activity administered in Bq"),
        ("InjectedRadioactivityUnits", "expected one of Bq, kBq, MBq"),
        ("BodyWeight", "body weight in kg"),
    ],
)
def test_no_suv_says_which_field(denoise: Any, tmp_path: Path, missing: str, words: str) -> None:
    fields = {name: value for name, value in DOSE.items() if name != missing}
    data = noisy() * np.float32(4000)
    source = written(tmp_path, "a", data, unit="Bq/mL", metadata=fields, decay_corrected_to=0.0)
    refused(denoise(source=source), f"{missing} is missing in a_pet.nii.gz", words)
    assert not (tmp_path / "out").exists()


def test_no_unit(denoise: Any, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(noisy(), np.diag([2.4, 2.4, 3.0, 1.0])), tmp_path / "b.nii")
    refused(denoise(source=tmp_path / "b.nii"), "Units is missing in b.json", "--unit")
    assert not (tmp_path / "out").exists()


def with_one(value: float) -> np.ndarray:
    data = noisy()
    data[20, 18, 22] = value
    return data


@pytest.mark.parametrize(
    ("data", "voxel", "words"),
    [
        (with_one(np.nan), (3.0, 3.0, 3.0), "1 voxel that is NaN or infinite"),
        (with_one(np.inf), (3.0, 3.0, 3.0), "1 voxel that is NaN or infinite"),
        (with_one(-1000.0), (3.0, 3.0, 3.0), "1 voxel below 0, the least -1e+03 SUV"),
        (noisy(), (3.0, 3.0, 10.0), "voxels of 3 x 3 x 10 mm; the denoiser needs edges of at most"),
        (noisy(), (1.0, 1.0, 5.0), "edges that differ by at most 4 times"),
        (noisy()[:, :, :1], (3.0, 3.0, 3.0), "three axes of at least 8"),
        (0 * noisy(), (3.0, 3.0, 3.0), "is 0 everywhere"),
    ],
)
def test_voxels_that_cannot_be_used(
    denoise: Any, tmp_path: Path, data: np.ndarray, voxel: tuple[float, ...], words: str
) -> None:
    refused(denoise(source=written(tmp_path, "c", data, voxel=voxel)), words)
    assert not (tmp_path / "out").exists()


def test_an_image_of_two_axes(denoise: Any, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(noisy()[:, :, 20], np.eye(4)), tmp_path / "d.nii.gz")
    (tmp_path / "d.json").write_text('{"Units": "SUV", "SUVType": "SUVbw"}')
    refused(denoise(source=tmp_path / "d.nii.gz"), "(40, 36)", "expected (X, Y, Z)")
    assert not (tmp_path / "out").exists()


def test_files_that_are_cut_off(denoise: Any, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "sub-01_pet.json", tmp_path / "e_pet.json")
    (tmp_path / "e_pet.nii.gz").write_bytes((folder / SOURCE).read_bytes()[:40_000])
    refused(denoise(source=tmp_path / "e_pet.nii.gz"), "e_pet.nii.gz is truncated")
    assert not (tmp_path / "out").exists()


def test_bundles_that_are_not_what_is_wanted(denoise: Any, folder: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "denoiser-body-v1"
    shutil.copytree(folder / "denoiser-body-v1", spoilt)
    weights = bytearray((spoilt / "model.safetensors").read_bytes())
    weights[-7] ^= 1
    (spoilt / "model.safetensors").write_bytes(weights)
    refused(denoise(bundle=str(spoilt)), "model.safetensors has a checksum", "get the bundle again")
    config = json.loads((folder / "denoiser-body-v1" / "config.json").read_text())
    (spoilt / "model.safetensors").write_bytes(b"")
    refused(denoise(bundle=str(spoilt)), "model.safetensors")
    (spoilt / "config.json").write_text(json.dumps(config | {"task": "prior"}))
    refused(denoise(bundle=str(spoilt)), "expected 'denoiser'")
    (spoilt / "config.json").write_text("{")
    refused(denoise(bundle=str(spoilt)), "config.json")
    (spoilt / "README.md").unlink()
    refused(denoise(bundle=str(spoilt)), "README.md")
    refused(denoise(bundle="denoiser-fast-v1"), "is trained for fast", "expected mean")
    assert not (tmp_path / "out").exists()


def test_a_mask_on_another_grid(denoise: Any, tmp_path: Path) -> None:
    scan = image()
    for name, shape, shift, words in (
        ("smaller", (39, 36, 44), 0.0, "has shape (39, 36, 44)"),
        ("moved", (40, 36, 44), 2.0, "mm away from the image"),
    ):
        affine = scan.affine.copy()
        affine[:3, 3] += shift
        mask = tmp_path / f"{name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(np.ones(shape, np.uint8), affine), mask)
        refused(denoise("--mask", mask), words)
    refused(denoise("--mask", tmp_path / "none.nii.gz"), "none.nii.gz does not exist")
    assert not (tmp_path / "out").exists()


def test_finished_outputs_are_safe(denoise: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert denoise("--quiet")[0] == 0
    before = tree(out)
    refused(denoise(), "exists already", "--resume", "--overwrite")
    refused(denoise("--resume", "--seed", 1), "not from a run with these inputs, settings")
    refused(denoise("--resume", "--set", "tile=48"), "not from a run with these inputs, settings")
    refused(denoise("--resume", "--overwrite"), "exclude each other")
    code, text, err = denoise("--resume")
    assert (code, err) == (0, "") and "nothing to do" in text
    assert tree(out) == before
    assert denoise("--overwrite", "--quiet")[0] == 0
    again = tree(out)
    assert {name for name in again if again[name] != before[name]} == {"sub-01_denoise_run.json"}


def test_folders_that_cannot_be_written(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    weights = ("--bundle", folder / "denoiser-body-v1")
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper"):
        result = run_cli("denoise", folder / SOURCE, "-o", out, *weights)
        refused(result, str(out))
    assert set(tree(tmp_path)) == {"file"} and (tmp_path / "file").read_text() == "mine"
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        result = run_cli("denoise", folder / SOURCE, "-o", tmp_path / "locked" / "out", *weights)
        refused(result, "ermission denied")


def test_a_disk_that_fills_up_and_is_cleared(
    denoise: Any, run_cli: RunCli, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = ("--set", "tile=16", "--set", "overlap=8", "--quiet")
    calls, fsync = 0, os.fsync

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        refused(denoise(*tiles), "No space left on device", "-o")
    out = tmp_path / "out"
    assert not list(out.glob("*.nii.gz")) and not list(out.glob(".tmp*"))
    assert denoise(*tiles, "--resume")[0] == 0
    run = json.loads((out / "sub-01_denoise_run.json").read_text())
    assert 0 < run["blocks_resumed"] < run["blocks_done"]
    whole = tmp_path / "whole"
    weights = ("--bundle", folder / "denoiser-body-v1")
    assert run_cli("denoise", folder / SOURCE, "-o", whole, *weights, *tiles)[0] == 0
    name = "sub-01_desc-denoised_pet.nii.gz"
    assert (out / name).read_bytes() == (whole / name).read_bytes()
