"""Part `ablation`: what it is worth that Ki and V0 are denoised as one problem.

`hqs` with its tuned settings is held against the variants of `separate` on the same people and
noise at 1/10, each tuned likewise with the prior that `hqs` has.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.gate import gate_lines
from betaplus.pipeline.benchmark.patlak.ablation.uncoupled import VARIANTS, run_variant
from betaplus.pipeline.benchmark.patlak.bench import Bench, Plan, plan_of
from betaplus.pipeline.benchmark.patlak.candidates import (
    CANDIDATES,
    Candidate,
    load_prior,
    run_candidate,
    start_of,
)
from betaplus.pipeline.benchmark.patlak.cases import KINDS, Subject
from betaplus.pipeline.benchmark.patlak.gates import GATED_DOSE, ablation_gates
from betaplus.pipeline.benchmark.patlak.images import about_plan
from betaplus.pipeline.benchmark.patlak.scoring import subjects_of
from betaplus.pipeline.benchmark.patlak.table import at_dose_lines
from betaplus.pipeline.benchmark.patlak.tuning import (
    QUICK_STEPS,
    mean_of_rows,
    tuned_settings,
    tuning_name,
    tuning_tasks,
)
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.rows import select
from betaplus.pipeline.benchmark.search import Axis
from betaplus.pipeline.benchmark.shelf import Task, work_through
from betaplus.pipeline.benchmark.tuning import tune_item
from betaplus.pipeline.benchmark.wording import opening

__all__ = ["ablation_table", "benchmark_ablation"]

FULL = "hqs"
_DRAWS = 3
_LEVEL = Axis(name="level", ratio=2.0**0.5, low=0.05, high=50.0)


def benchmark_ablation(
    out: Path, *, quick: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Compare `hqs` with maps denoised without the coupling.

    Writes ``benchmark_patlak_ablation.json`` and ``.md``. What `images` tuned in the same folder is
    used.

    Args:
        out: Folder.
        quick: One trunk of 48 x 48 x 48 voxels, default settings.
        progress: What to report to.
    """
    bench = Bench.at(out, plan_of(quick), progress)
    plan, shelf = bench.plan, bench.shelf
    subjects = subjects_of(plan)
    wanted = {tuning_name(anatomy, GATED_DOSE, FULL) for anatomy in plan.anatomies}
    tasks = [task for task in tuning_tasks(bench) if set(task.makes) & wanted]
    tasks += _tuning(bench)
    tasks += [task for subject in subjects for task in _scoring(bench, subject)]
    work_through(bench.shelf, tasks, bench.progress, "tuning and images")
    columns = [FULL, *VARIANTS]
    result: dict[str, Any] = {
        **about_plan(plan),
        "full": FULL,
        "methods": columns,
        "settings": {
            f"{anatomy} {column}": _settings(bench, anatomy, column)
            for anatomy in plan.anatomies
            for column in columns
        },
        "rows": [
            shelf.get(_score_name(s, draw, column))
            for s in subjects
            for draw in range(_draws(plan))
            for column in columns
        ],
    }
    result["gates"] = [gate.as_dict() for gate in ablation_gates(result)]
    write_result(out, "patlak_ablation", result, ablation_table(result))
    return result


def ablation_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_ablation` as Markdown."""
    lines = opening("Without the coupling", result)
    lines += [
        "Simulation, people and noise of part images at 1/10. *uncoupled*: hqs whose data step"
        " treats Ki and V0 as two problems; *each map*: the same with noise levels of each map's"
        " own; *one call*: each map of weighted least squares through the prior once. Each has the"
        " prior of hqs and settings tuned likewise on other people.",
        "",
        *gate_lines(ablation_gates(result)),
        "",
    ]
    for anatomy in dict.fromkeys(row["anatomy"] for row in result["rows"]):
        lines += [f"## {anatomy}", ""]
        lines += [*at_dose_lines(select(result["rows"], anatomy=anatomy), result["methods"]), ""]
    lines += ["## Settings", "", "| | |", "|---|---|"]
    for name, settings in result["settings"].items():
        said = ", ".join(
            f"{k} {v}" if isinstance(v, str) else f"{k} {v:g}" for k, v in settings.items()
        )
        lines.append(f"| {name} | {said or 'defaults'} |")
    return "\n".join(lines)


def _tuning(bench: Bench) -> list[Task]:
    if not bench.plan.tuned:
        return []
    return [
        Task(
            name,
            [name],
            partial(_tune, bench, anatomy, variant),
            [tuning_name(anatomy, GATED_DOSE, FULL)],
        )
        for anatomy in bench.plan.anatomies
        for variant in VARIANTS
        for name in [_tuned_name(anatomy, variant)]
    ]


def _tune(bench: Bench, anatomy: str, variant: str) -> None:
    subject = Subject(anatomy=anatomy, number=0, tuning=True)
    prior = load_prior(_prior_name(bench, anatomy))

    def score(settings: Mapping[str, Any]) -> dict[str, Any]:
        rows = []
        for draw in range(bench.plan.tuning_draws):
            maps = run_variant(
                bench.case(subject, GATED_DOSE, draw).study, variant, prior, settings
            )
            rows.append(bench.person(subject)[1].score(maps))
        return mean_of_rows(rows)

    candidate = CANDIDATES[FULL]
    if variant == "one call":
        candidate = Candidate(method=FULL, axes=(_LEVEL,), start={"level": 1.0})
    about = {"anatomy": anatomy, "dose": GATED_DOSE, "method": variant, "seed": subject.seed}
    tune_item(
        bench.shelf, _tuned_name(anatomy, variant), about, score, start_of(candidate),
        candidate.axes, rounds=candidate.rounds,
    )  # fmt: skip


def _scoring(bench: Bench, subject: Subject) -> list[Task]:
    needs = []
    if bench.plan.tuned:
        needs = [tuning_name(subject.anatomy, GATED_DOSE, FULL)]
        needs += [_tuned_name(subject.anatomy, variant) for variant in VARIANTS]
    return [
        Task(
            f"ablation/{subject.name}_{draw}",
            [_score_name(subject, draw, column) for column in (FULL, *VARIANTS)],
            partial(_score, bench, subject, draw),
            needs,
        )
        for draw in range(_draws(bench.plan))
    ]


def _score(bench: Bench, subject: Subject, draw: int) -> None:
    targets = bench.person(subject)[1]
    for column in (FULL, *VARIANTS):
        name = _score_name(subject, draw, column)
        if bench.shelf.has(name):
            continue
        study = bench.case(subject, GATED_DOSE, draw).study
        settings = _settings(bench, subject.anatomy, column)
        begin = time.perf_counter()
        if column == FULL:
            maps: Mapping[str, Any] = run_candidate(study, FULL, settings, seed=draw).maps
        else:
            prior = load_prior(_prior_name(bench, subject.anatomy))
            maps = run_variant(study, column, prior, settings)
        about = {
            "subject": subject.name, "anatomy": subject.anatomy, "dose": GATED_DOSE, "draw": draw,
            "method": column, "settings": settings,
            "seconds": round(time.perf_counter() - begin, 2),
        }  # fmt: skip
        bench.shelf.put(name, {**about, **targets.score(maps)})


def _settings(bench: Bench, anatomy: str, column: str) -> dict[str, Any]:
    if column == FULL:
        return tuned_settings(bench, anatomy, GATED_DOSE, FULL)
    if bench.plan.tuned:
        return dict(bench.shelf.get(_tuned_name(anatomy, column))["settings"])
    return {"level": 1.0} if column == "one call" else {"steps": QUICK_STEPS}


def _prior_name(bench: Bench, anatomy: str) -> str:
    from betaplus.patlak.prior_choice import PRIORS

    settings = tuned_settings(bench, anatomy, GATED_DOSE, FULL)
    return str(settings.get("prior", PRIORS[KINDS[anatomy]]))


def _tuned_name(anatomy: str, variant: str) -> str:
    return f"ablation/tuning_{anatomy}_{variant.replace(' ', '-')}"


def _score_name(subject: Subject, draw: int, column: str) -> str:
    return f"ablation/{subject.name}_{draw}_{column.replace(' ', '-')}"


def _draws(plan: Plan) -> int:
    return min(_DRAWS, plan.draws(GATED_DOSE))
