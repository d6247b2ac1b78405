"""A run in a process of its own, which tests kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

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
