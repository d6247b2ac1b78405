"""Whether 90 % intervals of regions' uptake hold the truth, and how wide they are for it.

One indicator for each small scan and region mean; some people are calibrated on, others judged.
*Plain* intervals: the mean that a method gives, and the posterior SD of the region's mean curve in
closed form, times a conformal factor. *Modelled*: the error model of
`betaplus.denoising.region_model` fitted to the method's own means, and a conformal factor.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.separate.bench import Bench, plan_of
from betaplus.pipeline.benchmark.separate.candidates import TUNED
from betaplus.pipeline.benchmark.separate.cases import Scene
from betaplus.pipeline.benchmark.separate.coverage.figures import judge
from betaplus.pipeline.benchmark.separate.coverage.measures import SmallPlan, measure_person
from betaplus.pipeline.benchmark.separate.coverage.table import coverage_gates, coverage_table
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.tuning import (
    tuned_settings,
    tuning_name,
    tuning_tasks,
)
from betaplus.pipeline.benchmark.separate.writing import write_part
from betaplus.pipeline.benchmark.shelf import Shelf, Task, work_through
from betaplus.simulation.dual_study import FIRST_CALIBRATION, FIRST_TEST

__all__ = ["benchmark_coverage"]

_QUICK = SmallPlan(boxes=18, edge=24, methods=("linear", "compartment"))


def benchmark_coverage(
    out: Path,
    networks: Networks,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    people: int = 30,
    calibration: int = 15,
    plan: SmallPlan | None = None,
) -> dict[str, Any]:
    """Judge intervals of regions' uptake.

    Writes ``benchmark_separate_coverage.json`` and ``.md``. Protocols are drawn as in training:
    either order, delays of 0 to 40 min, doses and counts. Classical methods have the settings that
    were tuned at 20 min.

    Args:
        out: Folder.
        networks: That are judged; without one of `inn`, `linear` is in its place.
        quick: A few coarse scans of two classical methods.
        progress: What to report to.
        people: Heads that are judged.
        calibration: Heads that are calibrated on.
        plan: How much is done of each.
    """
    bench = Bench.at(out, plan_of(quick), networks, progress)
    small = plan or (_QUICK if quick else SmallPlan())
    if quick:
        people, calibration = 1, 1
    scene = Scene()
    known = [FIRST_CALIBRATION + n for n in range(calibration)]
    judged = [FIRST_TEST + 100 + n for n in range(people)]
    inner = Shelf(out / "_".join(filter(None, (small.folder, networks.name("inn")))))
    needs = [tuning_name(scene, m) for m in small.methods if bench.plan.tuned and m in TUNED]
    tasks = [Task(str(s), [str(s)], partial(_measure, inner, bench, scene, small, s))
             for s in (*known, *judged)]  # fmt: skip
    first = [t for t in tuning_tasks(bench, [scene]) if set(t.makes) & set(needs)]
    work_through(bench.shelf, first, bench.progress, "tuning")
    work_through(inner, tasks, bench.progress, "people")
    items = [[inner.get(str(seed)) for seed in seeds] for seeds in (known, judged)]
    result: dict[str, Any] = {
        "quick": quick,
        "plan": asdict(small),
        "networks": networks.record,
        "calibration": [known[0], known[-1]],
        "judged": [judged[0], judged[-1]],
        "studies": [sum(item["studies"] for item in one) for one in items],
        "method": "inn" if "inn" in networks.found and "inn" in small.methods else "linear",
    }
    result["tracers"] = judge(items[0], items[1], result["method"], small.methods)
    result["gates"] = [gate.as_dict() for gate in coverage_gates(result)]
    write_part(out, "coverage", result, coverage_table(result))
    return result


def _measure(inner: Shelf, bench: Bench, scene: Scene, plan: SmallPlan, seed: int) -> None:
    settings = {method: tuned_settings(bench, scene, method) for method in plan.methods}
    inner.put(str(seed), measure_person(seed, plan, bench.networks, settings))
