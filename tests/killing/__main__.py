"""Kills verbs and resumes them: ``python -m tests.killing --number 20 --verb kinetics``.

With ``--lost worker --engine processes`` (or ``dask``) one worker of two, with ``--lost scheduler``
the scheduler of a cluster.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.killing.full import as_text, may_mount, no_room
from tests.killing.run import kill
from tests.killing.studies import VERBS


def main() -> int:
    """Kill the verbs that are asked for; return 1 if one did not go on as it must."""
    parser = argparse.ArgumentParser(prog="python -m tests.killing", description=__doc__)
    parser.add_argument("--verb", action="append", choices=sorted(VERBS), help="default: all")
    parser.add_argument("--number", type=int, default=20, help="kills of each verb")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--engine", default="threads", help="of the runs that are killed")
    parser.add_argument("--full", action="store_true", help="take its room away instead")
    parser.add_argument(
        "--lost", choices=("worker", "scheduler"), help="kill this instead of the command"
    )
    asked = parser.parse_args()
    failed = False
    if asked.full:
        for verb in asked.verb or VERBS:
            with tempfile.TemporaryDirectory(prefix="full-") as folder:
                stopped, wrong = no_room(verb, Path(folder), may_mount())
            print(as_text(verb, stopped, wrong), flush=True)
            failed |= bool(wrong) or not stopped
        return int(failed)
    if asked.lost is not None:
        return int(_lost(asked))
    for verb in asked.verb or VERBS:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="killing-") as folder:
            found = kill(verb, asked.number, asked.seed, Path(folder), asked.engine)
        print(
            f"{verb}, {asked.engine}: {asked.number} kills, seed {asked.seed}, in a run of"
            f" {found.seconds:.1f} s and {found.blocks} blocks (the first after"
            f" {found.first:.1f} s): {found.early} before a block was"
            f" finished, {found.midway} with finished ones ({found.writing} while outputs were"
            f" written), {found.late} after the end; {found.resumed} blocks not repeated;"
            f" {len(found.bad)} troubles, {time.monotonic() - begun:.0f} s",
            flush=True,
        )
        for text in found.bad:
            print(f"  {text}", flush=True)
        failed |= bool(found.bad)
    return int(failed)


def _lost(asked: argparse.Namespace) -> bool:
    """Take workers or schedulers from runs; return whether one did not go on as it must."""
    from tests.killing.lost import lose_scheduler, lose_worker

    failed = False
    for verb in asked.verb or VERBS:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="lost-") as name:
            folder = Path(name)
            if asked.lost == "worker":
                found = lose_worker(verb, asked.number, asked.seed, folder, asked.engine)
                about = (
                    f"processor time of the killed {[round(t, 1) for t in found.busy]} s, lost by"
                    f" run.json {found.recorded} ({found.idle} more kills came too late)"
                )
            else:
                found = lose_scheduler(verb, asked.number, asked.seed, folder)
                about = f"{found.resumed} blocks not repeated after --resume"
        where = asked.engine if asked.lost == "worker" else "dask:HOST:PORT"
        print(
            f"{verb}, {where}: {asked.lost} lost {found.killed} times, seed {asked.seed}, in a run"
            f" of {found.seconds:.1f} s and {found.blocks} blocks; finished then {found.finished};"
            f" {about}; {len(found.bad)} troubles, {time.monotonic() - begun:.0f} s",
            flush=True,
        )
        for text in found.bad:
            print(f"  {text}", flush=True)
        failed |= bool(found.bad) or found.killed < asked.number
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
