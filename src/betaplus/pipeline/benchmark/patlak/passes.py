"""Part `passes`: bodies seen in 6 passes over 5 bed positions, settings tuned for such scans."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.gate import gate_lines
from betaplus.pipeline.benchmark.patlak.bench import Bench, plan_of
from betaplus.pipeline.benchmark.patlak.candidates import DRAWN
from betaplus.pipeline.benchmark.patlak.gates import GATED_DOSE, best_classical, image_gates
from betaplus.pipeline.benchmark.patlak.images import about_plan
from betaplus.pipeline.benchmark.patlak.scoring import (
    columns_of,
    gather,
    reference_name,
    score_tasks,
    subjects_of,
)
from betaplus.pipeline.benchmark.patlak.table import at_dose_lines, region_lines
from betaplus.pipeline.benchmark.patlak.tuning import (
    LEARNED_TUNED,
    chosen_learned,
    tuning_items,
    tuning_tasks,
)
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.shelf import work_through
from betaplus.pipeline.benchmark.wording import opening
from betaplus.simulation.dynamic_study.protocol import PASSES

__all__ = ["benchmark_passes", "passes_table"]

_DRAWS = 3


def benchmark_passes(
    out: Path, *, quick: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure all methods on scans of several beds at 1/10 of the dose.

    Writes ``benchmark_patlak_passes.json`` and ``.md``. All are tuned as in `images`, but on a scan
    of several beds; of the learned methods the one that was chosen there is judged.

    Args:
        out: Folder.
        quick: One trunk of 48 x 48 x 48 voxels, default settings.
        progress: What to report to.
    """
    whole = plan_of(quick)
    chosen = chosen_learned(Bench.at(out, whole))
    other = {name for name in LEARNED_TUNED if name != chosen["method"]}
    plan = dataclasses.replace(
        whole,
        anatomies=("body",),
        doses=(GATED_DOSE,),
        realisations=min(_DRAWS, whole.realisations),
        methods=tuple(name for name in whole.methods if name not in {*DRAWN, *other}),
        protocol=PASSES.name,
    )
    bench = Bench.at(out, plan, progress)
    subjects = subjects_of(plan)
    tasks = [*tuning_tasks(bench), *score_tasks(bench, subjects)]
    work_through(bench.shelf, tasks, bench.progress, "tuning and images")
    result: dict[str, Any] = {
        **about_plan(plan),
        "passes": len(PASSES),
        "beds": int(PASSES.start.shape[1]),
        "people": [{"name": s.name, "anatomy": s.anatomy, "seed": s.seed} for s in subjects],
        "methods": columns_of(plan),
        "chosen": chosen,
        "tuning": tuning_items(bench),
        "reference": {s.name: bench.shelf.get(reference_name(s)) for s in subjects},
        "rows": gather(bench, subjects),
    }
    result["gates"] = [gate.as_dict() for gate in image_gates(result)]
    write_result(out, "patlak_passes", result, passes_table(result))
    return result


def passes_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_passes` as Markdown."""
    people = ", ".join(f"{p['name']} (seed {p['seed']})" for p in result["people"])
    name, _ = best_classical(result["rows"])
    lines = opening("Several beds", result)
    lines += [
        f"Simulation: {people}, {result['passes']} passes over {result['beds']} beds at 1/10 of the"
        " dose, the times of each slice its own; settings tuned on another body so scanned. Chosen"
        f" with one bed: *{result['chosen']['method']}*; the best classical method here: *{name}*."
        " The targets are those of one bed, for comparison.",
        "",
        *gate_lines(image_gates(result)),
        "",
        *at_dose_lines(result["rows"], result["methods"]),
        "",
        *region_lines(result["rows"], result, GATED_DOSE),
    ]
    return "\n".join(lines)
