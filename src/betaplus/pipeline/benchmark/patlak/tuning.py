"""Settings of methods, looked for on people of whom none is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from betaplus.pipeline.benchmark.patlak.bench import Bench
from betaplus.pipeline.benchmark.patlak.candidates import (
    CANDIDATES,
    TUNED,
    run_candidate,
    start_of,
)
from betaplus.pipeline.benchmark.patlak.cases import Subject
from betaplus.pipeline.benchmark.patlak.gates import GATED_DOSE
from betaplus.pipeline.benchmark.shelf import Task
from betaplus.pipeline.benchmark.tuning import tune_item
from betaplus.pipeline.benchmark.wording import dose_key

__all__ = [
    "LEARNED_TUNED",
    "QUICK_STEPS",
    "chosen_learned",
    "mean_of_rows",
    "tuned_settings",
    "tuning_items",
    "tuning_name",
    "tuning_tasks",
]

LEARNED_TUNED = ("hqs", "red-diff")
"""Of which the better one is chosen."""

QUICK_STEPS = 3
"""Of the learned methods in a quick run."""


def tuning_name(anatomy: str, dose: float, method: str, protocol: str = "dynamic") -> str:
    """Return the name of the item that holds the best settings for a protocol.

    Classical methods are tuned at every dose; the settings of learned ones are in units of the
    noise, and those of 1/10 serve all doses.
    """
    at = GATED_DOSE if method in LEARNED_TUNED else dose
    scan = "" if protocol == "dynamic" else f"{protocol}_"
    return f"tuning/{scan}{anatomy}_{dose_key(at)}_{method}"


def tuning_tasks(bench: Bench) -> list[Task]:
    """Return the tasks that look for settings: one for each anatomy, dose and method."""
    if not bench.plan.tuned:
        return []
    return [
        Task(name, [name], partial(_tune, bench, *item))
        for item in [
            (anatomy, dose, method)
            for anatomy in bench.plan.anatomies
            for dose in bench.plan.doses
            for method in TUNED
            if method in bench.plan.methods
            if dose == GATED_DOSE or method not in LEARNED_TUNED
        ]
        for name in [tuning_name(*item, bench.plan.protocol)]
    ]


def tuned_settings(bench: Bench, anatomy: str, dose: float, method: str) -> dict[str, Any]:
    """Return the best settings; none where a method is not tuned."""
    name = tuning_name(anatomy, dose, method, bench.plan.protocol)
    if bench.plan.quick and method in LEARNED_TUNED:
        return {"steps": QUICK_STEPS}
    if not bench.plan.tuned or method not in TUNED:
        return {}
    return dict(bench.shelf.get(name)["settings"])


def chosen_learned(bench: Bench) -> dict[str, Any]:
    """Return which learned method is better on the tuning people, and their scores.

    The mean of Ki NRMSE over anatomies, with the best settings of each, where all of them were
    tuned; ``cells`` is how many anatomies those are.
    """
    plan = bench.plan
    names = [name for name in LEARNED_TUNED if name in plan.methods]
    cells = [
        [bench.shelf.get(item)["score"] for item in items]
        for anatomy in plan.anatomies
        for items in [[tuning_name(anatomy, GATED_DOSE, name, plan.protocol) for name in names]]
        if plan.tuned and all(bench.shelf.has(item) for item in items)
    ]
    means = dict(zip(names, [sum(x) / len(cells) for x in zip(*cells, strict=True)], strict=False))
    method = min(means, key=lambda name: means[name]) if means else (names or [None])[0]
    return {"method": method, "scores": means, "cells": len(cells)}


def tuning_items(bench: Bench) -> list[dict[str, Any]]:
    """Return what was found."""
    names = [name for task in tuning_tasks(bench) for name in task.makes]
    return [bench.shelf.get(name) for name in names]


def _tune(bench: Bench, anatomy: str, dose: float, method: str) -> None:
    protocol = bench.plan.protocol
    subject = Subject(anatomy=anatomy, number=0, tuning=True, protocol=protocol)
    about = {"anatomy": anatomy, "dose": dose, "method": method, "seed": subject.seed}

    def score(settings: Mapping[str, Any]) -> dict[str, Any]:
        rows = []
        for draw in range(bench.plan.tuning_draws):
            case = bench.case(subject, dose, draw, method)
            fit = run_candidate(case.study, method, settings, seed=draw)
            rows.append(bench.person(subject)[1].score(fit.maps))
        return mean_of_rows(rows)

    candidate = CANDIDATES[method]
    priors = candidate.priors.get(anatomy, ())
    tune_item(
        bench.shelf, tuning_name(anatomy, dose, method, protocol), about, score,
        start_of(candidate), candidate.axes, rounds=candidate.rounds,
        choices=[{"prior": prior} for prior in priors] or [{}],
    )  # fmt: skip


def mean_of_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return means over draws: ``score`` (Ki NRMSE), ``V0`` (its NRMSE), ``recovery``."""
    hot = [x["recovery"] for row in rows for x in row["lesions"] if x["hot"]]
    return {
        "score": sum(row["Ki"]["nrmse"] for row in rows) / len(rows),
        "V0": sum(row["V0"]["nrmse"] for row in rows) / len(rows),
        "recovery": sum(hot) / len(hot) if hot else None,
    }
