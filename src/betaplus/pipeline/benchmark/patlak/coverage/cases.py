"""Regions of small studies under a method, from the rows that were kept a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.patlak.coverage.measures import MAPS
from betaplus.pipeline.benchmark.region_intervals.cases import Case
from betaplus.pipeline.benchmark.region_intervals.measured import measured_case
from betaplus.pipeline.benchmark.rows import Row

__all__ = ["FEATURES", "cases_of", "studies_of"]

FEATURES = ("volume", "noise", "own", "border", "step", "uptake", "spread", "change")
"""Logarithms of: volume [mL]; SD of the mean by least squares, from the noise alone [SUV]; SD that
the method gives; share of the region next to another; mean step there [SUV]; mean [SUV]; SD in the
region [SUV]; change of the mean [SUV]."""


def studies_of(items: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int, float, list[Row]]]:
    """Yield (person, box, dose, rows) of what `measure_person` wrote."""
    for item in items:
        groups: dict[tuple[int, float], list[Row]] = {}
        for row in item["rows"]:
            groups.setdefault((row["box"], row["dose"]), []).append(row)
        for (box, dose), rows in groups.items():
            yield item["person"], box, dose, rows


def cases_of(
    items: Sequence[Mapping[str, Any]], method: str, name: str, kinds: Sequence[str]
) -> list[Case]:
    """Return the regions of some kinds under a method, a case for each study and dose.

    Args:
        items: From `measure_person`.
        method: Its name; studies that it has not seen are left out.
        name: Of the map.
        kinds: Of regions; lesions have labels from `LESIONS` on.
    """
    channel, found = MAPS.index(name), []
    for person, box, dose, rows in studies_of(items):
        kept = [r for r in rows if r["kind"] in kinds and method in r["methods"]]
        if not kept:
            continue
        own = [row["methods"][method] for row in kept]
        wls = [row["methods"]["wls"] for row in kept]
        mean, noisy = (np.array([x["mean"][channel] for x in one]) for one in (own, wls))
        found.append(
            measured_case(
                kept,
                person=person,
                box=box,
                dose=dose,
                truth=np.array([row["truth"][channel] for row in kept]),
                mean=mean,
                noisy=noisy,
                sds={
                    "noise": np.array([x["sd"][channel] for x in wls]),
                    "own": np.array([x["sd"][channel] for x in own]),
                },
                told=[{k: x[k][channel] for k in ("border", "step", "spread")} for x in own],
            )
        )
    return found
