"""Part `crosstalk`: what of a lesion that one tracer sees is found in the other's image.

A box is scanned twice with the very same noise, with the lesion and without. Uptake [SUV] is the
mean over the lesion of what is left of the difference, over the frames that hold both tracers,
weighted by their duration, per injected activity and gram. Leaked is that in the images of the
tracer that does not see the lesion, inserted the true one in those of the tracer that does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.gate import gate_lines
from betaplus.pipeline.benchmark.separate.bench import Bench, Plan, plan_of
from betaplus.pipeline.benchmark.separate.candidates import TUNED, Skip, run_candidate
from betaplus.pipeline.benchmark.separate.cases import Scene, Subject, make_case, person_of
from betaplus.pipeline.benchmark.separate.gates import crosstalk_gates
from betaplus.pipeline.benchmark.separate.images import about_plan
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.summary import skipped
from betaplus.pipeline.benchmark.separate.tuning import (
    tuned_settings,
    tuning_name,
    tuning_tasks,
)
from betaplus.pipeline.benchmark.separate.writing import skip_lines, write_part
from betaplus.pipeline.benchmark.shelf import Task, work_through
from betaplus.pipeline.benchmark.wording import number, opening
from betaplus.separation.method import LEARNED
from betaplus.simulation.dual_study import DualStudy, lesion_pair

__all__ = ["benchmark_crosstalk", "crosstalk_table", "lesion_uptake", "means_of"]

KINDS = ("first", "second")
"""Which tracer sees the lesion."""

_PAIR = "FMZ+FDG"
_CORE = 0.5  # share of a voxel that is lesion
_ITEMS = 4  # lesions of a person
_TRIES = 10  # items that are tried for each


def benchmark_crosstalk(
    out: Path,
    networks: Networks,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    plan: Plan | None = None,
    lesions: int = 24,
    edge: int = 32,
) -> dict[str, Any]:
    """Measure the cross-talk of all methods, both directions, all delays.

    Writes ``benchmark_separate_crosstalk.json`` and ``.md``. Settings are those of `images`, which
    are looked for where that was not run before in the same folder.

    Args:
        out: Folder.
        networks: That are judged.
        quick: One lesion, one delay, default settings.
        progress: What to report to.
        plan: Delays, methods and tuning, in place of the usual.
        lesions: In each direction, at the same places.
        edge: Of the boxes [voxels].
    """
    bench = Bench.at(out, plan or plan_of(quick), networks, progress)
    if bench.plan.quick:
        lesions, edge = 1, 24
    scenes = [Scene(pair=_PAIR, delay=delay) for delay in bench.plan.delays]
    tasks = tuning_tasks(bench, scenes)
    columns = list(bench.plan.methods)
    needs = {
        scene: [tuning_name(scene, m) for m in columns if bench.plan.tuned and m in TUNED]
        for scene in scenes
    }
    groups = [
        tuple(m for m in columns if m not in LEARNED),
        *((m,) for m in columns if m in LEARNED),
    ]
    names = []
    for n in range(lesions):
        for scene in scenes:
            for kind in KINDS:
                for group in filter(None, groups):
                    name = _name(bench, scene, kind, n, edge, group)
                    names.append(name)
                    run = partial(_measure, bench, scene, kind, n, edge, group, name)
                    tasks.append(Task(name, [name], run, needs[scene]))
    work_through(bench.shelf, tasks, bench.progress, "tuning and lesions")
    rows = [row for name in names for row in bench.shelf.get(name)["rows"]]
    result: dict[str, Any] = {
        **about_plan(bench),
        "pair": _PAIR,
        "lesions": lesions,
        "edge": edge,
        "methods": columns,
        "skipped": skipped(rows),
        "means": means_of(rows),
        "rows": rows,
    }
    result["gates"] = [gate.as_dict() for gate in crosstalk_gates(result)]
    write_part(out, "crosstalk", result, crosstalk_table(result))
    return result


def lesion_uptake(
    difference: np.ndarray, core: np.ndarray, duration: np.ndarray, per_suv: float
) -> float:
    """Return the uptake of a lesion [SUV].

    Args:
        difference: With the lesion less without, shape (X, Y, Z, F) [Bq/mL].
        core: Voxels of the lesion, shape (X, Y, Z) bool.
        duration: Of the frames, shape (F,) [s].
        per_suv: Injected activity per gram [Bq/mL].
    """
    curve = difference[core].mean(0, dtype=np.float64)
    return float(curve @ duration / duration.sum() / per_suv)


def means_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the means over lesions for each method, delay and direction.

    ``leak`` is the mean size of leaked over inserted, ``signed`` the mean itself, ``recovered``
    what the tracer that sees the lesion has of it.
    """
    groups: dict[tuple[str, float, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if "skipped" not in row:
            groups.setdefault((row["method"], row["delay"], row["kind"]), []).append(row)
    found = []
    for (method, delay, kind), own in groups.items():
        leak = np.array([r["leaked"] / r["inserted"] for r in own])
        kept = np.array([r["kept"] / r["inserted"] for r in own])
        found.append({
            "method": method, "delay": delay, "kind": kind, "lesions": len(own),
            "leak": float(np.abs(leak).mean()), "signed": float(leak.mean()),
            "largest": float(np.abs(leak).max()), "recovered": float(kept.mean()),
        })  # fmt: skip
    return found


def crosstalk_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_crosstalk` as Markdown."""
    lines = opening("Cross-talk", result)
    lines += [
        f"{result['pair']}: {result['lesions']} lesions that one tracer sees, each in both"
        " directions, with and without it in the same noise; leaked into the other tracer's image"
        " over inserted [%]: mean size over lesions, and in brackets the signed mean and what the"
        " tracer that sees the lesion has of it.",
        "",
        *skip_lines(result["skipped"]),
        *gate_lines(crosstalk_gates(result)),
        "",
    ]
    first, second = result["pairs"][result["pair"]]
    for kind, word in (("first", f"{first} into {second}"), ("second", f"{second} into {first}")):
        lines += [f"## {word}", ""]
        lines += ["| method | " + " | ".join(f"{d:g} min" for d in result["delays"]) + " |"]
        lines += ["|---" * (len(result["delays"]) + 1) + "|"]
        for method in result["methods"]:
            own = {
                m["delay"]: m for m in result["means"] if (m["method"], m["kind"]) == (method, kind)
            }
            if own:
                cells = [_cell(own.get(delay)) for delay in result["delays"]]
                lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return ""
    leak, signed, kept = (
        number(100.0 * one[k], form)
        for k, form in (("leak", "{:.1f}"), ("signed", "{:+.1f}"), ("recovered", "{:.0f}"))
    )
    return f"{leak} ({signed}; {kept})"


def _name(bench: Bench, scene: Scene, kind: str, n: int, edge: int, group: Sequence[str]) -> str:
    """Return the name of the item of some methods; networks of other weights have others."""
    words = [word for m in group for word in (m, bench.networks.name(m)) if word]
    return f"crosstalk/{scene.name}_{kind}_{n}_{edge}_{'_'.join(words)}"


def _pair_of(scene: Scene, kind: str, n: int, edge: int) -> tuple[DualStudy, DualStudy]:
    """Return the scans with and without lesion `n`: of item n of a person, or the next that can."""
    protocol, population = scene.made()
    person = person_of(Subject(number=n // _ITEMS).seed, population)
    for again in range(_TRIES):
        try:
            return lesion_pair(
                person, protocol, kind, item=100 + n % _ITEMS + _ITEMS * again, shape=(edge,) * 3
            )
        except UsageError:
            continue
    raise UsageError(f"no place for lesion {n} in boxes of {edge} voxels", "expected larger boxes")


def _measure(
    bench: Bench, scene: Scene, kind: str, n: int, edge: int, group: Sequence[str], name: str
) -> None:
    missing = bench.networks.missing
    if all(column in missing for column in group):
        told = {**scene.as_dict(), "kind": kind, "lesion": n}
        rows = [{**told, "method": column, "skipped": missing[column]} for column in group]
        bench.shelf.put(name, {"rows": rows})
        return
    ill, bare = _pair_of(scene, kind, n, edge)
    sees = KINDS.index(kind)
    both = (ill.decay > 0).all(0)
    duration = ill.frames.duration[both]
    core = (ill.lesion_share(0) > _CORE) & ill.head
    per_suv = [
        p.activity_per_gram * dose
        for p, dose in zip(ill.protocol.tracers, ill.protocol.doses, strict=True)
    ]
    inserted = lesion_uptake((ill.x[sees] - bare.x[sees])[..., both], core, duration, per_suv[sees])
    about = {**scene.as_dict(), "kind": kind, "lesion": n, "person": ill.person.seed,
             "volume": float(core.sum() * np.prod(ill.voxel) / 1000.0)}  # fmt: skip
    cases = [make_case(one) for one in (ill, bare)]
    rows = []
    for column in group:
        row: dict[str, Any] = {**about, "method": column, "inserted": inserted}
        settings = tuned_settings(bench, scene, column)
        try:
            pairs = [
                run_candidate(c.study, column, settings, bench.networks).found.x.numpy()
                * c.study.problem.scale
                for c in cases
            ]
        except Skip as why:
            rows.append({**row, "skipped": str(why)})
            continue
        moved = (pairs[0] - pairs[1])[..., both]
        uptake = [lesion_uptake(moved[i], core, duration, per_suv[i]) for i in (0, 1)]
        if not all(map(math.isfinite, uptake)):
            raise ArithmeticError(f"{column} made no finite images of {name}")
        rows.append({**row, "kept": uptake[sees], "leaked": uptake[1 - sees]})
    bench.shelf.put(name, {**about, "rows": rows})
