"""`betaplus denoise` killed at a random tile, and resumed: the bits of an unbroken run."""

from __future__ import annotations

import json
import os
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

SHAPE = (72, 60, 56)
NAME = "sub-01_desc-denoised_pet"
pytestmark = pytest.mark.slow

FRAMES = {"static": 1, "dynamic": 3}


def options(folder: Path, source: str, out: Path) -> list[str]:
    """Return a command whose work is many small tiles."""
    return [
        *("denoise", str(folder / source / "sub-01_pet.nii"), "-o", str(out)),
        *("--bundle", str(folder / "denoiser-body-v1"), "--set", "tile=12", "--set", "overlap=4"),
        *("--no-report", "--quiet"),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a network, images and their outputs without a break."""
    folder = tmp_path_factory.mktemp("killed")
    tiny_bundle(folder)
    for source, frames in FRAMES.items():
        data = [noisy(seed, SHAPE) for seed in range(frames)]
        scan = image(data[0] if frames == 1 else np.stack(data, -1), decay_corrected_to=0.0)
        (folder / source).mkdir()
        write_image(folder / source / "sub-01_pet.nii", scan)
        command = options(folder, source, folder / source / "whole")
        subprocess.run([sys.executable, "-m", "betaplus", *command], check=True)
    return folder


def finished(work: Path) -> int:
    return len(list(work.glob("*.npz")))


def killed_at(command: list[str], work: Path, tile: int) -> int:
    """Run a command, kill it once a tile is finished; return how many files are left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "betaplus", *command], stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while finished(work) < tile:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    return finished(work)


@pytest.mark.parametrize(("source", "seed"), [("static", 0), ("static", 1), ("dynamic", 2)])
def test_killed_at_a_random_tile(
    run_cli: RunCli, folder: Path, tmp_path: Path, source: str, seed: int
) -> None:
    random, out, whole = np.random.default_rng(seed), tmp_path / "out", folder / source / "whole"
    work, command = out / ".betaplus" / "sub-01_denoise", options(folder, source, out)
    unbroken = json.loads((whole / "sub-01_denoise_run.json").read_text())
    total = unbroken["blocks_done"]
    assert total >= 250 * FRAMES[source] and unbroken["blocks_resumed"] == 0
    left = killed_at(command, work, int(random.integers(1, total // 2)))
    assert 0 < left < total
    assert not list(out.glob("*.nii.gz"))
    # Killed again while it resumes, then left to end, with other threads.
    more = killed_at([*command, "--resume"], work, left + int(random.integers(1, 50)))
    assert left < more < total
    code, _, err = run_cli(*command, "--resume", "--workers", 3)
    assert (code, err) == (0, "")
    run = json.loads((out / "sub-01_denoise_run.json").read_text())
    assert run["blocks_done"] == total and 0 < run["blocks_resumed"] < total
    images = [
        {name: content for name, content in tree(at).items() if name.endswith(".nii.gz")}
        for at in (whole, out)
    ]
    assert images[0] == images[1] and set(images[0]) == {f"{NAME}.nii.gz"}
    assert not (out / ".betaplus").exists() and not list(out.glob(".tmp*"))
