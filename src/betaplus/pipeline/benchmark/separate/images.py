"""Part `images`: both tracers' images by all methods, held-out people, four delays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.separate.bench import Bench, Plan, plan_of
from betaplus.pipeline.benchmark.separate.cases import PAIRS, Subject
from betaplus.pipeline.benchmark.separate.gates import image_gates
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.scoring import (
    gather,
    gather_macros,
    references,
    score_tasks,
)
from betaplus.pipeline.benchmark.separate.summary import skipped
from betaplus.pipeline.benchmark.separate.table import images_table
from betaplus.pipeline.benchmark.separate.tuning import tuning_items, tuning_tasks
from betaplus.pipeline.benchmark.separate.writing import write_part
from betaplus.pipeline.benchmark.shelf import work_through

__all__ = ["about_plan", "benchmark_images"]


def benchmark_images(
    out: Path,
    networks: Networks,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    plan: Plan | None = None,
) -> dict[str, Any]:
    """Measure all methods on people that no setting and no network was chosen on.

    Writes ``benchmark_separate_images.json`` and ``.md``. Every figure is kept as it is made
    (`betaplus.pipeline.benchmark.shelf`): a run that was stopped goes on, and several processes
    started with the same folder share the work. Simulation throughout.

    Args:
        out: Folder.
        networks: That are judged.
        quick: One small box, one delay, default settings.
        progress: What to report to.
        plan: How much is done, in place of the usual.
    """
    bench = Bench.at(out, plan or plan_of(quick), networks, progress)
    plan = bench.plan
    scenes, columns = plan.scenes, list(plan.methods)
    tasks = [*tuning_tasks(bench, scenes), *score_tasks(bench, scenes, columns)]
    work_through(bench.shelf, tasks, bench.progress, "tuning and images")
    rows = gather(bench, scenes, columns)
    result: dict[str, Any] = {
        **about_plan(bench),
        "methods": columns,
        "skipped": skipped(rows),
        "tuning": tuning_items(bench, scenes),
        "references": references(bench, scenes),
        "singles": gather_macros(bench, scenes),
        "rows": rows,
    }
    result["gates"] = [gate.as_dict() for gate in image_gates(result)]
    write_part(out, "images", result, images_table(result))
    return result


def about_plan(bench: Bench) -> dict[str, Any]:
    """Return what JSON is to know of a plan."""
    plan = bench.plan
    return {
        "quick": plan.quick,
        "shape": list(plan.shape),
        "pairs": {name: list(PAIRS[name]) for name in plan.pairs},
        "delays": list(plan.delays),
        "counts": list(plan.counts),
        "draws": plan.draws,
        "people": [Subject(number=n).seed for n in range(plan.people)],
        "tuned_on": [Subject(number=n, tuning=True).seed for n in range(plan.tuning_people)],
        "tuned": plan.tuned,
        "networks": bench.networks.record,
    }
