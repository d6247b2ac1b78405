"""`betaplus reconstruct` with a score model, from files to files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.test_reconstruct import scan, write_mu

import betaplus
from betaplus.io.raw.store import write_raw

COARSE = Path(betaplus.__file__).parent / "bundles" / "prior-brain2d-coarse-v1"
BASIC = ("--voxel", 6, "--matrix", 15, "--psf", 0, "--subsets", 6, "--no-report")
SHORT = (*BASIC, "--bundle", COARSE, "--steps", 4, "--set", "inner=2")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    write_raw(folder / "sub-01_raw.zarr", scan())
    write_mu(folder / "mu.nii.gz")
    return folder


def read(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def test_the_mean_of_draws_and_their_spread(run_cli: RunCli, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("reconstruct", study / "sub-01_raw.zarr", "--mu", study / "mu.nii.gz", *SHORT)
    code, text, err = run_cli(*arguments, "-o", out, "--method", "dds", "--samples", 3)
    assert code == 0, err
    assert "prior-brain2d-coarse-v1, as given" in text and "SD over 3 draws" in text
    image, sd, share = (
        read(out / f"sub-01_rec-dds_{name}pet.nii.gz") for name in ("", "stat-std_", "stat-cv_")
    )
    assert image.shape == sd.shape == share.shape == (15, 15, 9, 2)
    assert (sd >= 0).all() and sd.max() > 0
    assert np.allclose(share[image > 0], (sd / np.maximum(image, 1e-9))[image > 0], rtol=1e-4)
    assert not np.array_equal(image[..., 0], image[..., 1])
    fields = {
        name: json.loads((out / f"sub-01_rec-dds_{name}pet.json").read_text())
        for name in ("", "stat-std_", "stat-cv_")
    }
    assert [fields[n]["Units"] for n in fields] == ["Bq/mL", "Bq/mL", "1"]
    about = fields[""]["betaplus"]
    assert about["prior"]["bundle"] == "prior-brain2d-coarse-v1" and about["seed"] == 0
    run = json.loads((out / "sub-01_reconstruct_run.json").read_text())
    assert (run["blocks_done"], run["blocks_resumed"]) == (24, 0)  # frames, draws, steps
    one = tmp_path / "one"
    code, _, err = run_cli(*arguments, "-o", one, "--method", "dds", "--samples", 1)
    assert code == 0, err
    assert not list(one.glob("*stat*"))
    # Draws are those of a longer run: the mean of three holds the first.
    assert not np.array_equal(read(one / "sub-01_rec-dds_pet.nii.gz"), image)


@pytest.mark.parametrize("method", ["dds", "dds-published", "lisch", "gibbs", "dps"])
def test_every_method_with_any_number_of_threads(
    run_cli: RunCli, study: Path, tmp_path: Path, method: str
) -> None:
    more = {
        "dds-published": ("--steps", 4, "--set", "stop=0"),
        "gibbs": ("--set", "burn=2", "--set", "thin=1", "--set", "chains=2"),
    }.get(method, ("--steps", 3))
    found = {}
    for name, workers, seed in (("one", 1, 0), ("three", 3, 0), ("seed", 2, 1)):
        out = tmp_path / name
        code, _, err = run_cli(
            "reconstruct", study / "sub-01_raw.zarr", "-o", out, *BASIC, "--bundle", COARSE,
            "--method", method, "--samples", 2, *more, "--workers", workers, "--seed", seed,
        )  # fmt: skip
        assert code == 0, err
        label = method.replace("-", "")
        found[name] = read(out / f"sub-01_rec-{label}_pet.nii.gz")
        assert (found[name] >= 0).all() and found[name].max() > 0
    assert np.array_equal(found["one"], found["three"])
    assert not np.array_equal(found["one"], found["seed"])


def test_which_method_where_none_is_said(run_cli: RunCli, study: Path, tmp_path: Path) -> None:
    """The shipped prior of heads knows voxels of 2 mm, and none those of 3 by 3 by 2."""
    arguments = ("reconstruct", study / "sub-01_raw.zarr", "--no-report", "--subsets", 6)
    for voxel, more, name, words in (
        (2, ("--steps", 2, "--samples", 1), "dds", "cm wide, less than 26 cm"),
        (3, (), "osem", "osem, since no prior is valid for the image: voxels of 3 mm"),
        (2, ("--iterations", 1), "osem", "osem, which iterations is a setting of"),
    ):
        out = tmp_path / f"{name}{voxel}{len(more)}"
        code, text, err = run_cli(
            *arguments, "-o", out, "--voxel", voxel, "--matrix", 90 // voxel, *more
        )
        assert code == 0, err
        assert words in text and (out / f"sub-01_rec-{name}_pet.nii.gz").exists()


REFUSED = {
    "prior of osem": (("--method", "osem", "--bundle", COARSE), "--bundle with method 'osem'"),
    "steps of osem": (("--method", "osem", "--steps", 3), "setting 'steps' is unknown"),
    "steps of gibbs": (("--method", "gibbs", "--steps", 3), "setting 'steps' is unknown"),
    "passes of dds": (("--method", "dds", "--iterations", 3), "setting 'iterations' is unknown"),
    "steps twice": (("--method", "dds", "--steps", 3, "--set", "steps=3"), "one of the two"),
    "no samples": (("--method", "dds", "--samples", 0), "setting draws=0"),
    "no bundle": (("--bundle", "nowhere"), "--bundle nowhere is not a folder"),
    "other voxels": (("--bundle", COARSE, "--voxel", 3), "voxels of 3 mm; expected 6 to 10.8 mm"),
    "weight of osem": (("--method", "osem", "--weight", 70), "--weight with method 'osem'"),
    "slices": (("--method", "dds", "--bundle", COARSE, "--set", "slices=oblique"), "expected one"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(run_cli: RunCli, study: Path, tmp_path: Path, case: str) -> None:
    options, words = REFUSED[case]
    grid = () if "--voxel" in options else ("--voxel", 6)
    code, text, err = run_cli(
        "reconstruct", study / "sub-01_raw.zarr", "-o", tmp_path / "out", "--matrix", 15, *grid,
        *options,
    )  # fmt: skip
    assert code == 2, err
    assert err.count("\n") == 1 and not text and words in err, err
    assert not list(tmp_path.iterdir())


def states(work: Path) -> int:
    return sum(1 for _ in work.glob("state*.npz"))


@pytest.mark.slow
@pytest.mark.parametrize(("method", "seed"), [("dds", 0), ("gibbs", 1)])
def test_killed_and_resumed(
    run_cli: RunCli, study: Path, tmp_path: Path, method: str, seed: int
) -> None:
    steps = {"dds": ("--steps", 40), "gibbs": ("--set", "burn=20", "--set", "chains=2")}[method]
    command = [
        str(a)
        for a in (
            "reconstruct", study / "sub-01_raw.zarr", *BASIC, "--bundle", COARSE, "--quiet",
            "--method", method, "--samples", 3, *steps,
        )
    ]  # fmt: skip
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run_cli(*command, "-o", whole, "--workers", 1)[0] == 0
    total = json.loads((whole / "sub-01_reconstruct_run.json").read_text())["blocks_done"]
    random, work = np.random.default_rng(seed), out / ".betaplus" / "sub-01_reconstruct"
    for flags in ((), ("--resume",)):  # killed, and killed again while it goes on
        process = subprocess.Popen(
            [sys.executable, "-m", "betaplus", *command, "-o", str(out), *flags],
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while not states(work):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(random.uniform(0.0, 0.3))
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert states(work) and not list(out.glob("*.nii.gz"))
    code, _, err = run_cli(*command, "-o", out, "--resume", "--workers", 3)
    assert (code, err) == (0, "")
    run = json.loads((out / "sub-01_reconstruct_run.json").read_text())
    assert run["blocks_done"] == total and 0 < run["blocks_resumed"] < total
    images = [
        {path.name: path.read_bytes() for path in folder.glob("*.nii.gz")}
        for folder in (whole, out)
    ]
    assert len(images[0]) == 3 and images[0] == images[1]
    assert not (out / ".betaplus").exists()
