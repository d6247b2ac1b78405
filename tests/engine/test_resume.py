"""A killed run, resumed, gives the bits of an unbroken one and leaves no worker behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import signal
import sys
from pathlib import Path
import numpy as np
from betaplus.engine import Journal, assemble, content_key, plan_curves, run, work_folder
from block_functions import draw

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where jobs ignore it
    out, executor, sleep, resume = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4]
    n_items = int(sys.argv[5])
    plan = plan_curves(n_items, seed=5)
    context = {"matrix": np.random.default_rng(1).standard_normal((3, 3)), "sleep": sleep}
    arrays = {"noise": np.zeros((n_items, 3)), "product": np.zeros((n_items, 3), np.float32)}
    folder = work_folder(out, "scan", "kinetics")
    key = content_key({}, {"seed": 5}, {})
    with Journal.open(folder, key, resume=resume == "resume", outputs=[out / "r.npz"]) as journal:
        running = run(plan, draw, context, executor=executor, workers=2, journal=journal)
        assemble(running, arrays)
        np.savez(out / "r.npz", **arrays)
        journal.complete()
    print(running.blocks_done, running.blocks_resumed)
"""


def start(script: Path, *arguments: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_until(condition, seconds=60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("executor", ["threads", "processes"])
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


def test_ctrl_c_with_processes_ends_quietly_and_resumably(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # Three blocks for two workers: when two are finished, one worker is busy and one is idle.
    run = start(script, str(tmp_path / "out"), "processes", "0.7", "new", "1536")
    journal = tmp_path / "out" / ".betaplus" / "scan_kinetics"
    assert wait_until(lambda: len(list(journal.glob("block_*.npz"))) >= 2)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to parent and workers alike
    _, errors = run.communicate(timeout=60)  # returns when the last worker has gone
    assert run.returncode != 0
    assert errors.decode().count("Traceback") == 1, errors.decode()
    assert errors.decode().rstrip().endswith("KeyboardInterrupt")
    assert len(list(journal.glob("block_*.npz"))) >= 2
