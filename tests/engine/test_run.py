"""Plans run alike everywhere, end promptly, and fill arrays by region."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.engine import Block, InlineExecutor, Journal, assemble, plan_curves, run


class Recorder:
    def __init__(self):
        self.calls = []

    def start(self, task, total):
        self.calls.append(("start", task, total))

    def advance(self, steps=1):
        self.calls.append(("advance", steps))

    def finish(self):
        self.calls.append(("finish",))

    def note(self, text):
        self.calls.append(("note", text))


def compute(plan, function, context, **options):
    arrays = {"noise": np.full((5000, 3), np.nan), "product": np.zeros((5000, 3), np.float32)}
    assemble(run(plan, function, context, **options), arrays)
    return arrays["noise"].tobytes() + arrays["product"].tobytes()


def test_executors_workers_and_block_sizes_agree_bit_for_bit(functions, plan, context, tmp_path):
    reference = compute(plan, functions.draw, context, executor="inline")
    larger = plan_curves(5000, block_items=2048, seed=3)
    assert compute(plan, functions.draw, context, executor="threads", workers=3) == reference
    assert compute(larger, functions.draw, context, executor="threads", workers=2) == reference
    assert compute(larger, functions.draw, context, executor="processes", workers=2) == reference
    with ThreadPoolExecutor(2) as own:
        assert compute(plan, functions.draw, context, executor=own, workers=2) == reference
        assert own.submit(int, "3").result() == 3
    other_seed = plan_curves(5000, seed=4)
    assert compute(other_seed, functions.draw, context, executor="inline") != reference


def test_counts_progress_and_costliest_first(functions, context):
    order = []
    plan = [
        Block(i, (slice(i, i + 1),), (slice(i, i + 1),), cost=c) for i, c in enumerate([1, 3, 2])
    ]
    progress = Recorder()
    running = run(
        plan,
        lambda block, _: order.append(block.index) or {},
        executor="inline",
        progress=progress,
        stage="fit",
    )
    assert [block.index for block, _ in running] == order == [1, 2, 0]
    assert (running.blocks_total, running.blocks_done, running.blocks_resumed) == (3, 3, 0)
    assert progress.calls == [("start", "fit", 3), *[("advance", 1)] * 3, ("finish",)]


def test_an_empty_plan_gives_nothing():
    assert list(run([], dict, executor="processes")) == []


def test_blocks_in_flight_are_bounded():
    begun = []
    plan = plan_curves(40 * 512)
    running = run(plan, lambda block, _: begun.append(block.index) or {}, workers=2)
    next(running)
    time.sleep(0.2)
    assert len(begun) <= 4 + 1
    assert len(list(running)) == 39


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_an_error_comes_through_and_stops_the_rest(functions, tmp_path, executor):
    plan = plan_curves(200 * 512)
    running = run(plan, functions.fail_on_third, {"folder": tmp_path}, executor=executor, workers=2)
    with pytest.raises(InputError) as caught:
        list(running)
    assert str(caught.value) == "curve 1024 is not a number; expected activity; mask it"
    assert caught.value.todo == "mask it"
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) < 12


def test_an_error_cancels_what_waits_in_the_callers_own_executor():
    begun = []

    def function(block, _):
        begun.append(block.index)
        time.sleep(0.01)
        raise ZeroDivisionError

    with ThreadPoolExecutor(1) as own, pytest.raises(ZeroDivisionError):
        list(run(plan_curves(50 * 512), function, executor=own, workers=50))
    assert len(begun) < 10


def test_blocks_that_finished_beside_a_failed_one_are_kept(folder, key):
    class AtOnce(Executor):
        def submit(self, fn, /, *args, **kwargs):
            return InlineExecutor().submit(fn, *args, **kwargs)

    def function(block, _):
        return {"inverse": np.array([1 // block.index])}

    plan = plan_curves(16 * 512)
    with pytest.raises(ZeroDivisionError), Journal.open(folder, key) as journal:
        list(run(plan, function, executor=AtOnce(), workers=8, journal=journal))
    with Journal.open(folder, key, resume=True) as journal:
        kept = [block.index for block in plan if journal.load(block) is not None]
    assert kept == list(range(1, 16))


def test_an_error_does_not_wait_for_blocks_at_work():
    release = threading.Event()

    def function(block, _):
        if block.index == 0:
            release.wait(10)
        else:
            raise ZeroDivisionError
        return {}

    begin = time.perf_counter()
    with pytest.raises(ZeroDivisionError):
        list(run(plan_curves(2 * 512), function, executor="threads", workers=2))
    assert time.perf_counter() - begin < 5
    release.set()


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_an_interrupt_leaves_a_journal_that_resumes(
    functions, plan, context, folder, key, executor
):
    reference = compute(plan, functions.draw, context, executor="inline")
    with pytest.raises(KeyboardInterrupt), Journal.open(folder, key) as journal:
        for block, _ in run(plan, functions.draw, context, executor=executor, journal=journal):
            if block.index == 4:
                raise KeyboardInterrupt
    with Journal.open(folder, key, resume=True) as journal:
        running = run(plan, functions.draw, context, executor=executor, journal=journal)
        arrays = {"noise": np.zeros((5000, 3)), "product": np.zeros((5000, 3), np.float32)}
        assemble(running, arrays)
    assert arrays["noise"].tobytes() + arrays["product"].tobytes() == reference
    assert running.blocks_resumed >= 1
    assert running.blocks_done == len(plan)


def test_a_torn_block_is_computed_again(functions, plan, context, folder, key):
    with Journal.open(folder, key) as journal:
        whole = compute(plan, functions.draw, context, executor="inline", journal=journal)
    victim = folder / "block_1024-1536.npz"
    victim.write_bytes(victim.read_bytes()[:-100])
    with Journal.open(folder, key, resume=True) as journal:
        running = run(plan, functions.draw, context, executor="inline", journal=journal)
        arrays = {"noise": np.zeros((5000, 3)), "product": np.zeros((5000, 3), np.float32)}
        assemble(running, arrays)
    assert running.blocks_resumed == len(plan) - 1
    assert arrays["noise"].tobytes() + arrays["product"].tobytes() == whole


def test_blocks_with_halos_fill_a_volume(tmp_path):
    volume = np.random.default_rng(0).random((20, 14, 9))
    plan = []
    for index, (x, y) in enumerate([(0, 0), (0, 7), (10, 0), (10, 7)]):
        write = (slice(x, x + 10), slice(y, y + 7), slice(0, 9))
        read = (
            slice(max(x - 1, 0), min(x + 11, 20)),
            slice(max(y - 1, 0), min(y + 8, 14)),
            slice(0, 9),
        )
        plan.append(Block(index, read, write))

    def smooth(array):
        padded = np.pad(array, 1, mode="edge")
        return (padded[:-2, 1:-1] + padded[1:-1, :-2] + padded[2:, 1:-1])[:, :, 1:-1]

    def function(block, data):
        return {"smooth": smooth(data[block.read])[block.inner]}

    target = np.memmap(tmp_path / "volume", np.float64, "w+", shape=volume.shape)
    assemble(run(plan, function, volume, workers=2), {"smooth": target})
    np.testing.assert_array_equal(target, smooth(volume))


def test_results_of_a_wrong_shape_or_name_are_refused():
    plan = plan_curves(4)
    with pytest.raises(ValueError, match=r"mean of shape \(1,\), not \(4,\)"):
        assemble(
            run(plan, lambda *_: {"mean": np.zeros(1)}, executor="inline"), {"mean": np.zeros(4)}
        )
    with pytest.raises(ValueError, match=r"gave \['mean'\], not \['std'\]"):
        assemble(
            run(plan, lambda *_: {"mean": np.zeros(4)}, executor="inline"), {"std": np.zeros(4)}
        )


def test_blocks_that_write_the_same_region_are_refused():
    with pytest.raises(ValueError, match="same region"):
        run(plan_curves(4) * 2, dict)


def test_closing_stops_early():
    begun = []
    running = run(
        plan_curves(10 * 512), lambda block, _: begun.append(block) or {}, executor="inline"
    )
    next(running)
    running.close()
    assert list(running) == [] and len(begun) == 1
