"""The scores of all methods on the people that are judged, one item for each set of maps."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from betaplus.pipeline.benchmark.patlak.bench import Bench, Plan
from betaplus.pipeline.benchmark.patlak.candidates import MOST_DRAWS, TUNED, run_candidate
from betaplus.pipeline.benchmark.patlak.cases import Subject
from betaplus.pipeline.benchmark.patlak.gates import GATED_DOSE
from betaplus.pipeline.benchmark.patlak.slices import SHOWN, keep_slice
from betaplus.pipeline.benchmark.patlak.tuning import tuned_settings, tuning_name
from betaplus.pipeline.benchmark.shelf import Task
from betaplus.pipeline.benchmark.wording import dose_key

__all__ = [
    "DEFAULTS",
    "columns_of",
    "gather",
    "reference_name",
    "score_name",
    "score_tasks",
    "subjects_of",
]

DEFAULTS = " (defaults)"
"""What the name of a learned method ends in that was not tuned."""

_WITH_DEFAULTS = ("hqs",)  # what the verb does if nothing is said

_DEFAULT_DRAWS = 1  # noise draws a dose that these see at most


def subjects_of(plan: Plan) -> list[Subject]:
    """Return the people that are judged."""
    return [
        Subject(anatomy=anatomy, number=n, protocol=plan.protocol)
        for anatomy in plan.anatomies
        for n in range(plan.people)
    ]


def columns_of(plan: Plan) -> list[str]:
    """Return the names of what is judged: methods, and that of the verb with its defaults."""
    names = list(plan.methods)
    if plan.tuned:
        names += [name + DEFAULTS for name in _WITH_DEFAULTS if name in plan.methods]
    return names


def score_name(subject: Subject, dose: float, draw: int, column: str) -> str:
    """Return the name of the item of one set of maps."""
    word = column.replace(DEFAULTS, "-defaults")
    return f"scores/{subject.protocol}_{subject.name}_{dose_key(dose)}_{draw}_{word}"


def reference_name(subject: Subject) -> str:
    """Return the name of the item of what a person holds without noise."""
    return f"scores/{subject.protocol}_{subject.name}_reference"


def score_tasks(bench: Bench, subjects: list[Subject]) -> list[Task]:
    """Return the tasks that score methods: one for each person and draw, with all doses.

    Args:
        bench: The bench.
        subjects: The people.
    """
    plan, tasks = bench.plan, []
    for subject in subjects:
        needs = [
            tuning_name(subject.anatomy, dose, method, plan.protocol)
            for dose in plan.doses
            for method in plan.methods
            if plan.tuned and method in TUNED
        ]
        for draw in range(max(plan.draws(dose) for dose in plan.doses)):
            name = f"scores/{subject.protocol}_{subject.name}_{draw}"
            makes = [score_name(subject, *item) for item in _items(plan, draw)]
            makes += [reference_name(subject)] * (draw == 0)
            tasks.append(Task(name, makes, partial(_score, bench, subject, draw), needs))
    return tasks


def gather(bench: Bench, subjects: list[Subject]) -> list[dict[str, Any]]:
    """Return all scores as rows: ``subject``, ``anatomy``, ``dose``, ``draw``, ``method``, ..."""
    plan, rows = bench.plan, []
    for subject in subjects:
        for draw in range(max(plan.draws(dose) for dose in plan.doses)):
            for item in _items(plan, draw):
                rows.append(bench.shelf.get(score_name(subject, *item)))
    return rows


def _items(plan: Plan, draw: int) -> list[tuple[float, int, str]]:
    """Return dose, draw and column of all maps of a person and draw."""
    return [
        (dose, draw, column)
        for dose in plan.doses
        if draw < plan.draws(dose)
        for column in columns_of(plan)
        if draw < MOST_DRAWS.get(column.removesuffix(DEFAULTS), draw + 1)
        if not column.endswith(DEFAULTS) or draw < _DEFAULT_DRAWS
    ]


def _score(bench: Bench, subject: Subject, draw: int) -> None:
    shelf, (_, targets) = bench.shelf, bench.person(subject)
    if draw == 0:
        shelf.put(reference_name(subject), targets.reference)
    for dose, _, column in _items(bench.plan, draw):
        name = score_name(subject, dose, draw, column)
        if shelf.has(name):
            continue
        method = column.removesuffix(DEFAULTS)
        tuned = tuned_settings(bench, subject.anatomy, dose, method)
        settings = {} if column.endswith(DEFAULTS) else tuned
        about = {
            "subject": subject.name, "anatomy": subject.anatomy, "dose": dose, "draw": draw,
            "method": column, "settings": settings,
        }  # fmt: skip
        case = bench.case(subject, dose, draw, method)
        begin = time.perf_counter()
        fit = run_candidate(case.study, method, settings, seed=draw)
        seconds = time.perf_counter() - begin
        if fit.prior is not None:
            about["prior"] = fit.prior.prior.bundle.config.folder
        scores = targets.score(fit.maps, fit.std)
        shelf.put(name, {**about, "seconds": round(seconds, 2), **scores})
        if draw == 0 and dose == GATED_DOSE and column in SHOWN:
            keep_slice(bench.shelf, subject, targets, {column: fit.maps["Ki"]})
