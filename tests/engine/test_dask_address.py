"""The scheduler of a cluster that runs already, and what becomes of a run that loses it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.engine.killed_runs import SCRIPT, start, wait_until

from betaplus.core.errors import UsageError, WorkerError
from betaplus.engine import make_executor
from betaplus.engine.dask_workers import DaskWorkers

pytestmark = pytest.mark.dask

BLOCKS, N = 16, 8000


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def call(*arguments: object) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def cluster(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have a scheduler with two workers, and give the scheduler."""
    address = f"tcp://127.0.0.1:{port}"
    scheduler = call(
        *("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port),
        *("--no-dashboard", "--no-show"),
    )
    workers = [
        call(
            *("distributed.cli.dask_worker", address, "--nthreads", 1, "--no-dashboard"),
            *("--memory-limit", 0, "--local-directory", folder, "--death-timeout", 60),
        )
        for _ in range(2)
    ]
    try:
        yield scheduler
    finally:
        for process in (*workers, scheduler):
            process.terminate()
        for process in (*workers, scheduler):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def test_a_scheduler_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("betaplus.engine.dask_workers.PATIENCE", 1)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(UsageError) as caught:
        make_executor(f"dask:{address}")
    assert str(caught.value) == (
        f"no scheduler of dask answers at {address}; expected one that runs;"
        " start it with dask scheduler, and workers with dask worker"
    )


def test_a_scheduler_that_is_gone_when_it_is_asked_for_its_threads_is_named():
    def gone():
        raise OSError("Timed out trying to connect")

    workers = object.__new__(DaskWorkers)
    workers.name, workers.here, workers._asked = "dask:127.0.0.1:1", False, float("-inf")
    workers._client = SimpleNamespace(nthreads=gone)
    with pytest.raises(WorkerError, match="connection to the scheduler was lost; give --resume"):
        _ = workers.count


@pytest.mark.slow
def test_a_run_whose_scheduler_is_killed_goes_on_from_what_is_finished(tmp_path):
    script, port = tmp_path / "script.py", free_port()
    script.write_text(SCRIPT)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    engine, journal = f"dask:127.0.0.1:{port}", broken / ".betaplus" / "scan_kinetics"
    unbroken = start(script, str(whole), "inline", "0", "new", str(N))
    with cluster(port, tmp_path) as scheduler:
        run = start(script, str(broken), engine, "0.3", "new", str(N))
        assert wait_until(lambda: len(list(journal.glob("block_*.npz"))) >= 3)
        scheduler.send_signal(signal.SIGKILL)
        _, errors = run.communicate(timeout=120)
    assert run.returncode != 0
    assert errors.decode().rstrip().splitlines()[-1] == (
        f"betaplus.core.errors.WorkerError: --engine {engine}: the connection to the scheduler was"
        " lost; give --resume to go on from what is finished"
    )
    assert b"distributed" not in errors and b"never awaited" not in errors  # of dask nothing
    assert not (broken / "r.npz").exists()
    finished = len(list(journal.glob("block_*.npz")))
    assert 3 <= finished < BLOCKS

    with cluster(port, tmp_path):
        resumed = start(script, str(broken), engine, "0", "resume", str(N))
        output, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors.decode()
    assert output.decode().split() == [str(BLOCKS), str(finished)]
    output, errors = unbroken.communicate(timeout=120)
    assert output.decode().split() == [str(BLOCKS), "0"], errors.decode()
    with np.load(whole / "r.npz") as one, np.load(broken / "r.npz") as two:
        for name in ("noise", "product"):
            assert one[name].tobytes() == two[name].tobytes()
