"""A killed run, resumed, gives the bits of an unbroken one and leaves no worker behind."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from tests.engine.killed_runs import SCRIPT, start, wait_until


@pytest.mark.parametrize(
    "executor", ["threads", "processes", pytest.param("dask", marks=pytest.mark.dask)]
)
def test_kill_and_resume_is_bit_identical(tmp_path, executor):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    whole, broken = tmp_path / "whole", tmp_path / "broken"

    unbroken = start(script, str(whole), "inline", "0", "new", "8000")
    killed = start(script, str(broken), executor, "0.15", "new", "8000")
    journal = broken / ".betaplus" / "scan_kinetics"
    assert wait_until(lambda: len(list(journal.glob("block_*.npz"))) >= 3)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)  # returns when the last worker has let go of the pipes
    assert killed.returncode == -signal.SIGKILL
    assert not (broken / "r.npz").exists()
    finished = len(list(journal.glob("block_*.npz")))
    assert 3 <= finished < 16

    resumed = start(script, str(broken), executor, "0", "resume", "8000")
    output, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors.decode()
    assert output.decode().split() == ["16", str(finished)]
    output, errors = unbroken.communicate(timeout=120)
    assert output.decode().split() == ["16", "0"], errors.decode()
    with np.load(whole / "r.npz") as one, np.load(broken / "r.npz") as two:
        for name in ("noise", "product"):
            assert one[name].tobytes() == two[name].tobytes()
    assert not (broken / ".betaplus").exists()


@pytest.mark.parametrize("executor", ["processes", pytest.param("dask", marks=pytest.mark.dask)])
def test_ctrl_c_ends_quietly_and_resumably(tmp_path, executor):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # Three blocks for two workers: when two are finished, one worker is busy and one is idle.
    run = start(script, str(tmp_path / "out"), executor, "0.7", "new", "1536")
    journal = tmp_path / "out" / ".betaplus" / "scan_kinetics"
    assert wait_until(lambda: len(list(journal.glob("block_*.npz"))) >= 2)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to parent and workers alike
    _, errors = run.communicate(timeout=60)  # returns when the last worker has gone
    assert run.returncode != 0
    assert errors.decode().count("Traceback") == 1, errors.decode()
    assert errors.decode().rstrip().endswith("KeyboardInterrupt")
    assert len(list(journal.glob("block_*.npz"))) >= 2
