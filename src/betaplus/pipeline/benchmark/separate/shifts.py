"""Part `shifts`: what each of eight differences from what was learned costs, apart.

Settings of the classical methods are those tuned without a shift: who meets one does not know it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.gate import gate_lines
from betaplus.pipeline.benchmark.rows import Row, select
from betaplus.pipeline.benchmark.separate.bench import Bench, Plan, plan_of
from betaplus.pipeline.benchmark.separate.candidates import UNCONDITIONAL
from betaplus.pipeline.benchmark.separate.cases import PAIRS, Scene
from betaplus.pipeline.benchmark.separate.gates import GATED_DELAY, shift_gates
from betaplus.pipeline.benchmark.separate.images import about_plan
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.scoring import gather, score_tasks
from betaplus.pipeline.benchmark.separate.summary import mean_of, skipped
from betaplus.pipeline.benchmark.separate.tuning import tuning_items, tuning_tasks
from betaplus.pipeline.benchmark.separate.writing import skip_lines, write_part
from betaplus.pipeline.benchmark.shelf import work_through
from betaplus.pipeline.benchmark.wording import number, opening
from betaplus.simulation.dual_study import SHIFTS

__all__ = ["benchmark_shifts", "shifts_table"]

_PAIR = "FMZ+FDG"
_DRAWS = 2
_PEOPLE = 4


def benchmark_shifts(
    out: Path,
    networks: Networks,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    plan: Plan | None = None,
) -> dict[str, Any]:
    """Measure all methods under one shift at a time.

    Writes ``benchmark_separate_shifts.json`` and ``.md``. What `images` tuned in the same folder
    is used.

    Args:
        out: Folder.
        networks: That are judged; that which knows one protocol is a column of its own.
        quick: One small box, two shifts, default settings.
        progress: What to report to.
        plan: How much is done, in place of the usual.
    """
    chosen = plan or (
        plan_of(True) if quick else dataclasses.replace(plan_of(False), people=_PEOPLE)
    )
    bench = Bench.at(out, chosen, networks, progress)
    names = ("delay", "dose") if chosen.quick else tuple(SHIFTS)
    base = Scene(pair=_PAIR, delay=GATED_DELAY)
    scenes = [base, *(dataclasses.replace(base, shift=name) for name in names)]
    columns = [*chosen.methods, *([UNCONDITIONAL] if networks.unconditional else [])]
    draws = min(_DRAWS, chosen.draws)
    tasks = tuning_tasks(bench, [base])
    tasks += score_tasks(
        bench, scenes, columns, draws=draws, settings_of=dict.fromkeys(scenes, base),
        group="shifts", macros=False,
    )  # fmt: skip
    work_through(bench.shelf, tasks, bench.progress, "tuning and shifts")
    rows = gather(bench, scenes, columns, draws, "shifts")
    result: dict[str, Any] = {
        **about_plan(bench),
        "pair": _PAIR,
        "tracers": list(PAIRS[_PAIR]),
        "delay": GATED_DELAY,
        "draws": draws,
        "shifts": list(names),
        "methods": columns,
        "skipped": skipped(rows),
        "tuning": tuning_items(bench, [base]),
        "rows": rows,
    }
    result["gates"] = [gate.as_dict() for gate in shift_gates(result)]
    write_part(out, "shifts", result, shifts_table(result))
    return result


def shifts_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_shifts` as Markdown."""
    lines = opening("Shifts", result)
    lines += [
        f"{result['pair']}, {result['delay']:g} min; {len(result['people'])} heads, noise draws of"
        f" each: {result['draws']}. *none* is as in training; each other column differs"
        " from it in one thing. Settings are those tuned without a shift.",
        "",
        *skip_lines(result["skipped"]),
        *gate_lines(shift_gates(result)),
        "",
    ]
    for i, tracer in enumerate(result["tracers"]):
        second = "" if i == 0 else " (of the pair under *pair* likewise the second)"
        lines += [f"## {tracer}, or the tracer in its place{second}", ""]
        lines += ["NRMSE, and in brackets that over the NRMSE without a shift.", ""]
        lines += ["| method | none | " + " | ".join(result["shifts"]) + " |"]
        lines += ["|---" * (len(result["shifts"]) + 2) + "|"]
        for method in result["methods"]:
            own = select(result["rows"], method=method)
            if own:
                cells = [_cell(own, shift, i) for shift in ("", *result["shifts"])]
                lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(rows: list[Row], shift: str, tracer: int) -> str:
    value = mean_of(select(rows, shift=shift), tracer, "nrmse")
    base = mean_of(select(rows, shift=""), tracer, "nrmse")
    if not shift or math.isnan(value):
        return number(value)
    return f"{value:.3f} ({value / base:.2f})"
