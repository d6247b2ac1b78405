"""Settings of the classical methods, looked for on people of whom none is judged.

What is to be small is the geometric mean of both tracers' NRMSE, mean over the tuning people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from betaplus.pipeline.benchmark.separate.bench import Bench
from betaplus.pipeline.benchmark.separate.candidates import CANDIDATES, TUNED, Skip, run_candidate
from betaplus.pipeline.benchmark.separate.cases import Scene, Subject
from betaplus.pipeline.benchmark.shelf import Task
from betaplus.pipeline.benchmark.tuning import tune_item

__all__ = ["tuned_settings", "tuning_items", "tuning_name", "tuning_tasks"]


def tuning_name(scene: Scene, method: str) -> str:
    """Return the name of the item that holds the best settings."""
    return f"tuning/{scene.name}_{method}"


def tuning_tasks(bench: Bench, scenes: Sequence[Scene]) -> list[Task]:
    """Return the tasks that look for settings: one for each scene and method."""
    if not bench.plan.tuned:
        return []
    return [
        Task(name, [name], partial(_tune, bench, scene, method))
        for scene in dict.fromkeys(scenes)
        for method in TUNED
        if method in bench.plan.methods
        for name in [tuning_name(scene, method)]
    ]


def tuned_settings(bench: Bench, scene: Scene, method: str) -> dict[str, Any]:
    """Return the best settings; none where a method is not tuned."""
    if not bench.plan.tuned or method not in TUNED:
        return {}
    return dict(bench.shelf.get(tuning_name(scene, method)).get("settings", {}))


def tuning_items(bench: Bench, scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """Return what was found."""
    tasks = tuning_tasks(bench, scenes)
    return [bench.shelf.get(name) for task in tasks for name in task.makes]


def _tune(bench: Bench, scene: Scene, method: str) -> None:
    subjects = [Subject(number=n, tuning=True) for n in range(bench.plan.tuning_people)]
    name = tuning_name(scene, method)
    about = {**scene.as_dict(), "method": method, "people": [s.seed for s in subjects]}
    held = [(bench.scan(scene, s)[0], bench.case(scene, s, 0)) for s in subjects]

    def score(settings: Mapping[str, Any]) -> dict[str, float]:
        logs = []
        for simulated, case in held:
            fit = run_candidate(case.study, method, settings, bench.networks)
            for i, seen in enumerate(simulated.decay > 0):
                found = fit.found.x[i].numpy()[..., seen] * case.study.problem.scale
                inside = simulated.head
                error = found[inside] - simulated.x[i][inside][:, seen]
                power = simulated.x[i][inside][:, seen]
                logs.append(0.5 * math.log(float((error**2).sum()) / float((power**2).sum())))
        return {"score": math.exp(sum(logs) / len(logs))}

    candidate = CANDIDATES[method]
    try:
        tune_item(
            bench.shelf, name, about, score, dict(candidate.start), candidate.axes,
            rounds=candidate.rounds,
        )  # fmt: skip
    except Skip as why:
        bench.shelf.put(name, {**about, "skipped": str(why)})
