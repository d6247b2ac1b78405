"""A SLURM cluster from a TOML file: what `--engine slurm:CONFIG` reads.

Keys have the names that dask-jobqueue gives them, so that its pages explain them; `jobs` is ours.
"""

from __future__ import annotations

import signal
import threading
import tomllib
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError, UsageError

__all__ = ["KEYS", "read_config", "start_cluster"]

KEYS: dict[str, type] = {
    "jobs": int,
    "cores": int,
    "processes": int,
    "memory": str,
    "walltime": str,
    "queue": str,
    "account": str,
    "interface": str,
    "python": str,
    "job_name": str,
    "job_cpu": int,
    "job_mem": str,
    "job_extra_directives": list,
    "job_script_prologue": list,
    "local_directory": str,
    "log_directory": str,
    "death_timeout": int,
}
"""What a file may say, and of which type."""

_NEEDED = ("cores", "memory")


def read_config(path: Path) -> dict[str, Any]:
    """Return what a file says, checked; `jobs` is 1 and `processes` is `cores` unless it is said.

    Raises:
        InputError: If it cannot be read or is no TOML.
        UsageError: If a key is unknown, missing, or of the wrong type.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not valid TOML: {error}") from error
    for name, value in found.items():
        kind = KEYS.get(name)
        if kind is None:
            raise UsageError(
                f"{path.name} has an unknown key {name}", f"expected some of {', '.join(KEYS)}"
            )
        fits = isinstance(value, kind) and not isinstance(value, bool)
        if not fits:
            words = {int: "a whole number", str: "text", list: "a list of texts"}[kind]
            raise UsageError(f"{path.name} has {name} = {value!r}", f"expected {words}")
        if kind is int and value < 1:
            raise UsageError(f"{path.name} has {name} = {value}", "expected 1 or more")
        if kind is list and not all(isinstance(item, str) for item in value):
            raise UsageError(f"{path.name} has {name} = {value!r}", "expected a list of texts")
    for name in _NEEDED:
        if name not in found:
            raise UsageError(f"{path.name} has no {name}", "expected cores and memory of a job")
    return {"jobs": 1, "processes": found["cores"], **found}


def start_cluster(path: Path) -> tuple[Any, int]:
    """Return a `dask_jobqueue.SLURMCluster` whose jobs are submitted, and its threads to come.

    Raises:
        InputError: As `read_config`.
        UsageError: Likewise.
        OSError: If ``sbatch`` cannot be run.
        RuntimeError: If it refuses.
        ValueError: If dask-jobqueue refuses a value.
    """
    from distributed.core import Status

    SLURMCluster = _slurm_cluster()
    config = read_config(path)
    jobs = config.pop("jobs")
    cluster = SLURMCluster(
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs="critical",
        **config,
    )
    try:
        # As `cluster.scale` does, but waiting until the queue has taken the jobs, or not.
        for _ in range(jobs):
            cluster.worker_spec.update(cluster.new_worker_spec())
        cluster.sync(cluster._correct_state)
    except BaseException:
        for job in cluster._created:
            if job.job_id is None:  # one that was never in the queue is not to be ended
                job.status = Status.closed
        cluster.close()
        raise
    return cluster, jobs * config["cores"]


def _slurm_cluster() -> Any:
    """Import the class, and leave signals as they were: its package takes Ctrl-C for itself."""
    here = threading.current_thread() is threading.main_thread()
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    from dask_jobqueue.slurm import SLURMCluster

    for name, handler in before.items():
        if here and handler is not None:
            signal.signal(name, handler)
    return SLURMCluster
