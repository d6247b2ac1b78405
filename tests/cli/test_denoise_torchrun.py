"""`betaplus denoise` by two processes that torchrun started: the bits of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.denoising.cases import image, noisy, tiny_bundle

from betaplus.io.derivatives import write_image

pytestmark = pytest.mark.slow
NAME = "sub-01_desc-denoised"


def together(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `betaplus` with arguments in two processes."""
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "betaplus", *map(str, arguments)),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torchrun")
    tiny_bundle(folder)
    frames = [noisy(1), 0 * noisy(1), noisy(2)]
    write_image(folder / "sub-01_pet.nii.gz", image(np.stack(frames, -1), decay_corrected_to=0.0))
    return folder


def arguments(folder: Path, out: Path, *more: object) -> tuple[object, ...]:
    return (
        *("denoise", folder / "sub-01_pet.nii.gz", "-o", out, "--no-report"),
        *("--bundle", folder / "denoiser-body-v1", "--workers", 1, *more),
    )


@pytest.mark.parametrize(
    "more",
    [
        ("--set", "tile=16", "--set", "overlap=8"),
        ("--method", "ddim", "--samples", 3, "--set", "steps=2"),
    ],
)
def test_two_processes_write_the_bits_of_one(
    run_cli: RunCli, folder: Path, tmp_path: Path, more: tuple[object, ...]
) -> None:
    assert run_cli(*arguments(folder, tmp_path / "one", *more))[0] == 0
    found = together(*arguments(folder, tmp_path / "two", *more))
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("voxels in") == 1  # the first alone reports
    names = [path.name for path in (tmp_path / "one").glob("*.nii.gz")]
    assert f"{NAME}_pet.nii.gz" in names
    for name in names:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    runs = [
        json.loads((tmp_path / out / "sub-01_denoise_run.json").read_text())
        for out in ("one", "two")
    ]
    assert runs[0]["blocks_done"] == runs[1]["blocks_done"] > 3
    assert runs[0]["key"] == runs[1]["key"]
    again = together(*arguments(folder, tmp_path / "two", *more, "--resume"))
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("nothing to do") == 1


def test_what_one_has_begun_two_finish(
    run_cli: RunCli, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from betaplus.engine import Journal

    more = ("--set", "tile=16", "--set", "overlap=8")
    assert run_cli(*arguments(folder, tmp_path / "one", *more))[0] == 0
    save, count = Journal.save, 0

    def stopped(self: Journal, *given: object) -> None:
        nonlocal count
        count += 1
        if count > 20:
            raise KeyboardInterrupt
        save(self, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "save", stopped)
        assert run_cli(*arguments(folder, tmp_path / "two", *more))[0] == 130
    found = together(*arguments(folder, tmp_path / "two", *more, "--resume"))
    assert found.returncode == 0, found.stderr
    run = json.loads((tmp_path / "two" / "sub-01_denoise_run.json").read_text())
    assert run["blocks_resumed"] == 20
    name = f"{NAME}_pet.nii.gz"
    assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_a_refusal_ends_both(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{NAME}_pet.nii.gz").write_bytes(b"earlier")
    found = together(*arguments(folder, tmp_path / "out"))
    assert found.returncode != 0
    assert "exists already" in found.stderr and "--overwrite" in found.stderr


def test_a_refusal_is_said_once(folder: Path, tmp_path: Path) -> None:
    found = together("denoise", folder / "nothing.nii.gz", "-o", tmp_path / "out")
    assert found.returncode != 0
    assert found.stderr.count("betaplus: error: ") == 1, found.stderr
    assert not (tmp_path / "out").exists()
