"""Processes that are killed while blocks run in them: the blocks run again, or the run says so."""

from __future__ import annotations

import os
import pickle
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from betaplus.core.errors import WorkerError
from betaplus.core.progress import Silent
from betaplus.engine import Journal, make_executor, open_engine, plan_curves, run
from betaplus.engine.sending import Envelope, versions, work

N = 6 * 512


def outcome(results) -> bytes:
    found = {block.index: result for block, result in results}
    return b"".join(
        found[i][name].tobytes() for i in sorted(found) for name in ("noise", "product")
    )


class Notes(Silent):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


def test_a_lost_process_costs_no_block_and_no_bit(functions, context, tmp_path, folder, key):
    context["folder"] = tmp_path / "notes"
    context["folder"].mkdir()
    (context["folder"] / "death-1").touch()
    plan, notes = plan_curves(N, seed=3), Notes()
    reference = outcome(run(plan, functions.draw, context, executor="inline"))
    with Journal.open(folder, key) as journal:
        running = run(
            plan, functions.die, context, executor="processes", workers=2, journal=journal,
            progress=notes,
        )  # fmt: skip
        assert outcome(running) == reference
        assert sorted(journal.load(block)["noise"].shape[0] for block in plan) == [512] * 6
    assert running.workers_lost == 1 and running.blocks_done == 6
    assert notes.said == ["a worker was lost: its blocks run again"]
    ran = [path.name.split("-")[1] for path in context["folder"].glob("ran-*")]
    assert set(ran) == set("012345") and len(ran) <= 6 + 3  # others in flight may run again


def test_a_block_that_always_kills_ends_the_run_and_keeps_the_rest(
    functions, context, tmp_path, folder, key
):
    context["folder"] = tmp_path / "notes"
    context["folder"].mkdir()
    for n in range(9):
        (context["folder"] / f"death-{n}").touch()
    plan = plan_curves(N, seed=3)
    with (
        pytest.raises(WorkerError, match=r"processes: a block has lost its worker 4 times.*--res"),
        Journal.open(folder, key) as journal,
    ):
        list(run(plan, functions.die, context, executor="processes", workers=1, journal=journal))
    assert len(list(context["folder"].glob("death-*"))) == 5
    with Journal.open(folder, key, resume=True) as journal:
        running = run(plan, functions.draw, context, executor="inline", journal=journal)
        assert outcome(running) == outcome(run(plan, functions.draw, context, executor="inline"))
    assert running.blocks_resumed == 5  # all but the one that kills


def test_processes_are_lost_between_runs_too(functions, context):
    plan = plan_curves(1024, seed=3)
    reference = outcome(run(plan, functions.draw, context, executor="inline"))
    with open_engine("processes", 1) as engine:
        with pytest.raises(Exception, match="terminated abruptly"):
            engine.submit(os.abort).result()
        assert outcome(run(plan, functions.draw, context, executor=engine)) == reference


def test_only_a_blocks_own_share_of_the_data_is_sent(functions):
    values = np.random.default_rng(0).standard_normal((2048, 5))
    plan, asked = plan_curves(2048), []

    def read(block):
        asked.append(block.index)
        return (values[block.read],)

    for executor in ("inline", "threads", "processes"):
        found = np.zeros(2048)
        for block, result in run(
            plan, functions.sum_of, 2.0, read=read, executor=executor, workers=2
        ):
            found[block.write] = result["sum"]
        np.testing.assert_array_equal(found, 2.0 * values.sum(axis=1))
    assert sorted(asked) == sorted(3 * [0, 1, 2, 3])


def test_one_pool_serves_runs_of_several_contexts(functions):
    values, plan = np.ones((1024, 2)), plan_curves(1024)
    with open_engine("processes", 1) as engine:
        pids = set()
        for factor in (2.0, 3.0, 2.0):
            running = run(
                plan, functions.sum_of, factor, read=lambda b: (values[b.read],), executor=engine
            )
            assert [float(r["sum"][0]) for _, r in running] == [2 * factor] * 2
            pids.add(engine.submit(os.getpid).result())
        assert len(pids) == 1


def test_other_versions_are_refused(functions, monkeypatch):
    envelope = Envelope.seal(functions.draw, {})
    other = Envelope("another", envelope.content, {**versions(), "numpy": "1.26.4"})
    with pytest.raises(WorkerError, match=r"has numpy .*; expected 1\.26\.4, as here; start work"):
        work(other.digest, lambda: pickle.loads(pickle.dumps(other)), b"")


def test_fewer_processes_than_at_the_beginning(functions):
    values, plan = np.ones((2048, 2)), plan_curves(2048)
    with make_executor("processes", 3) as engine:
        assert engine.count == 3
        for workers, expected in ((1, 1), (2, 2), (5, 3)):
            list(run(plan, functions.sum_of, 1.0, read=lambda b: (values[b.read],),
                     executor=engine, workers=workers))  # fmt: skip
            assert engine.count == expected


def test_a_process_that_dies_while_it_sends_holds_up_nobody(functions):
    outcomes = set()
    with make_executor("processes", 2) as engine:
        for delay in np.linspace(0.0, 0.1, 12):
            dying = engine.submit(functions.large_and_dead, float(delay))
            others = [engine.submit(os.getpid) for _ in range(4)]
            assert all(isinstance(other.result(timeout=60), int) for other in others)
            outcomes.add(type(dying.exception(timeout=60)))
    assert BrokenProcessPool in outcomes and outcomes <= {BrokenProcessPool, type(None)}


def test_what_a_call_raises_says_where(functions):
    with make_executor("processes", 1) as engine:
        error = engine.submit(functions.fail_at, 5, 5, None).exception()
        assert isinstance(error, ValueError) and "in a worker" in error.__notes__[0]
        first = engine.submit(os.getpid).result()
        with pytest.raises(Exception, match="local object"):
            engine.submit(lambda: None).result()
        assert engine.submit(os.getpid).result() == first
    with pytest.raises(RuntimeError, match="after shutdown"):
        engine.submit(os.getpid)
