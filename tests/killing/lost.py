"""Takes a worker or the scheduler from a run at work, and compares with one left alone.

The worker that is killed is one that computes at that moment: its processor time has just grown.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.engine.test_dask_address import cluster, free_port
from tests.killing.forked import Started
from tests.killing.run import Alone, held, until_a_block

__all__ = ["Losses", "lose_scheduler", "lose_worker"]

_WINDOW = 0.2  # s, over which processor time is looked at
_TRIES = 5  # for each kill: one may come too late
_SOONER = 0.5  # of the time after which the last kill came too late
_BUSY = 0.04  # s of it that say that a worker is computing
_OWN = ("survey", "sums")
"""Stages of `patlak` that the command itself computes."""
_REPLACED = ("step_", "state")
"""Stages whose file is replaced as they go on, see `betaplus.core.crew.Crew.save`."""


@dataclass
class Losses:
    """What happened.

    Attributes:
        seconds: Time of the run that was left alone, in threads [s].
        blocks: Its blocks.
        killed: Kills of one that had work, as the run found.
        idle: Kills of a worker that had just finished its last block; they do not count.
        finished: Blocks that were finished at each.
        busy: Processor time that the killed worker had taken [s], of each.
        recorded: Workers lost in the middle of their work, as `run.json` counts them, of each.
        resumed: Blocks that `--resume` did not repeat, over all kills.
        bad: What must not be.
    """

    seconds: float = 0.0
    blocks: int = 0
    killed: int = 0
    finished: list[int] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    recorded: list[int] = field(default_factory=list)
    idle: int = 0
    resumed: int = 0
    bad: list[str] = field(default_factory=list)


def lose_worker(verb: str, number: int, seed: int, folder: Path, engine: str) -> Losses:
    """Kill one of two workers at its work after the first block; the run has to go on by itself.

    Args:
        verb: Its name.
        number: Of kills; runs that end before one are begun again.
        seed: Of the moments.
        folder: An empty one to work in.
        engine: ``processes`` or ``dask``.
    """
    alone = Alone(verb, folder)
    found = Losses(alone.seconds, alone.blocks, bad=[alone.wrong] * bool(alone.wrong))
    out, rng, late = folder / "out", random.Random(f"{verb} {engine} {seed}"), 0
    for _ in range(_TRIES * number * (not found.bad)):
        if found.killed == number:
            break
        running = alone.run(out, "--engine", engine)
        begun = until_a_block(running, alone.work(out), _OWN)  # both workers are at work then
        _wait(running, begun, rng.random() * (alone.last - alone.first) * _SOONER**late)
        busy = _kill_busy_worker(running)
        finished, wrong, before = 0, [], found.killed
        if busy is not None:
            finished = held(alone.work(out))
            wrong = alone.half_there(out) + _repeated(running, alone.work(out))
        if running.wait() != 0:
            wrong.append(f"ended with {running.wait()}: {running.text()[-300:]}")
        elif busy is not None:
            wrong += alone.compared(out)
            record = alone.record(out)
            if record["blocks_resumed"]:
                wrong.append(f"{record['blocks_resumed']} blocks resumed without --resume")
            if record["engine"]["workers_lost"]:
                found.killed += 1
                found.busy.append(busy)
                found.finished.append(finished)
                found.recorded.append(record["engine"]["workers_lost"])
            else:
                found.idle += 1
        late = 0 if found.killed > before else late + 1
        found.bad += [f"kill {found.killed}: {text}" for text in wrong]
        shutil.rmtree(out, ignore_errors=True)
    return found


def lose_scheduler(verb: str, number: int, seed: int, folder: Path) -> Losses:
    """Kill the scheduler of a cluster after the first block, and resume on another one.

    Args:
        verb: Its name.
        number: Of kills; runs that end before one are begun again.
        seed: Of the moments.
        folder: An empty one to work in.
    """
    alone = Alone(verb, folder)
    found = Losses(alone.seconds, alone.blocks, bad=[alone.wrong] * bool(alone.wrong))
    out, rng, late = folder / "out", random.Random(f"{verb} scheduler {seed}"), 0
    for _ in range(_TRIES * number * (not found.bad)):
        if found.killed == number:
            break
        wrong = []
        with _cluster(folder) as (engine, scheduler):
            running = alone.run(out, "--engine", engine)
            begun, span = until_a_block(running, alone.work(out)), alone.last - alone.first
            _wait(running, begun, rng.random() * span * _SOONER**late)
            alive = not running.over()
            scheduler.send_signal(signal.SIGKILL)
            code = running.wait()
        late += 1
        if alive and code != 0:
            late, found.killed = 0, found.killed + 1
            said, finished = running.text(), held(alone.work(out))
            wrong += alone.half_there(out)
            if code != 2 or said.count("\n") != 1 or "the connection to the scheduler" not in said:
                wrong.append(f"ended with {code}: {said[-300:]}")
            with _cluster(folder) as (engine, _):
                again = alone.run(out, "--engine", engine, "--resume")
                if again.wait() != 0:
                    wrong.append(f"--resume failed: {again.text()[-300:]}")
            if not wrong:
                wrong += alone.compared(out)
                resumed = alone.record(out)["blocks_resumed"]
                found.finished.append(finished)
                found.resumed += resumed
                if resumed != finished:
                    wrong.append(f"{resumed} blocks resumed of {finished} finished")
        found.bad += [f"kill {found.killed}: {text}" for text in wrong]
        shutil.rmtree(out, ignore_errors=True)
    return found


@contextlib.contextmanager
def _cluster(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Have a scheduler with two workers that are there; give the engine's name and the first."""
    port = free_port()
    with cluster(port, folder) as scheduler:
        wait = f"from distributed import Client; Client('127.0.0.1:{port}').wait_for_workers(2)"
        subprocess.run([sys.executable, "-c", wait], check=True, timeout=120, capture_output=True)
        yield f"dask:127.0.0.1:{port}", scheduler


def _wait(running: Started, begun: float, more: float) -> None:
    while running.seconds < begun + more and not running.over():
        time.sleep(0.002)


def _kill_busy_worker(running: Started) -> float | None:
    """Kill the worker that computes; return its processor time [s], None where there is none."""
    while not running.over():
        before = _workers(running.pid)
        time.sleep(_WINDOW)
        grown = {pid: t - before[pid] for pid, t in _workers(running.pid).items() if pid in before}
        busiest = max(grown, key=grown.__getitem__, default=0)
        if grown.get(busiest, 0.0) > _BUSY and not running.over():
            spent = before[busiest] + grown[busiest]
            with contextlib.suppress(ProcessLookupError):
                os.kill(busiest, signal.SIGKILL)
                return spent
    return None


def _workers(pid: int) -> dict[int, float]:
    """Return the processor time of every process that a run has spawned [s]."""
    found = {}
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any("spawn_main" in word for word in child.cmdline()):
                    times = child.cpu_times()
                    found[child.pid] = times.user + times.system
    return found


def _repeated(running: Started, work: Path) -> list[str]:
    """Watch a run to its end; return which of the finished blocks it wrote again."""
    finished = _files(work)
    changed: set[str] = set()
    while not running.over():
        now = _files(work)
        changed |= {name for name in finished.keys() & now.keys() if finished[name] != now[name]}
        time.sleep(0.01)
    return [f"{name} was computed again" for name in sorted(changed)]


def _files(work: Path) -> dict[str, tuple[int, int]]:
    found = {}
    with contextlib.suppress(FileNotFoundError):  # the journal goes when all is written
        for path in work.glob("[!.]*.npz"):
            if not path.name.startswith(_REPLACED):
                about = path.stat()
                found[path.name] = (about.st_ino, about.st_mtime_ns)
    return found
