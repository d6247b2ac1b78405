"""Whether 90 % intervals of region means of Ki and V0 hold the truth, and how wide they are for it.

Small studies are boxes at random places of bodies, with lesions and one draw of noise each, at
every dose; the truth is the mean over the region of the Patlak map without noise. Some people are
calibrated on, others are judged; gaussian filters are chosen for each dose on the former.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress, Silent
from betaplus.denoising.region_model import RegionModel
from betaplus.patlak.gibbs import Gibbs
from betaplus.pipeline.benchmark.patlak.coverage.cases import FEATURES, cases_of, studies_of
from betaplus.pipeline.benchmark.patlak.coverage.measures import (
    GAUSSIAN,
    MAPS,
    SmallPlan,
    measure_person,
)
from betaplus.pipeline.benchmark.patlak.coverage.table import coverage_table
from betaplus.pipeline.benchmark.region_intervals.cases import Case, fit
from betaplus.pipeline.benchmark.region_intervals.intervals import modelled, plain
from betaplus.pipeline.benchmark.region_intervals.summary import (
    dose_summary,
    figures,
    spread_over_error,
)
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.rows import Row
from betaplus.pipeline.benchmark.shelf import Shelf, Task, work_through
from betaplus.simulation.dynamic_study.study import FIRST_TEST, FIRST_TUNING

__all__ = ["REGIONS", "benchmark_coverage", "summary"]

REGIONS = {"organs": ("organ", "lesion"), "spheres": ("sphere",)}
"""Regions that intervals are made for, each with a model of its own; lesions beside the organs."""

_QUICK = SmallPlan(
    boxes=20, shape=(16, 16, 16), doses=(0.1,), rarely=1,
    gibbs=Gibbs.Settings(samples=2, burn=1, inner=1),
)  # fmt: skip


def benchmark_coverage(
    out: Path,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    people: int = 27,
    calibration: int = 13,
    boxes: int = 16,
) -> dict[str, Any]:
    """Judge intervals of region means.

    Writes ``benchmark_patlak_coverage.json`` and ``.md``. What is measured is kept a person in a
    folder of the plan, so that a run goes on where it was stopped and processes share one.

    Args:
        out: Folder.
        quick: A few coarse studies: too little to judge by.
        progress: What to report to.
        people: Bodies that are judged.
        calibration: Bodies that are calibrated on.
        boxes: Small studies of each.
    """
    import torch

    from betaplus.generative.image_prior import load_image_prior

    out, progress = Path(out), progress or Silent()
    plan = replace(SmallPlan(), boxes=boxes)
    if quick:
        plan, people, calibration = _QUICK, 1, 4
    torch.set_num_threads(1)
    prior = load_image_prior("body3d", bf16=True)
    known = [FIRST_TUNING["small"] + n for n in range(calibration)]
    judged = [FIRST_TEST["small"] + n for n in range(people)]
    shelf = Shelf(out / f"{plan.folder}_{prior.bundle.checksum[:8]}")
    measure = partial(_measure, shelf, plan, prior)
    # Some of both sets first, so that a run that is stopped can be looked at.
    order = sorted(
        [*known, *judged], key=lambda s: ((s - known[0]) / calibration if s in known
                                          else (s - judged[0]) / people)
    )  # fmt: skip
    tasks = [Task(str(s), [str(s)], partial(measure, s)) for s in order]
    work_through(shelf, tasks, progress, "people")
    sets = {
        "known": [shelf.get(str(seed)) for seed in known],
        "judged": [shelf.get(str(seed)) for seed in judged],
    }
    result = {
        "quick": quick, "plan": {**asdict(plan), "gibbs": asdict(plan.gibbs)},
        "prior": prior.bundle.config.folder, "judged": [judged[0], judged[-1]],
        "calibration": [known[0], known[-1]], **summary(sets["known"], sets["judged"]),
    }  # fmt: skip
    write_result(out, "patlak_coverage", result, coverage_table(result))
    return result


def summary(
    known: Sequence[Mapping[str, Any]], judged: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the figures of all maps, regions and doses.

    Args:
        known: What `measure_person` wrote of people that are calibrated on.
        judged: The same of people that are judged.
    """
    found: dict[str, Any] = {
        "studies": sum(item["studies"] for item in judged),
        "studies_known": sum(item["studies"] for item in known),
        "maps": {},
    }
    for name in MAPS:
        found["maps"][name] = {
            group: _judge(known, judged, name, kinds) for group, kinds in REGIONS.items()
        }
    return found


def _measure(shelf: Shelf, plan: SmallPlan, prior: Any, seed: int) -> None:
    shelf.put(str(seed), measure_person(seed, plan, prior))


def _judge(
    known: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]],
    name: str,
    kinds: Sequence[str],
) -> dict[str, Any]:
    """Return the figures of one map and one group of regions."""
    units = _units(judged, MAPS.index(name))
    names = {
        (person, box, row["region"]): row["name"]
        for person, box, _, rows in studies_of(judged)
        for row in rows
    }

    def case_sets(method: str) -> tuple[list[Case], list[Case]]:
        a, b = (cases_of(items, method, name, kinds) for items in (known, judged))
        return a, b

    def scaled(rows: Sequence[Row]) -> list[dict[str, Any]]:
        keys = ("truth", "mean", "own", "estimate", "sd", "low", "high", "score")
        return [{**row, **{key: row[key] * units[row["person"]] for key in keys}} for row in rows]

    own = case_sets("gibbs")
    model = fit(own[0], FEATURES)
    ours, raw = scaled(modelled(model, own[1])), scaled(plain(*own))
    simple: dict[str, list[dict[str, Any]]] = {}
    same: dict[str, list[dict[str, Any]]] = {}
    widths = [f"gaussian {strength:g}" for strength in GAUSSIAN]
    sets = {method: case_sets(method) for method in ("wls", *widths, "tv")}
    for method in ("wls", "tv"):
        if sets[method][1]:
            simple[method] = scaled(plain(*sets[method]))
            same[method] = scaled(modelled(fit(sets[method][0], FEATURES), sets[method][1]))
    doses = list(dict.fromkeys(case.dose for case in own[1]))
    simple["gaussian"] = []
    best = {}
    for dose in doses:
        tried = {w: [[c for c in s if c.dose == dose] for s in sets[w]] for w in widths}
        best[dose] = min(widths, key=lambda w: _score(plain(tried[w][0], tried[w][0])))
        simple["gaussian"] += scaled(plain(*tried[best[dose]]))
    models: dict[str, RegionModel] = {w: fit(sets[w][0], FEATURES) for w in widths}
    width = min(widths, key=lambda w: _score(modelled(models[w], sets[w][0])))
    same["gaussian"] = scaled(modelled(models[width], sets[width][1]))
    return {
        "factor": model.conformal.as_dict(),
        "gaussian": {f"{dose:g}": best[dose] for dose in doses} | {"model": width},
        "all": figures([row for row in ours if not row["lesion"]]),
        "doses": {
            f"{dose:g}": {
                **dose_summary(
                    _at(ours, dose),
                    {k: _at(rows, dose) for k, rows in simple.items()},
                    {k: _at(rows, dose) for k, rows in same.items()},
                    _at(raw, dose),
                ),
                "spread": spread_over_error(_at(ours, dose), names),
            }
            for dose in doses
        },
        "spread": spread_over_error(ours, names),
    }


def _units(items: Sequence[Mapping[str, Any]], channel: int) -> dict[int, float]:
    """Return person to what 1 SUV of a map is [mL/cm3/min] or [mL/cm3]."""
    return {
        item["person"]: float(item["rows"][0]["scale"][channel]) for item in items if item["rows"]
    }


def _at(rows: Sequence[Row], dose: float) -> list[Row]:
    return [row for row in rows if row["dose"] == dose]


def _score(rows: Sequence[Row]) -> float:
    return float(figures([row for row in rows if not row["lesion"]])["score"])
