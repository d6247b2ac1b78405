"""All posterior methods side by side on the same simulated curves, then on three real voxels.

The model is the 2TCM under the published prior with k4 of at least 0, the noise level unknown, the
delay known to be 0; F-18 and the 35 frames of FDG; input functions as in `methods.cases`.
Refinement by `exact` is off throughout, so that every figure is of the method itself. Posteriors
are held against large sets of `exact`, and those against NUTS on some of the curves.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import BetaplusError
from betaplus.core.posterior import STATUS
from betaplus.core.progress import Progress, Silent
from betaplus.engine import default_workers
from betaplus.kinetics.method import find_method
from betaplus.pipeline.benchmark.kinetics.cases import LEVELS, Scan
from betaplus.pipeline.benchmark.kinetics.coverage import INTERVALS
from betaplus.pipeline.benchmark.kinetics.methods.cases import (
    SIMULATED,
    Batch,
    draw_batches,
    spread,
    unseen_scans,
)
from betaplus.pipeline.benchmark.kinetics.methods.entries import (
    ENTRIES,
    Entry,
    Found,
    run_entry,
    timed_entry,
)
from betaplus.pipeline.benchmark.kinetics.methods.limits import judged
from betaplus.pipeline.benchmark.kinetics.methods.real import real_posteriors
from betaplus.pipeline.benchmark.kinetics.methods.reference import (
    LARGE,
    NutsStore,
    chosen_batches,
    nuts_posteriors,
    reference,
)
from betaplus.pipeline.benchmark.kinetics.methods.scores import (
    TAILS,
    accuracy,
    coverage_by_level,
    held,
    sliced,
)
from betaplus.pipeline.benchmark.kinetics.methods.shifts import shifts
from betaplus.pipeline.benchmark.kinetics.methods.table import methods_table
from betaplus.pipeline.benchmark.kinetics.methods.timing import equal_time, network_time

__all__ = ["methods", "methods_table"]

_SEED = 700_000
_COVERED = (
    "exact",
    "consistency, raw",
    "consistency, re-weighted",
    "flow, re-weighted",
    "consistency-published",
)
_GATE = 0.05
_REFINED = next(code for code, name in STATUS.items() if name == "refined")
_MICROBATCH = 32


def methods(
    folder: Path | None,
    *,
    curves: int = 500,
    inputs: int = 0,
    draws: int = 1000,
    few_curves: int = 66,
    few_draws: int = 500,
    directions: int = 64,
    nuts_curves: int = 64,
    covered: int = 5000,
    covered_draws: int = 200,
    timed: Sequence[float] = LEVELS,
    timed_draws: Sequence[int] = (200, 1000),
    repeats: int = 3,
    budgets: Sequence[int] = (2000, 8000, 32_000, 128_000),
    shift_curves: int = 96,
    shift_covered: int = 2000,
    shift_inputs: int = 4,
    seed: int = _SEED,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare all posterior methods.

    Args:
        folder: Where posteriors by NUTS are kept, so that a run can go on; None keeps nothing.
        curves: Curves with a reference, spread over input functions and noise levels.
        inputs: Input functions; 0 for all.
        draws: Draws per curve.
        few_curves: Curves of methods that are slow, with one input function for each noise level.
        few_draws: Draws per curve of those.
        directions: Of the sliced Wasserstein distance.
        nuts_curves: Curves that NUTS does, too, where numpyro is installed; 0 for none, on the
            real voxels neither.
        covered: Further curves, of which coverage is counted.
        covered_draws: Draws per curve of those.
        timed: Noise levels at which time is taken, 32 curves each.
        timed_draws: Draws per curve then; the first is what slow methods get.
        repeats: Runs of which the shortest time counts.
        budgets: Simulations of `abc` that are tried for equal error, rising; at least two.
        shift_curves: Curves of each shift with a reference.
        shift_covered: Curves of each shift for its coverage.
        shift_inputs: Input functions of each shift.
        seed: Seed.
        progress: What to report to.

    Returns:
        What `methods_table` shows, ``meets`` among it: name of a limit to what was found, what is
        asked for and whether it holds.
    """
    progress = progress or Silent()
    store = NutsStore(folder)
    if importlib.util.find_spec("numpyro") is None:
        nuts_curves = 0
    scans = unseen_scans(inputs)
    batches = draw_batches(scans, curves, seed)
    trusted = reference(batches, progress)
    slow = _slow(scans, few_curves, seed + 1000)
    slow_trusted = reference(slow, progress)
    clock = draw_batches(scans[:1], _MICROBATCH * len(timed), seed + 2000, levels=timed)
    clock_trusted = reference(clock, progress)
    result: dict[str, Any] = {
        "inputs": [scan.source for scan in scans],
        "simulated_inputs": scans[0].source.startswith(SIMULATED),
        "levels": list(LEVELS),
        "curves": curves,
        "draws": draws,
        "few": {"curves": sum(map(len, slow)), "draws": few_draws},
        "seed": seed,
        "cores": default_workers(),
        "reference": {
            "settings": dict(LARGE),
            "least_ess": float(trusted.ess.min()),
            "median_ess": float(np.median(trusted.ess)),
            "draws": 2000,
        },
        "rows": [],
        "sliced_floor": 1.29 * float(np.sqrt(1 / draws + 1 / 2000)),
    }
    if nuts_curves:
        result["nuts"] = _nuts(chosen_batches(batches, nuts_curves), trusted, store, progress)
    for entry in ENTRIES:
        mine = (slow, slow_trusted, few_draws) if entry.few else (batches, trusted, draws)
        row = _row(entry, *mine, directions, progress)
        if "skipped" not in row:
            given = clock[-1:] if entry.few else clock
            row["seconds"] = {
                str(n): timed_entry(entry, given, n, repeats)[0]
                for n in (timed_draws[:1] if entry.few else timed_draws)
            }
        result["rows"].append(row)
    result["same_curves"] = _same_curves(slow, slow_trusted, few_draws, directions, progress)
    result["coverage"] = _coverage(scans, covered, covered_draws, seed + 3000, progress)
    result["covered"] = covered
    for name, run in (
        (
            "equal",
            lambda: equal_time(clock, clock_trusted, budgets, timed_draws, repeats, progress),
        ),
        ("network", lambda: network_time(clock[0], timed_draws[0], progress)),
        (
            "shifts",
            lambda: shifts(
                shift_curves, shift_covered, shift_inputs, draws, seed + 10_000, progress
            ),
        ),
    ):
        try:
            result[name] = run()
        except BetaplusError as error:  # a network without weights
            result[name] = {"skipped": str(error)}
    result["real"] = real_posteriors(draws, few_draws, store if nuts_curves else None, progress)
    result["meets"] = judged(result)
    return result


def _slow(scans: Sequence[Scan], curves: int, seed: int) -> list[Batch]:
    """Curves for slow methods: few input functions and levels, so that their batches are full."""
    levels = [LEVELS[i] for i in spread(len(LEVELS), -(-curves // _MICROBATCH))]
    chosen = [scans[i] for i in spread(len(scans), len(levels))]
    out: list[Batch] = []
    each = curves // len(levels)
    for i, level in enumerate(levels):
        scan = chosen[i % len(chosen)]
        out += draw_batches([scan], each, seed + i, levels=(level,))
        out[-1].items[:] += i * each
    return out


def _row(
    entry: Entry,
    batches: Sequence[Batch],
    trusted: Found,
    draws: int,
    directions: int,
    progress: Progress,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "label": entry.label,
        "method": entry.method,
        "settings": dict(entry.settings),
        "calls": entry.calls,
        "few": entry.few,
    }
    try:
        found = run_entry(entry, batches, draws, keep=True, progress=progress)
    except BetaplusError as error:
        return row | {"skipped": str(error)}
    row |= {
        "curves": len(found.mean),
        "draws": draws if entry.draws else 0,
        "accuracy": accuracy(found.mean, found.std, trusted.mean, trusted.std),
        "sliced": _sliced(found, trusted, directions),
        "ess": float(np.median(found.ess)) if np.isfinite(found.ess).any() else None,
    }
    points = _points(entry, draws)
    if points:
        row["ess_share"] = float(np.median(found.ess)) / points
        row["handed_over"] = float((found.status == _REFINED).mean())
    if entry.method == "consistency-published":
        row["one_blood"] = _one_blood(batches, found, trusted)
    return row


def _points(entry: Entry, draws: int) -> int:
    if entry.points in ("", "fine"):
        return 0
    if entry.points == "samples":
        return draws
    kind = find_method(entry.method).Settings
    return int({**_defaults(kind), **entry.settings}[entry.points])


def _defaults(kind: type) -> dict[str, Any]:
    return {name: getattr(kind(), name) for name in kind.__dataclass_fields__}


def _sliced(found: Found, trusted: Found, directions: int) -> float | None:
    if found.samples is None or trusted.samples is None:
        return None
    return sliced(found.samples, trusted.samples, directions)


def _one_blood(batches: Sequence[Batch], found: Found, trusted: Found) -> dict[str, Any] | None:
    """Accuracy where plasma and whole blood are one curve, as the published method has it."""
    same = np.concatenate(
        [
            np.full(len(b), np.allclose(b.task.curve.plasma, b.task.curve.whole_blood))
            for b in batches
        ]
    )
    if not same.any():
        return None
    scores = accuracy(found.mean[same], found.std[same], trusted.mean[same], trusted.std[same])
    return {"curves": int(same.sum()), **scores}


def _same_curves(
    batches: Sequence[Batch], trusted: Found, draws: int, directions: int, progress: Progress
) -> list[dict[str, Any]]:
    """The consistency model on the curves of the slow methods."""
    entries = [entry for entry in ENTRIES if entry.method == "consistency"]
    return [_row(entry, batches, trusted, draws, directions, progress) for entry in entries]


def _nuts(
    batches: Sequence[Batch], trusted: Found, store: NutsStore, progress: Progress
) -> dict[str, Any]:
    chains = nuts_posteriors(batches, store, progress)
    at = np.concatenate([batch.items for batch in batches])
    return {
        "curves": len(at),
        "accuracy": accuracy(trusted.mean[at], trusted.std[at], chains["mean"], chains["std"]),
        "worst_rhat": float(chains["rhat"].max()),
        "least_ess": float(chains["ess"].min()),
        "converged": int(chains["converged"].sum()),
    }


def _coverage(
    scans: Sequence[Scan], curves: int, draws: int, seed: int, progress: Progress
) -> dict[str, Any]:
    batches = draw_batches(scans, curves, seed)
    truth = np.concatenate([batch.truth for batch in batches])
    level = np.concatenate([np.full(len(batch), batch.level) for batch in batches])
    out: dict[str, Any] = {"intervals": list(INTERVALS), "draws": draws, "methods": {}}
    for entry in ENTRIES:
        if entry.label not in _COVERED:
            continue
        try:
            found = run_entry(entry, batches, draws, quantiles=TAILS, progress=progress)
        except BetaplusError:
            continue
        inside = held(found.quantiles, truth)
        out["methods"][entry.label] = coverage_by_level(inside, level)
        if entry.method == "flow":
            kept = found.ess >= _GATE * draws
            out["methods"][f"{entry.label}, ESS at least 5 %"] = coverage_by_level(
                inside, level, kept
            )
    return out
