"""Intervals of region means from what methods say, calibrated on some people, judged on others.

Two kinds of intervals. *Plain*: the mean and the SD that the method gives, times a conformal factor
of each dose. *Modelled*: the error model of `betaplus.denoising.region_model`, fitted to the
method's own means: how much of the mean by least squares to mix in, and how wrong the mixture may
be, by the SD that noise alone makes, the SD that the method gives, and what is seen at the border;
one model and one conformal factor for all doses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.denoising.intervals import conformal_factor, region_scores
from betaplus.denoising.region_features import RegionTable
from betaplus.denoising.region_model import RegionModel
from betaplus.evaluation.interval_score import interval_score
from betaplus.pipeline.benchmark.denoise.coverage_cases import LEVEL, Case, fit
from betaplus.pipeline.benchmark.denoise.small_phantoms import LESIONS
from betaplus.pipeline.benchmark.patlak.small_measures import MAPS

__all__ = ["FEATURES", "NORMAL", "Row", "cases_of", "fit_model", "modelled", "plain", "studies_of"]

FEATURES = ("volume", "noise", "own", "border", "step", "uptake", "spread", "change")
"""Logarithms of: volume [mL]; SD of the mean by least squares, from the noise alone [SUV]; SD that
the method gives; share of the region next to another; mean step there [SUV]; mean [SUV]; SD in the
region [SUV]; change of the mean [SUV]."""

NORMAL = 1.6449
"""Half width of a 90 % interval of a normal distribution of SD 1."""

Row = Mapping[str, Any]

_TINY = 1e-3  # SUV
_LEAST_BORDER = 0.02


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
        raw = {
            "noise": np.array([x["sd"][channel] for x in wls]),
            "own": np.array([x["sd"][channel] for x in own]),
            "uptake": np.maximum(mean, 0.0),
            "change": np.abs(mean - noisy),
            **{k: np.array([x[k][channel] for x in own]) for k in ("step", "spread")},
        }
        volume = np.array([row["volume"] for row in kept])
        features = {k: np.log(v + (0.1 if k in ("noise", "own") else 1.0) * _TINY)
                    for k, v in raw.items()}  # fmt: skip
        features["volume"] = np.log(volume)
        border = np.array([x["border"][channel] for x in own])
        features["border"] = np.log(np.maximum(border, _LEAST_BORDER))
        labels = np.array([r["region"] + LESIONS * (r["kind"] == "lesion") for r in kept])
        table = RegionTable(
            labels=labels, volume=volume, noisy=noisy, denoised=mean, features=features
        )
        truth = np.array([row["truth"][channel] for row in kept])
        found.append(Case(person=person, box=box, dose=dose, table=table, truth=truth))
    return found


def fit_model(cases: Sequence[Case], about: Mapping[str, Any] | None = None) -> RegionModel:
    """Return the error model of a method, with its conformal factor."""
    return fit(cases, FEATURES, about)


def modelled(model: RegionModel, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return a row for each region with the interval of a model; lengths in SUV."""
    rows = []
    for case in cases:
        found = model.estimate(case.table)
        half = model.conformal.factor * found.sd
        rows += _rows(case, found.estimate, half, found.low, found.high)
    return rows


def plain(known: Sequence[Case], judged: Sequence[Case]) -> list[dict[str, Any]]:
    """Return a row for each judged region: mean -+ factor x SD, the factor of each dose.

    Args:
        known: Cases that factors are from.
        judged: Cases of other people.
    """
    rows = []
    for dose in dict.fromkeys(case.dose for case in judged):
        scores, owners = [], []
        for case in (c.some(~c.lesions) for c in known if c.dose == dose):
            if case.truth.size:
                scores.append(region_scores(case.truth, case.table.denoised, _own(case)))
                owners += [(case.person, case.box)] * case.truth.size
        factor = conformal_factor(np.concatenate(scores), owners, LEVEL).factor
        for case in judged:
            if case.dose == dose:
                mean, half = case.table.denoised, factor * _own(case)
                rows += _rows(case, mean, half, np.maximum(mean - half, 0.0), mean + half)
    return rows


def _own(case: Case) -> np.ndarray:
    return np.maximum(np.exp(case.table.features["own"]) - 0.1 * _TINY, 1e-6)


def _rows(
    case: Case, estimate: np.ndarray, half: np.ndarray, low: np.ndarray, high: np.ndarray
) -> list[dict[str, Any]]:
    # An upper end below 0 is one of a mean that is far below: the interval is then empty at 0.
    high = np.maximum(high, low)
    score = interval_score(low, high, case.truth, LEVEL)
    own = _own(case)
    return [
        {
            "person": case.person, "box": case.box, "dose": case.dose,
            "region": int(case.table.labels[n]) % LESIONS, "lesion": bool(case.lesions[n]),
            "volume": float(case.table.volume[n]), "truth": float(case.truth[n]),
            "mean": float(case.table.denoised[n]), "own": float(own[n]),
            "estimate": float(estimate[n]), "sd": float(half[n]) / NORMAL,
            "low": float(low[n]), "high": float(high[n]), "score": float(score[n]),
        }
        for n in range(case.truth.size)
    ]  # fmt: skip
