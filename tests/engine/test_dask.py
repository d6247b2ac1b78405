"""Dask on this machine: the bits of one process, lost workers made good, errors as elsewhere."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import InputError, WorkerError
from betaplus.engine import Journal, make_executor, open_engine, plan_curves, run, workers_lost
from betaplus.engine.sending import versions

pytestmark = pytest.mark.dask

N = 5000
OPTIONS = {"matrix": np.random.default_rng(1).standard_normal((3, 3))}


@pytest.fixture(scope="module")
def functions():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("block_functions")


@pytest.fixture(scope="module")
def engine(functions):
    """Two worker processes."""
    with open_engine("dask", 2) as engine:
        yield engine


def outcome(results) -> bytes:
    found = sorted(((block.start, result) for block, result in results), key=lambda pair: pair[0])
    return b"".join(
        np.concatenate([result[name] for _, result in found]).tobytes()
        for name in ("noise", "product")
    )


@pytest.fixture(scope="module")
def reference(functions) -> bytes:
    return outcome(run(plan_curves(N, seed=3), functions.draw, OPTIONS, executor="inline"))


@pytest.mark.parametrize("block_items", [512, 1024, 2048])
def test_bits_are_those_of_one_process(functions, engine, reference, block_items):
    plan = plan_curves(N, block_items=block_items, seed=3)
    running = run(plan, functions.draw, OPTIONS, executor=engine)
    assert outcome(running) == reference
    assert running.blocks_done == len(plan)


def test_context_and_function_reach_each_process_once(functions, engine):
    plan = plan_curves(20 * 512)
    results = [r for _, r in run(plan, functions.identify, {"big": 1}, executor=engine)]
    seen = {(int(r["process"][0]), int(r["context"][0])) for r in results}
    processes = {process for process, _ in seen}
    assert len(results) == 20 and os.getpid() not in processes
    assert len(seen) == len(processes) == 2


def test_only_a_blocks_own_share_of_the_data_is_sent(functions, engine):
    values, found = np.random.default_rng(0).standard_normal((2048, 5)), np.zeros(2048)
    for block, result in run(
        plan_curves(2048), functions.sum_of, 2.0, read=lambda b: (values[b.read],), executor=engine
    ):
        found[block.write] = result["sum"]
    np.testing.assert_array_equal(found, 2.0 * values.sum(axis=1))


def test_calls_of_any_function_are_taken(engine):
    assert engine.submit(divmod, 17, 5).result() == (3, 2)
    assert isinstance(engine.submit(divmod, 1, 0).exception(), ZeroDivisionError)
    assert engine.submit(dict, workers=3, key="k").result() == {"workers": 3, "key": "k"}


def test_an_error_comes_through_and_stops_the_rest(functions, engine, tmp_path):
    running = run(
        plan_curves(200 * 512), functions.fail_on_third, {"folder": tmp_path}, executor=engine
    )
    with pytest.raises(InputError) as caught:
        list(running)
    assert str(caught.value) == "curve 1024 is not a number; expected activity; mask it"
    assert len(list(tmp_path.iterdir())) < 30
    assert engine.submit(int, "3").result() == 3


def test_nobody_elsewhere_can_connect(engine):
    psutil = pytest.importorskip("psutil")
    parents = psutil.Process()
    listening = [
        connection.laddr
        for process in [parents, *parents.children(recursive=True)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3  # the scheduler and two workers
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}


def test_a_lost_worker_costs_no_block_and_no_bit(
    functions, engine, reference, tmp_path, folder, key
):
    (tmp_path / "death-1").touch()
    plan, lost = plan_curves(N, seed=3), workers_lost(engine)
    with Journal.open(folder, key) as journal:
        running = run(
            plan, functions.die, {**OPTIONS, "folder": tmp_path}, executor=engine, journal=journal
        )
        assert outcome(running) == reference
        assert all(journal.load(block) is not None for block in plan)
    assert running.blocks_done == len(plan) and not list(tmp_path.glob("death-*"))
    assert workers_lost(engine) == lost + 1
    ran = [path.name.split("-")[1] for path in tmp_path.glob("ran-*")]
    assert set(ran) == {str(block.index) for block in plan}
    assert len(ran) <= len(plan) + 4  # results that the lost worker held are made again


def test_a_block_that_always_kills_ends_the_run_and_keeps_the_rest(
    functions, engine, reference, tmp_path, folder, key
):
    for n in range(9):
        (tmp_path / f"death-{n}").touch()
    engine._cluster.scheduler.allowed_failures = 1  # 3 otherwise: each takes a new process
    plan = plan_curves(N, seed=3)
    context = {**OPTIONS, "folder": tmp_path}
    with (
        pytest.raises(WorkerError, match=r"--engine dask: a block has lost its worker.*--resume"),
        Journal.open(folder, key) as journal,
    ):
        list(run(plan, functions.die, context, executor=engine, journal=journal))
    with Journal.open(folder, key, resume=True) as journal:
        running = run(plan, functions.draw, OPTIONS, executor="inline", journal=journal)
        assert outcome(running) == reference


def test_workers_of_other_versions_are_refused(functions, engine, monkeypatch):
    monkeypatch.setattr("betaplus.engine.sending.versions", lambda: {**versions(), "scipy": "0.1"})
    with pytest.raises(WorkerError, match=r"has scipy .*; expected 0\.1, as here; start workers"):
        list(run(plan_curves(512), functions.draw, {"another": 1}, executor=engine))


def test_two_clusters_at_once_say_nothing(engine, capfd):
    with make_executor("dask", 1) as other:
        assert other.submit(int, "3").result() == engine.submit(int, "3").result() == 3
    assert capfd.readouterr() == ("", "")


def test_no_initializer_is_taken_that_nobody_would_call():
    with pytest.raises(ValueError, match="initializer"):
        make_executor("dask", 1, initializer=print)
