"""Posteriors of real voxels by every method: the three total-body FDG curves of PET-TRACER."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from betaplus.core.errors import BetaplusError
from betaplus.core.input_function import InputCurve
from betaplus.core.progress import Progress
from betaplus.core.tacs import TacTable
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS
from betaplus.pipeline.benchmark.kinetics.cases import QUANTITIES
from betaplus.pipeline.benchmark.kinetics.methods.cases import Batch
from betaplus.pipeline.benchmark.kinetics.methods.entries import ENTRIES, run_entry
from betaplus.pipeline.benchmark.kinetics.methods.reference import (
    NutsStore,
    nuts_posteriors,
    reference,
)
from betaplus.pipeline.benchmark.kinetics.real_curves import real_curves

__all__ = ["real_batches", "real_posteriors"]

_BINS = 48
_SEED = 11
_SEPARATOR = "; "
_ENDS = (0.002, 0.998)  # quantiles of the trusted draws that are shown, with a margin
_MARGIN = 0.35


def real_batches() -> list[Batch]:
    """Return the voxels that are at hand, those of one image-derived input function together."""
    groups: list[tuple[InputCurve, list[str], list[np.ndarray], TacTable]] = []
    for source, curve, table in real_curves():
        if not source.startswith("FDG voxel"):
            continue
        for known, names, values, _ in groups:
            if np.array_equal(known.time, curve.time) and np.array_equal(
                known.plasma, curve.plasma
            ):
                names.append(source)
                values.append(table.values)
                break
        else:
            groups.append((curve, [source], [table.values], table))
    out, first = [], 0
    for curve, names, values, table in groups:
        task = Task(
            curve=curve.converted("Bq/mL"),
            frames=table.frames,
            half_life=table.tracer.half_life,
            model="2TCM",
            prior=PRIORS["published"],
            delay=0.0,
            seed=_SEED,
        )
        curves = np.concatenate(values).astype(np.float64)
        absent = np.full((len(curves), len(QUANTITIES)), np.nan)
        out.append(
            Batch(
                source=_SEPARATOR.join(names),
                level=np.nan,
                task=task,
                truth=absent,
                curves=curves,
                items=first + np.arange(len(curves)),
            )
        )
        first += len(curves)
    return out


def real_posteriors(
    draws: int, few: int, store: NutsStore | None, progress: Progress
) -> list[dict[str, Any]]:
    """Return histograms of every method's draws of the real voxels.

    Args:
        draws: Draws per method.
        few: Draws of methods that are slow.
        store: Posteriors by NUTS; None does without.
        progress: What to report to.

    Returns:
        For each voxel ``source`` and ``quantities``: name to ``edges`` and ``methods``: label to
        ``density`` in each bin, ``mean`` and ``std``. None of the density outside the bins is
        shown; it counts all the same.
    """
    batches = real_batches()
    if not batches:
        return []
    large = reference(batches, progress)
    assert large.samples is not None
    samples: dict[str, np.ndarray] = {"exact, large set": large.samples}
    if store is not None:
        samples["NUTS"] = nuts_posteriors(batches, store, progress, "NUTS, real")["samples"]
    for entry in ENTRIES:
        if not entry.draws or entry.method == "exact":
            continue
        count = few if entry.few else draws
        try:
            found = run_entry(entry, batches, count, keep=True, progress=progress)
        except BetaplusError:  # said where the methods are compared
            continue
        assert found.samples is not None
        samples[entry.label] = found.samples
    return [
        {"source": source, "quantities": _densities(i, samples)}
        for i, source in enumerate(
            name for batch in batches for name in batch.source.split(_SEPARATOR)
        )
    ]


def _densities(voxel: int, samples: dict[str, np.ndarray]) -> dict[str, Any]:
    out = {}
    for p, name in enumerate(QUANTITIES):
        edges = _edges([samples[label][voxel, p] for label in list(samples)[:2]])
        methods = {}
        for label, values in samples.items():
            draws = values[voxel, p].astype(np.float64)
            counts = np.histogram(draws, edges)[0]
            methods[label] = {
                "density": (counts / (draws.size * np.diff(edges))).tolist(),
                "mean": float(draws.mean()),
                "std": float(draws.std()),
            }
        out[name] = {"edges": edges.tolist(), "methods": methods}
    return out


def _edges(trusted: Sequence[np.ndarray]) -> np.ndarray:
    low, high = np.quantile(np.concatenate(trusted), _ENDS)
    margin = _MARGIN * (high - low)
    return np.linspace(low - margin, high + margin, _BINS + 1)
