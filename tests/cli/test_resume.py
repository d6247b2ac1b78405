"""A killed run resumes to the same bits; every engine gives the same bits."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import RunCli
from tests.cli.study import Study, tree, write_study

BLOCKS = 10
VOXELS = 512 * BLOCKS - 100  # the last block is not full


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("large"), shape=(16, 20, 17), voxels=VOXELS)


def images(out: Path) -> dict[str, str]:
    return {name: content for name, content in tree(out).items() if name.endswith(".nii.gz")}


def record(out: Path) -> dict:
    return json.loads((out / "sub-01_kinetics_run.json").read_text())


def start(arguments: list[object]) -> subprocess.Popen:
    # a shell that runs the tests in the background has its jobs ignore interrupts: not this one
    heed = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
    heed += "runpy.run_module('betaplus', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", heed, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)


def wait_for_blocks(process: subprocess.Popen, work: Path, count: int) -> None:
    deadline = time.monotonic() + 300
    while len(list(work.glob("curves_*.npz"))) < count:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_image_resumes_to_the_same_bits(
    large: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    whole, killed = Study(large), Study(large)
    whole.out, killed.out = tmp_path / "whole", tmp_path / "killed"
    assert run_cli(*whole.arguments())[0] == 0
    assert record(whole.out)["blocks_resumed"] == 0
    assert record(whole.out)["blocks_done"] == BLOCKS

    work = killed.out / ".betaplus" / "sub-01_kinetics"
    process = start(killed.arguments("--engine", "inline"))
    wait_for_blocks(process, work, 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    finished = len(list(work.glob("curves_*.npz")))
    assert 2 <= finished < BLOCKS
    assert images(killed.out) == {}
    half = killed.out / ".tmp-0123456789ab-sub-01_model-2TCM_meas-K1_stat-mean_mimap.nii.gz"
    half.write_bytes(b"left by a kill while writing")

    code, _, err = run_cli(*killed.arguments())
    assert code == 2 and "--resume" in err and "--overwrite" in err
    code, _, err = run_cli(*killed.arguments("--seed", "1", "--resume"))
    assert code == 2 and "differs in settings.seed" in err

    code, _, err = run_cli(*killed.arguments("--resume"))
    assert (code, err) == (0, "")
    assert record(killed.out)["blocks_resumed"] == finished
    assert record(killed.out)["blocks_done"] == BLOCKS
    assert images(killed.out) == images(whole.out)
    assert len(images(whole.out)) == 43
    assert not (killed.out / ".betaplus").exists() and not half.exists()

    before = tree(killed.out)
    arguments = [a for a in killed.arguments("--resume") if a != "--quiet"]
    code, text, _ = run_cli(*arguments)
    assert code == 0 and "nothing to do" in text
    assert tree(killed.out) == before


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_go_on(large: Path, tmp_path: Path) -> None:
    study = Study(large)
    study.out = tmp_path / "out"
    process = start(study.arguments("--engine", "inline"))
    wait_for_blocks(process, study.out / ".betaplus" / "sub-01_kinetics", 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().splitlines() == [
        "betaplus: interrupted; the same command with --resume continues it"
    ]
    assert images(study.out) == {}


ENGINES = (("inline", 1), ("threads", 2), ("threads", 3), ("processes", 2), ("processes", 4))
DASK = importlib.util.find_spec("distributed") is not None


@pytest.mark.slow
def test_engines_agree_bit_for_bit(large: Path, tmp_path: Path, run_cli: RunCli) -> None:
    found = {}
    for engine, workers in (*ENGINES, *((("dask", 2),) if DASK else ())):
        study = Study(large)
        study.out = tmp_path / f"{engine}{workers}"
        options = ("--engine", engine, "--workers", workers)
        code, _, err = run_cli(*study.arguments(*options))
        assert (code, err) == (0, "")
        found[study.out.name] = images(study.out)
    first = found.pop("inline1")
    assert len(first) == 43
    for maps in found.values():
        assert maps == first


def test_block_size_does_not_change_the_maps(large: Path, tmp_path: Path, run_cli: RunCli) -> None:
    """A memory limit that asks for fewer workers leaves every bit as it was."""
    plain, bounded = Study(large), Study(large)
    plain.out, bounded.out = tmp_path / "plain", tmp_path / "bounded"
    assert run_cli(*plain.arguments())[0] == 0
    assert run_cli(*bounded.arguments("--max-memory", "700M"))[0] == 0
    assert images(plain.out) == images(bounded.out)
    assert record(bounded.out)["engine"]["max_memory_bytes"] == 700 * 2**20
