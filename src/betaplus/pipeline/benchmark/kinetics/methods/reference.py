"""What all methods are held against: large sets of `exact`, and NUTS on some of the curves.

Chains take half a minute a curve, so what they found is kept in a file as curves finish: a run that
was cut short goes on where it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.engine import default_workers
from betaplus.io.atomic import atomic_path
from betaplus.kinetics.method import Task, find_method
from betaplus.pipeline.benchmark.kinetics.methods.cases import Batch
from betaplus.pipeline.benchmark.kinetics.methods.entries import Entry, Found, columns, run_entry

__all__ = ["LARGE", "NutsStore", "chosen_batches", "curve_key", "nuts_posteriors", "reference"]

LARGE = {"coarse": 2048, "pilot": 512, "fine": 8192, "least_ess": 1000.0, "largest": 65_536}
"""Settings of `exact` where it is the reference."""

_LARGE = Entry(label="reference", method="exact", settings=LARGE, points="fine")
_DRAWS, _NUTS_DRAWS = 2000, 2000
_FIELDS = ("mean", "std", "samples", "ess", "rhat", "converged")


def reference(batches: Sequence[Batch], progress: Progress) -> Found:
    """Return posteriors of large sets of `exact`, with 2000 draws of each."""
    return run_entry(_LARGE, batches, _DRAWS, keep=True, progress=progress)


class NutsStore:
    """Posteriors by NUTS that are there already, in a file if there is a folder.

    Args:
        folder: Where ``reference_nuts.npz`` is or will be; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / "reference_nuts.npz"
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, np.ndarray]] = {}
        if self._path is not None and self._path.is_file():
            with np.load(self._path, allow_pickle=False) as file:
                stored = {name: file[name] for name in (*_FIELDS, "keys")}
            for i, key in enumerate(stored["keys"]):
                self._rows[str(key)] = {name: stored[name][i] for name in _FIELDS}

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> dict[str, np.ndarray]:
        return self._rows[key]

    def add(self, key: str, row: Mapping[str, np.ndarray]) -> None:
        """Keep a posterior."""
        with self._lock:
            self._rows[key] = dict(row)
            if self._path is None:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            arrays = {n: np.stack([row[n] for row in self._rows.values()]) for n in _FIELDS}
            with atomic_path(self._path) as path, path.open("wb") as stream:
                np.savez(stream, keys=np.array(list(self._rows)), **arrays)


def curve_key(task: Task, curve: np.ndarray, item: int) -> str:
    """Return a name for a curve and its task: same name, same posterior."""
    digest = hashlib.sha256()
    arrays = (
        task.curve.time, task.curve.plasma, task.curve.whole_blood, task.frames.start,
        task.frames.duration, curve,
    )  # fmt: skip
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    numbers = (task.half_life, task.model, task.prior.name, task.delay, task.seed, int(item))
    digest.update(repr((numbers, _NUTS_DRAWS)).encode())
    return digest.hexdigest()[:32]


def nuts_posteriors(
    batches: Sequence[Batch], store: NutsStore, progress: Progress, title: str = "NUTS"
) -> dict[str, np.ndarray]:
    """Return ``mean``, ``std`` (n, 6), ``samples`` (n, 6, 2000), ``ess``, ``rhat``, ``converged``.

    Args:
        batches: Curves.
        store: What is there already.
        progress: What to report to.
        title: What the work is called.

    Raises:
        UsageError: If numpyro is missing.
    """
    kind = find_method("nuts")
    keys = [
        [curve_key(b.task, c, i) for c, i in zip(b.curves, b.items, strict=True)] for b in batches
    ]
    missing = [
        (b, [i for i, key in enumerate(mine) if key not in store], mine)
        for b, mine in zip(batches, keys, strict=True)
    ]

    def one(batch: Batch, rows: Sequence[int], mine: Sequence[str]) -> int:
        chosen = np.array(rows)
        task = dataclasses.replace(batch.task, samples=_NUTS_DRAWS, thorough=True)
        fitter: Any = kind(kind.Settings()).prepare(task)
        fitted = fitter.fit(batch.curves[chosen], batch.items[chosen])
        found = columns(fitted, fitter.parameters, batch.items[chosen], True)
        values = {**fitted, "mean": found.mean, "std": found.std, "samples": found.samples}
        for row, i in enumerate(chosen):
            store.add(mine[i], {name: np.asarray(values[name][row]) for name in _FIELDS})
        return len(chosen)

    left = [job for job in missing if job[1]]
    if left:
        progress.start(title, sum(len(rows) for _, rows, _ in left))
        with ThreadPoolExecutor(default_workers()) as pool:
            for job in as_completed([pool.submit(one, *job) for job in left]):
                progress.advance(job.result())
        progress.finish()
    rows = [store[key] for mine in keys for key in mine]
    return {name: np.stack([row[name] for row in rows]) for name in _FIELDS}


def chosen_batches(batches: Sequence[Batch], count: int) -> list[Batch]:
    """Return batches of single curves spread over all, `count` in all."""
    total = sum(len(batch) for batch in batches)
    chosen = set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())
    out = []
    for batch in batches:
        rows = [i for i, item in enumerate(batch.items) if int(item) in chosen]
        if rows:
            out.append(
                dataclasses.replace(
                    batch,
                    truth=batch.truth[rows],
                    curves=batch.curves[rows],
                    items=batch.items[rows],
                )
            )
    return out
