"""`dds` with the settings that it comes with: at all counts, and how long it takes.

`dds` with its defaults is set against OSEM with the number of passes and the filter that are best
for that very image, which no user can know: where it is not worse than that, defaults will do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from betaplus.core.progress import Silent
from betaplus.generative.image_prior import ImagePrior
from betaplus.pipeline.benchmark.reconstruct.bench import LOW, Bench
from betaplus.pipeline.benchmark.reconstruct.candidates import Candidate
from betaplus.pipeline.benchmark.reconstruct.cases import measures, trials
from betaplus.pipeline.benchmark.shelf import Task
from betaplus.reconstruction.method import find_score_method

__all__ = ["default_tasks", "fastest"]

_FAST = (2, 3)
"""Network calls of `dds`, beside those that it was tuned with."""


def default_tasks(bench: Bench, chosen: Mapping[str, Any], needs: Sequence[str] = ()) -> list[Task]:
    """Return the pieces: counts, then time. None where the plan lacks a method.

    Args:
        bench: The bench.
        chosen: Name of a candidate to a function that returns what it was tuned to.
        needs: Items that the time takes: the tuning of the published method.
    """
    plan = bench.plan
    found = {c.method: c for c in plan.candidates if c.leading}
    if "dds" not in found or "osem" not in found:
        return []
    tasks = []
    for fraction in plan.sweep:
        name = f"counts/{fraction:g}"
        run = partial(_counts, bench, found["dds"], found["osem"], fraction, name)
        tasks.append(Task(name, [name], run))
    if "dds-published" in found:
        published = found["dds-published"]
        run = partial(_speed, bench, found["dds"], published, chosen, "speed")
        tasks.append(Task("speed", ["speed"], run, needs))
    return tasks


def _counts(bench: Bench, dds: Candidate, osem: Candidate, fraction: float, name: str) -> None:
    seed = bench.plan.judged_on[0]
    case, data = bench.case("small", fraction, seed), bench.data("small", fraction, seed)
    best = min(
        ({"passes": t.passes, "filter": t.filter, **measures(t.image, case)}
         for t in trials(osem, data)),
        key=lambda row: row["NRMSE"],
    )  # fmt: skip
    image, seconds = _timed(dds, "dds", data, {"draws": 1})
    row = {"OSEM": best, "dds": {**measures(image, case), "seconds": seconds}}
    bench.shelf.put(name, {"fraction": fraction, "seed": seed, **row})


def _speed(
    bench: Bench, dds: Candidate, published: Candidate, chosen: Mapping[str, Any], name: str
) -> None:
    """Time the published method as it was tuned and ever slower settings of `dds`, in one run."""
    seed = bench.plan.judged_on[0]
    case, data = bench.case("small", LOW, seed), bench.data("small", LOW, seed)
    tuned = chosen[published.name]()["settings"]
    own = {**dds.fixed, **chosen[dds.name]()["settings"]}
    own.pop("draws", None)
    rows = []
    faster = [{**own, "steps": steps} for steps in _FAST]
    for one, settings in [(published, tuned), *((dds, s) for s in (*faster, own, {}))]:
        image, seconds = _timed(one, one.method, data, {**settings, "draws": 1})
        rows.append({"method": one.method, "settings": settings, "seconds": seconds,
                     **measures(image, case)})  # fmt: skip
    bench.shelf.put(name, {"seed": seed, "rows": rows})


def fastest(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the fastest row of `dds` with at most the NRMSE of the first row; None without."""
    enough = [row for row in rows[1:] if row["NRMSE"] <= rows[0]["NRMSE"]]
    return min(enough, key=lambda row: float(row["seconds"])) if enough else None


def _timed(
    candidate: Candidate, method: str, data: Any, settings: dict[str, Any]
) -> tuple[Any, float]:
    from betaplus.reconstruction.score.prior import ScoreInputs

    prior: ImagePrior = candidate.load_prior()
    kind = find_score_method(method)
    began = time.perf_counter()
    made = kind(kind.Settings(**{"subsets": len(data.order), **settings}),
                ScoreInputs(prior=prior))  # fmt: skip
    return made.run(data, None, Silent()), time.perf_counter() - began
