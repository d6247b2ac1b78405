"""The methods that are compared, and how each one is run on batches of curves."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from betaplus.core.posterior import STATUS
from betaplus.core.progress import Progress
from betaplus.core.settings import make_settings
from betaplus.engine import default_workers
from betaplus.kinetics.method import QUANTILES, Fitter, find_method
from betaplus.pipeline.benchmark.kinetics.cases import QUANTITIES
from betaplus.pipeline.benchmark.kinetics.methods.cases import Batch

__all__ = [
    "ENTRIES",
    "Entry",
    "Found",
    "columns",
    "one_thread",
    "prepared",
    "run_entry",
    "timed_entry",
]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A method with its settings: one row of the table.

    Attributes:
        label: What it is called.
        method: Its name.
        settings: Its settings; refinement is off wherever there is any.
        calls: Network calls per draw; 0 where there is no network, None where it is to be measured.
        points: Setting that the effective sample size is a share of, ``samples`` for the draws that
            are asked for, or "" where there is none.
        few: Whether it is so slow that it gets few curves and draws.
        draws: Whether it has draws; otherwise mean and SD only.
        own: Setting that says how many draws there are, where that is not `Task.samples` alone.
        cheaper: Settings that save time and change no result, for runs whose time is not taken.
    """

    label: str
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    calls: int | None = 0
    points: str = ""
    few: bool = False
    draws: bool = True
    own: str = ""
    cheaper: Mapping[str, Any] = field(default_factory=dict)


_REFINED = next(code for code, name in STATUS.items() if name == "refined")
_LONG = 10.0  # seconds of runs after which there is no other
_RAW = {"reweight": False, "refine": False}
_WEIGHED = {"reweight": True, "refine": False}

ENTRIES = (
    Entry(label="exact", method="exact", points="fine"),
    Entry(label="consistency, raw", method="consistency", settings=_RAW, calls=3, own="draws"),
    Entry(
        label="consistency, re-weighted", method="consistency", settings=_WEIGHED, calls=3,
        points="points", own="draws",
    ),
    Entry(label="flow, raw", method="flow", settings=_RAW, calls=1, own="draws"),
    Entry(
        label="flow, re-weighted", method="flow", settings=_WEIGHED, calls=1, points="samples",
        own="draws",
    ),
    Entry(label="ddpm", method="ddpm", settings=_RAW, calls=1000, few=True, own="draws"),
    Entry(label="score", method="score", settings=_RAW, calls=None, few=True, own="draws"),
    Entry(label="abc, smc", method="abc", settings={"sampler": "smc"}, points="accepted"),
    Entry(
        label="abc, rejection", method="abc", settings={"sampler": "rejection"}, points="accepted"
    ),
    Entry(
        label="consistency-published", method="consistency-published", calls=3, own="draws",
        cheaper={"embedding": "shared"},
    ),
    Entry(label="nlls", method="nlls", draws=False),
)  # fmt: skip
"""Rows of the table."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Found:
    """What a method found for n curves, in the order of `QUANTITIES`.

    Attributes:
        items: Indices of the curves among all, shape (n,).
        mean: Shape (n, 6).
        std: Shape (n, 6).
        quantiles: Shape (n, 6, Q).
        ess: Shape (n,).
        status: Status codes, shape (n,).
        samples: Draws, shape (n, 6, S), or None.
    """

    items: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    quantiles: np.ndarray
    ess: np.ndarray
    status: np.ndarray
    samples: np.ndarray | None


def prepared(
    entry: Entry,
    batch: Batch,
    samples: int,
    quantiles: tuple[float, ...] = QUANTILES,
    *,
    timed: bool = False,
) -> Fitter:
    """Return the method ready for a batch, with so many draws per curve."""
    kind = find_method(entry.method)
    own: dict[str, Any] = {entry.own: samples} if entry.own else {}
    own |= {} if timed else entry.cheaper
    task = dataclasses.replace(
        batch.task, samples=samples if entry.draws else 0, quantiles=quantiles
    )
    return kind(make_settings(kind.Settings, {**entry.settings, **own})).prepare(task)


def run_entry(
    entry: Entry,
    batches: Sequence[Batch],
    samples: int,
    *,
    quantiles: tuple[float, ...] = QUANTILES,
    keep: bool = False,
    progress: Progress,
    workers: int = 0,
) -> Found:
    """Fit batches, several at a time.

    Args:
        entry: The method.
        batches: Curves.
        samples: Draws per curve.
        quantiles: Levels of the quantiles.
        keep: Whether to keep the draws.
        progress: What to report to.
        workers: Batches at a time; the cores available if 0.

    Raises:
        InputError: If the method needs weights that are not there.
    """

    def one(batch: Batch) -> Found:
        fitter = prepared(entry, batch, samples, quantiles)
        fitted = fitter.fit(batch.curves, batch.items)
        progress.advance(len(batch))
        return columns(fitted, fitter.parameters, batch.items, keep and entry.draws)

    progress.start(entry.label, sum(len(batch) for batch in batches))
    try:
        with one_thread(), ThreadPoolExecutor(workers or default_workers()) as pool:
            parts = list(pool.map(one, batches))
    finally:
        progress.finish()
    return _joined(parts)


def columns(
    fitted: Mapping[str, np.ndarray], names: Sequence[str], items: np.ndarray, keep: bool
) -> Found:
    """Return the quantities that are compared, of what a fitter returned."""
    at = [list(names).index(name) for name in QUANTITIES]
    return Found(
        items=items,
        mean=fitted["mean"][:, at].astype(np.float64),
        std=fitted["std"][:, at].astype(np.float64),
        quantiles=fitted["quantiles"][:, at],
        ess=fitted["ess"].astype(np.float64),
        # With refinement off a curve that would be handed over is called misfit, and not trusted.
        status=np.where(fitted["trusted"] == 0, _REFINED, fitted["status"])
        if "trusted" in fitted
        else fitted["status"],
        samples=fitted["samples"][:, at] if keep else None,
    )


def timed_entry(
    entry: Entry, batches: Sequence[Batch], samples: int, repeats: int
) -> tuple[float, Found]:
    """Return the wall time per curve of one thread [s], what curves share apart, and the results.

    Of several runs the shortest: other work on the machine only adds. There are fewer where one
    takes long.
    """
    total, parts = 0.0, []
    with one_thread():
        for batch in batches:
            fitter = prepared(entry, batch, samples, timed=True)
            if not entry.few:
                fitter.fit(batch.curves[:2], batch.items[:2])
            spent: list[float] = []
            while len(spent) < repeats and sum(spent) < _LONG:
                began = time.perf_counter()
                fitted = fitter.fit(batch.curves, batch.items)
                spent.append(time.perf_counter() - began)
            total += min(spent)
            parts.append(columns(fitted, fitter.parameters, batch.items, False))
    return total / sum(len(batch) for batch in batches), _joined(parts)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _joined(parts: Sequence[Found]) -> Found:
    def all_of(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    kept = parts[0].samples is not None
    names = [f.name for f in dataclasses.fields(Found) if f.name != "samples"]
    return Found(
        **{name: all_of(name) for name in names}, samples=all_of("samples") if kept else None
    )
