"""The scores of all methods on the people that are judged, one item for each pair of images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.separate.bench import Bench
from betaplus.pipeline.benchmark.separate.candidates import TUNED, Skip, run_candidate
from betaplus.pipeline.benchmark.separate.cases import Scene, Subject, alone_frames
from betaplus.pipeline.benchmark.separate.macros import bounds, fit_curves, true_macros
from betaplus.pipeline.benchmark.separate.scores import digits
from betaplus.pipeline.benchmark.separate.tuning import tuned_settings, tuning_name
from betaplus.pipeline.benchmark.shelf import Task

__all__ = ["gather", "gather_macros", "references", "score_name", "score_tasks"]

Shared = Mapping[Scene, Scene]
"""Scene to the one whose settings it takes, where that is another."""


def score_name(
    bench: Bench, scene: Scene, subject: Subject, draw: int, column: str, group: str = "scores"
) -> str:
    """Return the name of the item of one pair of images; networks of other weights have others."""
    word = "_".join([column.replace(", ", "-").replace(" ", "-"), bench.networks.name(column)])
    return f"{group}/{scene.name}_{subject.name}_{draw}_{word.rstrip('_')}"


def score_tasks(
    bench: Bench,
    scenes: Sequence[Scene],
    columns: Sequence[str],
    *,
    draws: int | None = None,
    settings_of: Shared | None = None,
    group: str = "scores",
    macros: bool = True,
) -> list[Task]:
    """Return the tasks that score methods: one for each scene, person and draw.

    Args:
        bench: The bench.
        scenes: How is scanned.
        columns: Methods.
        draws: Of the noise; those of the plan if None.
        settings_of: Where settings are from, of scenes that have none of their own.
        group: Folder of the items: those with and without kinetics do not mix.
        macros: Whether kinetics are fitted to regions.
    """
    plan, tasks = bench.plan, []
    for scene in scenes:
        tuned = (settings_of or {}).get(scene, scene)
        needs = [tuning_name(tuned, method) for method in columns if plan.tuned and method in TUNED]
        for subject in _people(bench):
            for draw in range(plan.draws if draws is None else draws):
                makes = [score_name(bench, scene, subject, draw, c, group) for c in columns]
                makes += [_reference_name(scene, subject)] * (macros and draw == 0)
                if macros:
                    makes.append(_macro_name(scene, subject, draw))
                run = partial(
                    _score, bench, scene, subject, draw, tuple(columns), tuned, group, macros
                )
                tasks.append(Task(f"{group}/{scene.name}_{subject.name}_{draw}", makes, run, needs))
    return tasks


def gather(
    bench: Bench,
    scenes: Sequence[Scene],
    columns: Sequence[str],
    draws: int | None = None,
    group: str = "scores",
) -> list[dict[str, Any]]:
    """Return all scores as rows: ``pair``, ``delay``, ``counts``, ``subject``, ``method``, ..."""
    return [
        bench.shelf.get(score_name(bench, scene, subject, draw, column, group))
        for scene in scenes
        for subject in _people(bench)
        for draw in range(bench.plan.draws if draws is None else draws)
        for column in columns
    ]


def references(bench: Bench, scenes: Sequence[Scene]) -> dict[str, dict[str, Any]]:
    """Return scene and subject to regions, true curves, true macro-parameters and bounds."""
    return {
        f"{scene.name}_{subject.name}": bench.shelf.get(_reference_name(scene, subject))
        for scene in scenes
        for subject in _people(bench)
    }


def gather_macros(bench: Bench, scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """Return what was fitted without a separation: ``clean`` and ``alone``, as rows."""
    return [
        bench.shelf.get(_macro_name(scene, subject, draw))
        for scene in scenes
        for subject in _people(bench)
        for draw in range(bench.plan.draws)
    ]


def _people(bench: Bench) -> list[Subject]:
    return [Subject(number=n) for n in range(bench.plan.people)]


def _reference_name(scene: Scene, subject: Subject) -> str:
    return f"scores/{scene.name}_{subject.name}_reference"


def _macro_name(scene: Scene, subject: Subject, draw: int) -> str:
    return f"scores/{scene.name}_{subject.name}_{draw}_single"


def _score(
    bench: Bench,
    scene: Scene,
    subject: Subject,
    draw: int,
    columns: Sequence[str],
    tuned: Scene,
    group: str,
    macros: bool,
) -> None:
    shelf = bench.shelf
    simulated, targets = bench.scan(scene, subject)
    if macros and draw == 0 and not shelf.has(_reference_name(scene, subject)):
        known: dict[str, Any] = targets.reference
        known["true"] = [digits(true_macros(targets, i)) for i in (0, 1)]
        known["bounds"] = bounds(targets)
        shelf.put(_reference_name(scene, subject), known)
    about = {**scene.as_dict(), "scene": scene.name, "subject": subject.name, "draw": draw}
    rows: dict[str, dict[str, Any]] = {}
    regions: dict[str, list[np.ndarray]] = {}
    for column in columns:
        name = score_name(bench, scene, subject, draw, column, group)
        if shelf.has(name):
            continue
        settings = tuned_settings(bench, tuned, column)
        row = {**about, "method": column, "settings": settings}
        case = bench.case(scene, subject, draw)
        begin = time.perf_counter()
        try:
            fit = run_candidate(case.study, column, settings, bench.networks, seed=draw)
        except Skip as why:
            shelf.put(name, {**row, "skipped": str(why)})
            continue
        row["seconds"] = round(time.perf_counter() - begin, 2)
        pair = fit.found.x.numpy() * np.float32(case.study.problem.scale)
        row["tracers"] = targets.score(pair)
        row["remarks"] = list(fit.remarks)
        rows[column], regions[column] = row, [targets.curves(x) for x in pair]
    if macros:
        single = _macro_name(scene, subject, draw)
        if not shelf.has(single):
            regions["clean"] = [targets.curves(x) for x in simulated.x]
            regions["alone"] = [targets.curves(alone_frames(simulated, i, draw)) for i in (0, 1)]
        fitted = _fitted(simulated, regions)
        for column, row in rows.items():
            for i, one in enumerate(row["tracers"]):
                one["macro"] = fitted[column][i]
        if "clean" in regions:
            shelf.put(single, {**about, "clean": fitted["clean"], "alone": fitted["alone"]})
    for column, row in rows.items():
        shelf.put(score_name(bench, scene, subject, draw, column, group), row)


def _fitted(simulated: Any, regions: Mapping[str, list[np.ndarray]]) -> dict[str, list[list[Any]]]:
    """Return name to the macro-parameters of each tracer's regions."""
    if not regions or not len(next(iter(regions.values()))[0]):
        return {name: [[], []] for name in regions}
    found: dict[str, list[list[Any]]] = {name: [] for name in regions}
    for i in (0, 1):
        values = fit_curves(simulated, i, np.concatenate([pair[i] for pair in regions.values()]))
        parts = np.split(values, len(regions))
        for name, part in zip(regions, parts, strict=True):
            found[name].append(digits(part))
    return found
