"""`betaplus denoise` as it is typed: what it prints and refuses, and that a kill does no harm."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.study import tree
from tests.denoising.cases import image, noisy, tiny_bundle

from betaplus.io.derivatives import write_image

FIELDS = {
    "InjectedRadioactivity": 300.0,
    "InjectedRadioactivityUnits": "MBq",
    "InjectionStart": 0.0,
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("denoise")
    tiny_bundle(folder)
    scan = image(noisy() * 4000, unit="Bq/mL", metadata=FIELDS, decay_corrected_to=0.0)
    write_image(folder / "sub-01_pet.nii.gz", scan)
    return folder


def arguments(folder: Path, out: Path, *more: object) -> tuple[object, ...]:
    source = folder / "sub-01_pet.nii.gz"
    bundle = folder / "denoiser-body-v1"
    return ("denoise", source, "-o", out, "--bundle", bundle, "--weight", 75, *more)


def test_image_report_and_record(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    code, text, err = run_cli(
        *arguments(folder, tmp_path, "--method", "ddim", "--samples", 2, "--set", "steps=2")
    )
    assert code == 0, err
    assert "40 x 36 x 44 voxels" in text and "SUVbw" in text and "noise before: SD 0." in text
    assert "memory:" in err
    assert {path.name for path in tmp_path.iterdir()} == {
        ".bidsignore",
        "dataset_description.json",
        "sub-01_denoise_report.html",
        "sub-01_denoise_run.json",
        *(f"sub-01_desc-denoised{part}_pet.{end}" for part in ("", "_stat-std")
          for end in ("nii.gz", "json")),
    }  # fmt: skip
    page = (tmp_path / "sub-01_denoise_report.html").read_text()
    for words in ("Before and after", "Noise", "Guard", "Settings", "SUVbw", "data:image/png"):
        assert words in page
    run = json.loads((tmp_path / "sub-01_denoise_run.json").read_text())
    assert run["blocks_done"] == 2 and run["command"].startswith("betaplus denoise")
    assert run["suv"]["BodyWeight_kg"] == 75.0


def test_a_guard_s_alarm_is_told_everywhere(run_cli: RunCli, tmp_path: Path) -> None:
    # A filter far too wide erases a lesion of 12 mm.
    shape, centre = (64, 60, 64), np.array([40, 28, 33])
    at = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    mean = np.where(np.linalg.norm(3.0 * (at - centre), axis=-1) < 6.5, 6.0, 1.0)
    noise = np.random.default_rng(0).gamma(50.0, 1 / 50.0, shape)
    scan = image((mean * noise).astype(np.float32), (3.0, 3.0, 3.0))
    write_image(tmp_path / "sub-09_pet.nii.gz", scan)
    out = tmp_path / "out"
    code, text, err = run_cli(
        "denoise", tmp_path / "sub-09_pet.nii.gz", "-o", out, "--method", "gaussian",
        "--set", "fwhm=20",
    )  # fmt: skip
    assert code == 0, err
    assert "remark: guard: in " in text
    run = json.loads((out / "sub-09_denoise_run.json").read_text())
    found = run["guard"][0]["findings"]
    assert found[0]["sign"] == "erased"
    assert np.linalg.norm(np.array(found[0]["voxel"]) - centre) < 2
    place = scan.affine[:3, :3] @ centre + scan.affine[:3, 3]
    assert np.linalg.norm(np.array(found[0]["centre_mm"]) - place) < 6
    assert "erased?" in (out / "sub-09_denoise_report.html").read_text()


def wait_for_pieces(process: subprocess.Popen, work: Path, count: int) -> None:
    deadline = time.monotonic() + 300
    while len(list(work.glob("pieces_*.npz"))) < count:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_and_resumed_to_the_same_bits(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    few = ("--method", "ddim", "--samples", 5, "--set", "steps=8", "--no-report", "--quiet")
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run_cli(*arguments(folder, whole, *few))[0] == 0
    command = [sys.executable, "-m", "betaplus", *map(str, arguments(folder, out, *few))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    work = out / ".betaplus" / "sub-01_denoise"
    wait_for_pieces(process, work, 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    finished = len(list(work.glob("pieces_*.npz")))
    assert 2 <= finished <= 5
    assert not list(out.glob("*.nii.gz"))
    code, _, err = run_cli(*arguments(folder, out, *few))
    assert code == 2 and "--resume" in err and "--overwrite" in err
    code, _, err = run_cli(*arguments(folder, out, *few, "--resume", "--workers", 3))
    assert (code, err) == (0, "")
    run = json.loads((out / "sub-01_denoise_run.json").read_text())
    assert (run["blocks_done"], run["blocks_resumed"]) == (5, finished)
    one, other = (
        {name: content for name, content in tree(at).items() if name.endswith(".nii.gz")}
        for at in (whole, out)
    )
    assert one == other and len(one) == 2
    assert not (out / ".betaplus").exists()


BAD = [
    (("--method", "magic"), "method 'magic' is unknown"),
    (("--samples", 3), "draws none"),
    (("--dose-fraction", 2), "above 0 and at most 1"),
    (("--set", "tile=7"), "tiles of 7 voxels"),
    (("--set", "breadth=7"), "setting 'breadth' is unknown"),
    (("--engine", "mpi"), "there are threads, inline"),
    (("--max-memory", "1M"), "is too small"),
    (("--unit-out", "MBq"), "--unit-out is 'MBq'"),
    (("--unit", "kBq/mL"), "--unit"),
    (("--weight", 90000), "BodyWeight is 90000"),
    (("--resume", "--overwrite"), "they exclude each other"),
    (("--device", "cuda:99"), "CUDA devices are usable"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_options_are_refused_in_one_line(
    run_cli: RunCli, folder: Path, tmp_path: Path, options: tuple, words: str
) -> None:
    out = tmp_path / "out"
    code, text, err = run_cli(*arguments(folder, out, *options))
    assert (code, text, err.count("\n")) == (2, "", 1), err
    assert err.startswith("betaplus: error: ") and words in err
    assert not out.exists()


def test_no_weight_no_suv(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    bundle = folder / "denoiser-body-v1"
    source = folder / "sub-01_pet.nii.gz"
    out = tmp_path / "out"
    code, _, err = run_cli("denoise", source, "-o", out, "--bundle", bundle)
    assert code == 2 and re.search(r"BodyWeight is missing in sub-01_pet.nii.gz", err)
    assert err.count("\n") == 1 and not out.exists()


@pytest.mark.parametrize("name", ["kinetics-flow-v1", "nothing"])
def test_a_wrong_bundle(run_cli: RunCli, folder: Path, tmp_path: Path, name: str) -> None:
    import betaplus

    bundle = Path(betaplus.__file__).parent / "bundles" / name
    code, _, err = run_cli(*arguments(folder, tmp_path / "out", "--bundle", bundle))
    assert code == 2 and err.count("\n") == 1
    assert ("of task 'kinetics'" if name != "nothing" else "is not a folder") in err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: np.where(x > 5, np.nan, x), "voxels that are NaN or infinite"),
        (lambda x: x - 0.2, "voxels below 0, the least -0.2"),
        (lambda x: x[:, :, :1], "40 x 36 x 1 voxels"),
    ],
)
def test_images_are_refused_in_one_line(
    run_cli: RunCli, folder: Path, tmp_path: Path, change: object, words: str
) -> None:
    source, out = tmp_path / "sub-05_pet.nii.gz", tmp_path / "out"
    write_image(source, image(change(noisy()).astype(np.float32)))  # type: ignore[operator]
    bundle = folder / "denoiser-body-v1"
    code, _, err = run_cli("denoise", source, "-o", out, "--bundle", bundle)
    assert code == 2 and err.count("\n") == 1 and words in err
    assert not out.exists()
