"""Part `images`: maps of all methods beside those of frames without noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.patlak.bench import Bench, Plan, plan_of
from betaplus.pipeline.benchmark.patlak.cases import Subject
from betaplus.pipeline.benchmark.patlak.gates import image_gates
from betaplus.pipeline.benchmark.patlak.scoring import (
    columns_of,
    gather,
    reference_name,
    score_tasks,
    subjects_of,
)
from betaplus.pipeline.benchmark.patlak.slices import write_slices
from betaplus.pipeline.benchmark.patlak.table import images_table
from betaplus.pipeline.benchmark.patlak.tuning import chosen_learned, tuning_items, tuning_tasks
from betaplus.pipeline.benchmark.result_files import result_file, write_result
from betaplus.pipeline.benchmark.shelf import work_through
from betaplus.pipeline.benchmark.wording import dose_key

__all__ = ["about_plan", "benchmark_images"]


def benchmark_images(
    out: Path,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    realisations: int | None = None,
    methods: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Measure all methods on people, doses and noise that no setting was chosen on.

    Writes ``benchmark_patlak_images.json``, ``.md`` and ``.npz``, the slices of a figure. Every
    figure is kept as it is made (`shelf`): a run that was stopped goes on, and several processes
    started with the same folder share the work. Simulation throughout.

    Args:
        out: Folder.
        quick: One trunk of 48 x 48 x 48 voxels, one dose, default settings.
        progress: What to report to.
        realisations: Noise draws at 1/10, 10 if None; elsewhere at most three.
        methods: Names; all if None.
    """
    bench = Bench.at(out, plan_of(quick, realisations, methods), progress)
    subjects = subjects_of(bench.plan)
    tasks = [*tuning_tasks(bench), *score_tasks(bench, subjects)]
    work_through(bench.shelf, tasks, bench.progress, "tuning and images")
    result: dict[str, Any] = {
        **about_plan(bench.plan),
        "people": [{"name": s.name, "anatomy": s.anatomy, "seed": s.seed} for s in subjects],
        "methods": columns_of(bench.plan),
        "chosen": chosen_learned(bench),
        "tuning": tuning_items(bench),
        "reference": {s.name: bench.shelf.get(reference_name(s)) for s in subjects},
        "rows": gather(bench, subjects),
    }
    result["gates"] = [gate.as_dict() for gate in image_gates(result)]
    write_result(out, "patlak_images", result, images_table(result))
    write_slices(bench.shelf, subjects, result_file(out, "patlak_images", "npz"))
    return result


def about_plan(plan: Plan) -> dict[str, Any]:
    """Return what JSON is to know of a plan."""
    return {
        "quick": plan.quick,
        "voxel": plan.voxel,
        "shape": list(plan.shape),
        "doses": list(plan.doses),
        "realisations": {dose_key(dose): plan.draws(dose) for dose in plan.doses},
        "tuned_on": [
            {"anatomy": a, "seed": Subject(anatomy=a, number=0, tuning=True).seed}
            for a in plan.anatomies
        ],
    }
