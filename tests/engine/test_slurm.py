"""Jobs of SLURM, where no SLURM is: the script of a job, and a queue that runs it at once."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from betaplus.core.errors import InputError, UsageError, WorkerError
from betaplus.engine import make_executor, open_engine, plan_curves, run
from betaplus.engine.slurm import read_config

pytestmark = pytest.mark.dask

SBATCH = """#!/bin/sh
for script; do :; done
cp "$script" "$QUEUE/job-$$.sh"
setsid bash "$QUEUE/job-$$.sh" > "$QUEUE/job-$$.out" 2>&1 < /dev/null &
echo $! > "$QUEUE/job-$$.pid"
echo "Submitted batch job $$"
"""
SCANCEL = """#!/bin/sh
echo "$@" >> "$QUEUE/cancelled"
for job; do kill -- "-$(cat "$QUEUE/job-$job.pid")" 2> /dev/null; done
exit 0
"""
CONFIG = """
jobs = 1
cores = 2
memory = "3 GiB"
walltime = "01:30:00"
queue = "short"
account = "pet"
interface = "lo"
job_extra_directives = ["--constraint=avx2"]
job_script_prologue = ["export BETAPLUS_TOLD=yes"]
death_timeout = 60
"""


@pytest.fixture
def queue(tmp_path, monkeypatch) -> Path:
    """A folder in which commands of SLURM leave what they were given."""
    commands, folder = tmp_path / "bin", tmp_path / "queue"
    for made in (commands, folder):
        made.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("QUEUE", str(folder))
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    monkeypatch.setenv("PYTHONPATH", path)
    return folder


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "cluster.toml"
    path.write_text(CONFIG + f'local_directory = "{tmp_path}"\n')
    return path


def test_a_run_in_jobs_has_the_bits_of_one_process(functions, context, queue, config):
    plan, before = plan_curves(3000, seed=3), signal.getsignal(signal.SIGINT)

    def outcome(executor) -> bytes:
        results = dict(
            (b.start, r) for b, r in run(plan, functions.draw, context, executor=executor)
        )
        return b"".join(results[start]["product"].tobytes() for start in sorted(results))

    with open_engine(f"slurm:{config}") as engine:
        assert engine.count == 2
        assert outcome(engine) == outcome("inline")
        told = engine.submit(os.getenv, "BETAPLUS_TOLD").result()
        assert told == "yes"
    assert signal.getsignal(signal.SIGINT) is before  # dask-jobqueue takes it when imported
    (script,) = queue.glob("job-*.sh")
    lines = script.read_text().splitlines()
    directives = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")]
    for expected in (
        *("-p short", "-A pet", "-n 1", "--cpus-per-task=2", "--mem=3G", "-t 01:30:00"),
        "--constraint=avx2",
    ):
        assert expected in directives
    command = lines[-1].split()
    assert command[0] == sys.executable
    for option, value in (("--nthreads", "1"), ("--nworkers", "2")):
        assert command[command.index(option) + 1] == value
    job = script.stem.removeprefix("job-")
    assert job in (queue / "cancelled").read_text().split()


def test_a_queue_that_refuses_is_an_error(tmp_path, queue, config):
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho invalid account >&2\nexit 1\n")
    with pytest.raises(WorkerError, match=r"could not start its workers: .*invalid account"):
        make_executor(f"slurm:{config}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cores = 4", "has no memory; expected cores and memory of a job"),
        ('memory = "4 GB"', "has no cores"),
        ('cores = "4"\nmemory = "4 GB"', "cores = '4'; expected a whole number"),
        ('cores = true\nmemory = "4 GB"', "cores = True; expected a whole number"),
        ('cores = 0\nmemory = "4 GB"', "cores = 0; expected 1 or more"),
        ("cores = 4\nmemory = 4", "memory = 4; expected text"),
        (
            'cores = 4\nmemory = "4 GB"\nnodes = 2',
            "unknown key nodes; expected some of jobs, cores",
        ),
        (
            'cores = 4\nmemory = "4 GB"\njob_extra_directives = [1]',
            r"job_extra_directives = \[1\]; expected a list of texts",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, text, message):
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"cluster\.toml has .*{message.removeprefix('has ')}"):
        read_config(path)


@pytest.mark.parametrize("content", [b"cores = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "cluster.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cluster\.toml is not valid TOML"):
        read_config(path)


def test_what_a_file_leaves_out(tmp_path):
    path = tmp_path / "cluster.toml"
    path.write_text('cores = 4\nmemory = "8 GB"')
    assert read_config(path) == {"jobs": 1, "processes": 4, "cores": 4, "memory": "8 GB"}
