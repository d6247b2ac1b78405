"""What the engines cost: start-up, bytes and time a block, and voxels per second by workers.

A run of N voxels in B blocks on W workers is taken to last

    start-up + N / (W r) + B c / W,

with r the voxels per second of one worker that is ready and c what a block costs beside its
computation: it is cut, sent, scheduled, brought back and put in its place. r is measured without
an engine, c with blocks that carry the same bytes and compute nothing. What the model says of
several workers is held against what they did, in the same run.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.core.settings import make_settings
from betaplus.engine import Block, open_engine, plan_curves, run
from betaplus.engine.sending import pack
from betaplus.kinetics.blocks import FitContext, fit_block
from betaplus.kinetics.method import find_method
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, Scan

__all__ = ["engines", "engines_table"]

_SEED = 71_000
_ENGINES = ("threads", "processes", "dask")


def engines(
    scan: Scan,
    *,
    blocks: int = 12,
    idle_blocks: int = 100,
    block_items: int = 512,
    workers: Sequence[int] = (1, 2, 4),
    repeats: int = 3,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Time `exact` on simulated curves in every engine, and blocks that compute nothing.

    Curves come from the published prior at the middle noise level, the delay known. Times are the
    least of repeats, since whatever else the machine does makes them longer. Workers are ready
    when they are timed; how long that takes is timed apart.

    Args:
        scan: Input function and frames.
        blocks: Blocks of a timed run.
        idle_blocks: Blocks of a run that computes nothing.
        block_items: Curves in a block.
        workers: Numbers of workers.
        repeats: Runs, the engines in turn.
        progress: What to report to.

    Returns:
        ``inline`` voxels/s; ``bytes_sent``, ``bytes_back`` of a block; ``rows``, one for an engine
        and a number of workers: ``start_s``, ``block_ms`` (c), ``rate`` voxels/s, ``model`` what
        the model says it is, ``share`` of c in a block's time on one worker.
    """
    progress = progress or Silent()
    names = [n for n in _ENGINES if n != "dask" or importlib.util.find_spec("distributed")]
    cases = [(name, count) for name in names for count in workers]
    progress.start("engines", len(cases) + 1)
    dose = scan.dose(LEVELS[1])
    values = scan.draw(dose, blocks * block_items, _SEED, delay=False).noisy
    kind = find_method("exact")
    context = FitContext("exact", make_settings(kind.Settings, {}), scan.task(dose, delay=False))
    plan = plan_curves(len(values), block_items=block_items)
    first = fit_block(plan[0], context, values[plan[0].read])  # compiles and makes tables
    idle_values = values[np.arange(idle_blocks * block_items) % len(values)]
    inline = min(_seconds("inline", plan, context, values) for _ in range(repeats))
    alone = inline / len(plan)
    progress.advance()
    rows = []
    for name, count in cases:
        began = time.perf_counter()
        with open_engine(name, count) as engine:
            ready = plan[: 4 * count] if len(plan) >= 4 * count else plan
            _seconds(engine, ready, context, values, count)
            start = time.perf_counter() - began
            empty = [_idle(engine, first, idle_values, block_items, count) for _ in range(repeats)]
            taken = min(_seconds(engine, plan, context, values, count) for _ in range(repeats))
        cost = min(empty) / idle_blocks * count
        rows.append(
            {
                "engine": name,
                "workers": count,
                "start_s": start,
                "block_ms": 1e3 * cost,
                "rate": len(values) / taken,
                "model": count * block_items / (alone + cost),
                "share": cost / (alone + cost),
            }
        )
        progress.advance()
    progress.finish()
    return {
        "voxels": len(values),
        "frames": values.shape[1],
        "block_items": block_items,
        "inline": len(values) / inline,
        "bytes_sent": len(pack(plan[0], (values[plan[0].read],))),
        "bytes_back": sum(array.nbytes for array in first.values()),
        "repeats": repeats,
        "rows": rows,
    }


def engines_table(result: Mapping[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        f"{result['voxels']} voxels of {result['frames']} frames in blocks of"
        f" {result['block_items']}: {result['bytes_sent'] / 1024:.0f} KiB go out with a block and"
        f" {result['bytes_back'] / 1024:.0f} KiB come back. One thread without an engine:"
        f" {result['inline']:.0f} voxels/s. Least of {result['repeats']} runs.",
        "",
        "| engine | workers | ready after | a block costs | of its time | voxels/s | model |"
        " measured over model |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['engine']} | {row['workers']} | {row['start_s']:.1f} s |"
            f" {row['block_ms']:.1f} ms | {100 * row['share']:.2f} % | {row['rate']:.0f} |"
            f" {row['model']:.0f} | {row['rate'] / row['model']:.2f} |"
        )
    return "\n".join(lines)


def _seconds(
    engine: str | Executor,
    plan: Sequence[Block],
    context: FitContext,
    values: np.ndarray,
    workers: int = 1,
) -> float:
    began = time.perf_counter()
    running = run(
        plan, fit_block, context, read=lambda block: (values[block.read],), executor=engine,
        workers=workers,
    )  # fmt: skip
    _collect(running)
    return time.perf_counter() - began


def _idle(
    engine: str | Executor,
    like: Mapping[str, np.ndarray],
    values: np.ndarray,
    block_items: int,
    workers: int,
) -> float:
    plan = plan_curves(len(values), block_items=block_items)
    began = time.perf_counter()
    _collect(
        run(
            plan, _nothing, dict(like), read=lambda block: (values[block.read],), executor=engine,
            workers=workers,
        )
    )  # fmt: skip
    return time.perf_counter() - began


def _nothing(
    block: Block, context: dict[str, np.ndarray], values: np.ndarray
) -> dict[str, np.ndarray]:
    """Return what a fitted block has the size of."""
    return context


def _collect(running: Iterator[tuple[Block, Mapping[str, np.ndarray]]]) -> None:
    for _, result in running:
        for array in result.values():
            array.copy()  # as into the place where it belongs
