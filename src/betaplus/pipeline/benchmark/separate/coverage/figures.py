"""Coverage and interval scores of regions' uptake, a tracer at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.region_intervals.cases import Case, fit
from betaplus.pipeline.benchmark.region_intervals.intervals import modelled, plain
from betaplus.pipeline.benchmark.region_intervals.measured import measured_case
from betaplus.pipeline.benchmark.region_intervals.summary import dose_summary

__all__ = ["FEATURES", "cases_of", "judge"]

FEATURES = ("volume", "own", "border", "step", "uptake", "spread", "change", "delay")
"""Logarithms of: volume [mL]; posterior SD of the region's mean curve [SUV]; share of the region
next to another; mean step there [SUV]; uptake [SUV]; SD in the region [SUV]; what lies between the
mean and that of the mean curve [SUV]; delay and 2 minutes more [min]."""

_TRACERS = ("FMZ", "FDG")
_LEAST = 10 * len(FEATURES)  # regions that an error model needs


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


def _case(person: int, box: int, rows: Sequence[Mapping[str, Any]], method: str) -> Case:
    own = [row["methods"][method] for row in rows]
    return measured_case(
        rows,
        person=person,
        box=box,
        dose=1.0,
        truth=np.array([row["truth"] for row in rows]),
        mean=np.array([one["mean"] for one in own]),
        noisy=np.array([row["noisy"] for row in rows]),
        sds={"own": np.array([row["own"] for row in rows])},
        told=own,
        more={"delay": np.log(np.array([row["delay"] for row in rows]) / 60.0 + 2.0)},
    )
