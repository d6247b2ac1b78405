"""Executors by name, and what a spawned worker owes its parent."""

from __future__ import annotations

import os

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.engine import default_workers, make_executor, plan_curves, run


@pytest.mark.parametrize("name", ["inline", "threads"])
def test_futures_carry_results_and_errors(name):
    with make_executor(name, 2) as executor:
        assert executor.submit(divmod, 17, 5).result() == (3, 2)
        assert isinstance(executor.submit(divmod, 1, 0).exception(), ZeroDivisionError)
        assert list(executor.map(abs, [-1, 2, -3])) == [1, 2, 3]


def test_inline_lets_an_interrupt_through():
    def interrupt():
        raise KeyboardInterrupt

    with make_executor("inline") as executor, pytest.raises(KeyboardInterrupt):
        executor.submit(interrupt)


def test_unknown_executors_are_refused():
    with pytest.raises(UsageError, match="is unknown; there are threads, inline, processes"):
        run(plan_curves(1), dict, executor="mpi")


@pytest.mark.parametrize("name", ["inline", "threads", "processes"])
def test_no_workers_are_refused(name):
    with pytest.raises(UsageError, match="--workers is 0"):
        make_executor(name, 0)


def test_default_workers_are_cores_this_process_may_use():
    assert 1 <= default_workers() <= os.cpu_count()
    if hasattr(os, "sched_setaffinity"):
        allowed = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {min(allowed)})
            assert default_workers() == 1
        finally:
            os.sched_setaffinity(0, allowed)


def test_context_reaches_each_process_once(functions):
    context = {"big": np.zeros(1000)}
    results = [
        result
        for _, result in run(
            plan_curves(20 * 512), functions.identify, context, executor="processes", workers=2
        )
    ]
    seen = {(int(r["process"][0]), int(r["context"][0])) for r in results}
    processes = {process for process, _ in seen}
    assert len(results) == 20
    assert os.getpid() not in processes
    assert len(seen) == len(processes) <= 2
