"""Whether 90 % intervals of regions' uptake hold the truth, and how wide they are for it.

One indicator for each small scan and region mean; some people are calibrated on, others judged.
*Plain* intervals: the mean that a method gives, and the posterior SD of the region's mean curve in
closed form, times a conformal factor. *Modelled*: the error model of
`betaplus.denoising.region_model` fitted to the method's own means, and a conformal factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.denoising.region_features import RegionTable
from betaplus.pipeline.benchmark.denoise.coverage_cases import Case, fit
from betaplus.pipeline.benchmark.denoise.small_phantoms import LESIONS
from betaplus.pipeline.benchmark.gate import Gate, gate_lines
from betaplus.pipeline.benchmark.patlak.coverage_model import modelled, plain
from betaplus.pipeline.benchmark.patlak.coverage_summary import COVERAGE, RATIO, dose_summary
from betaplus.pipeline.benchmark.separate.bench import Bench, plan_of
from betaplus.pipeline.benchmark.separate.candidates import TUNED
from betaplus.pipeline.benchmark.separate.cases import Scene
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.small_measures import SmallPlan, measure_person
from betaplus.pipeline.benchmark.separate.tuning import (
    tuned_settings,
    tuning_name,
    tuning_tasks,
)
from betaplus.pipeline.benchmark.separate.writing import opening, write_part
from betaplus.pipeline.benchmark.shelf import Shelf, Task, work_through
from betaplus.simulation.dual_study import FIRST_CALIBRATION, FIRST_TEST

__all__ = [
    "FEATURES",
    "benchmark_coverage",
    "cases_of",
    "coverage_gates",
    "coverage_table",
    "judge",
]

FEATURES = ("volume", "own", "border", "step", "uptake", "spread", "change", "delay")
"""Logarithms of: volume [mL]; posterior SD of the region's mean curve [SUV]; share of the region
next to another; mean step there [SUV]; uptake [SUV]; SD in the region [SUV]; what lies between the
mean and that of the mean curve [SUV]; delay and 2 minutes more [min]."""

_TRACERS = ("FMZ", "FDG")
_TINY = 1e-3  # SUV
_LEAST_BORDER = 0.02
_QUICK = SmallPlan(boxes=18, edge=24, methods=("linear", "compartment"))
_LEAST = 10 * len(FEATURES)  # regions that an error model needs


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
    bench.progress.start("people", len(first) + len(tasks))
    work_through(bench.shelf, first, bench.progress.advance)
    work_through(inner, tasks, bench.progress.advance)
    bench.progress.finish()
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


def cases_of(items: Sequence[Mapping[str, Any]], method: str, tracer: str) -> list[Case]:
    """Return the regions of a tracer under a method, a case for each scan that it has seen.

    Args:
        items: From `measure_person`.
        method: Its name.
        tracer: Name of the tracer.
    """
    found = []
    for item in items:
        boxes: dict[int, list[Mapping[str, Any]]] = {}
        for row in item["rows"]:
            if row["tracer"] == tracer and method in row["methods"]:
                boxes.setdefault(row["box"], []).append(row)
        found += [_case(item["person"], box, rows, method) for box, rows in boxes.items()]
    return found


def judge(
    known: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]],
    own: str,
    methods: Sequence[str],
) -> dict[str, Any]:
    """Return the figures of each tracer.

    Args:
        known: What `measure_person` wrote of people that are calibrated on.
        judged: The same of people that are judged.
        own: Name of the method that is judged.
        methods: Names; what others there are is compared with, but for those that refused so many
            scans that there is no error model.
    """
    found: dict[str, Any] = {}
    for tracer in _TRACERS:
        sets = {m: (cases_of(known, m, tracer), cases_of(judged, m, tracer)) for m in methods}
        sets = {m: both for m, both in sets.items() if both[1] and _regions(both[0]) >= _LEAST}
        rows = {m: modelled(fit(both[0], FEATURES), both[1]) for m, both in sets.items()}
        simple = {m: plain(*both) for m, both in sets.items()}
        others = [m for m in sets if m != own]
        found[tracer] = dose_summary(
            rows[own],
            {m: simple[m] for m in others},
            {m: rows[m] for m in others},
            simple[own],
        )
        found[tracer]["own_plain"] = found[tracer].pop("draws_plain")
    return found


def _regions(cases: Sequence[Case]) -> int:
    return sum(case.truth.size for case in cases)


def coverage_gates(result: Mapping[str, Any]) -> list[Gate]:
    """Return the gates: coverage and interval score of `inn` for each tracer."""
    middle, half = 0.5 * sum(COVERAGE), 0.5 * (COVERAGE[1] - COVERAGE[0])
    gates = []
    for tracer, found in result["tracers"].items():
        known = result["method"] == "inn"
        off = found["coverage"] - middle if known else float("nan")
        ratio = found["ratio"] if known else float("nan")
        gates.append(Gate(name=f"{tracer}: coverage off {middle:g}", found=off, target=half))
        gates.append(
            Gate(
                name=f"{tracer}: interval score over the best plain classical one",
                found=ratio,
                target=RATIO,
            )
        )
    return gates


def coverage_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_coverage` as Markdown."""
    own = result["method"]
    lines = opening("Coverage", result)
    lines += [
        f"90 % intervals of regions' uptake [SUV] in {result['studies'][1]} small scans of other"
        f" heads than the {result['studies'][0]} that they were calibrated on. Score ratios are"
        f" those of *{own}* with its error model over the method's, on the same regions.",
        "",
        *gate_lines(coverage_gates(result)),
        "",
    ]
    for tracer, found in result["tracers"].items():
        lines += [
            f"## {tracer}",
            "",
            "| method | intervals | regions | coverage | score | median width | mean error |"
            f" score of {own} over it |",
            "|---" * 8 + "|",
            _line(own, "modelled", found, None),
            _line(own, "plain", found["own_plain"], None),
        ]
        for kind, word in (("plain", "plain"), ("same", "modelled")):
            for name, one in found[kind].items():
                lines.append(_line(name, word, one, one["ratio"]))
        if found["lesions"]:
            lines.append(_line(own, "modelled, lesions", found["lesions"], None))
        lines.append("")
    return "\n".join(lines)


def _line(method: str, kind: str, one: Mapping[str, Any], ratio: float | None) -> str:
    last = "" if ratio is None else f"{ratio:.3f}"
    return (
        f"| {method} | {kind} | {one['regions']} | {100 * one['coverage']:.1f} % |"
        f" {one['score']:.3g} | {one['width']:.3g} | {one['error']:.3g} | {last} |"
    )


def _case(person: int, box: int, rows: Sequence[Mapping[str, Any]], method: str) -> Case:
    own = [row["methods"][method] for row in rows]
    mean = np.array([one["mean"] for one in own])
    noisy, sd, volume = (np.array([row[k] for row in rows]) for k in ("noisy", "own", "volume"))
    border = np.array([one["border"] for one in own])
    features = {
        "volume": np.log(volume),
        "own": np.log(sd + 0.1 * _TINY),  # as `betaplus...patlak.coverage_model` reads it
        "border": np.log(np.maximum(border, _LEAST_BORDER)),
        "uptake": np.log(np.maximum(mean, 0.0) + _TINY),
        "change": np.log(np.abs(mean - noisy) + _TINY),
        "delay": np.log(np.array([row["delay"] for row in rows]) / 60.0 + 2.0),
        **{k: np.log(np.array([one[k] for one in own]) + _TINY) for k in ("step", "spread")},
    }
    labels = np.array([r["region"] + LESIONS * (r["kind"] == "lesion") for r in rows])
    table = RegionTable(labels=labels, volume=volume, noisy=noisy, denoised=mean, features=features)
    truth = np.array([row["truth"] for row in rows])
    return Case(person=person, box=box, dose=1.0, table=table, truth=truth)


def _measure(inner: Shelf, bench: Bench, scene: Scene, plan: SmallPlan, seed: int) -> None:
    settings = {method: tuned_settings(bench, scene, method) for method in plan.methods}
    inner.put(str(seed), measure_person(seed, plan, bench.networks, settings))
