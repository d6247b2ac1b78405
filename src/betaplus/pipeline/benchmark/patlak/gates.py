"""Figures of the benchmark of `patlak` that have a target."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.patlak.method import LEARNED, METHODS
from betaplus.pipeline.benchmark.gate import Gate
from betaplus.pipeline.benchmark.patlak.summary import summarise
from betaplus.pipeline.benchmark.rows import Row, select
from betaplus.pipeline.benchmark.wording import dose_name

__all__ = [
    "ABLATION",
    "BEST_CLASSICAL",
    "GATED_DOSE",
    "OVER_GAUSSIAN",
    "SPREAD",
    "ablation_gates",
    "best_classical",
    "image_gates",
    "spread_ratios",
]

GATED_DOSE = 1 / 10
"""Dose that has targets."""

OVER_GAUSSIAN = 0.6
"""Ki NRMSE at 1/10 over that of weighted least squares and the best Gaussian, at most."""

BEST_CLASSICAL = 0.85
"""Ki NRMSE at 1/10 over that of the best tuned classical method, at most."""

ABLATION = 1.15
"""Ki NRMSE of maps denoised without the coupling, or separately, over that of the full method."""

SPREAD = (0.8, 1.25)
"""RMSE over mean SD of `gibbs` in a region."""

_GAUSSIAN = "gaussian"
_CLASSICAL = tuple(name for name in METHODS if name not in LEARNED)


def image_gates(result: Mapping[str, Any]) -> list[Gate]:
    """Return the gates of part ``images``, of all people and of each anatomy.

    Args:
        result: With ``rows`` and ``chosen``; without a learned method there are no gates.
    """
    chosen = result["chosen"]["method"]
    if chosen is None:
        return []
    rows: Sequence[Row] = result["rows"]
    anatomies = list(dict.fromkeys(row["anatomy"] for row in rows))
    groups: dict[str, list[Row]] = {"all people": list(rows)}
    if len(anatomies) > 1:
        groups |= {name: select(rows, anatomy=name) for name in anatomies}
    found = []
    for group, of_group in groups.items():
        at = select(of_group, dose=GATED_DOSE)
        own = summarise(select(at, method=chosen))
        gaussian = summarise(select(at, method=_GAUSSIAN))
        name, best = best_classical(at)
        found += [
            Gate(
                name=f"{group}, 1/10: Ki NRMSE of {chosen} over WLS + Gaussian",
                found=own.Ki / gaussian.Ki,
                target=OVER_GAUSSIAN,
            ),
            Gate(
                name=f"{group}, 1/10: Ki NRMSE of {chosen} over the best classical method ({name})",
                found=own.Ki / best,
                target=BEST_CLASSICAL,
            ),
        ]
        for other in dict.fromkeys((_GAUSSIAN, name)):
            theirs = summarise(select(at, method=other)).recovery
            found.append(
                Gate(
                    name=f"{group}, 1/10: lesion recovery of {chosen} less that of {other}"
                    f" ({own.recovery:.3f}, {theirs:.3f})",
                    found=own.recovery - theirs,
                    target=0.0,
                    least=True,
                )
            )
    worst, where = _worst_over_gaussian(rows, chosen)
    found.append(
        Gate(
            name=f"any dose and person: largest Ki NRMSE of {chosen} over WLS + Gaussian{where}",
            found=worst,
            target=1.0,
        )
    )
    return found


def best_classical(rows: Sequence[Row]) -> tuple[str, float]:
    """Return the classical method with the least mean Ki NRMSE, and that; rows of one dose."""
    means = {name: summarise(select(rows, method=name)).Ki for name in _CLASSICAL}
    known = {name: value for name, value in means.items() if not math.isnan(value)}
    if not known:
        return "none", math.nan
    name = min(known, key=lambda n: known[n])
    return name, known[name]


def spread_ratios(rows: Iterable[Row], name: str = "Ki") -> dict[str, float]:
    """Return region to RMSE over mean SD, root mean square and mean over people and draws.

    Args:
        rows: Of a method that has an SD.
        name: Of the map.
    """
    squares: dict[str, list[float]] = {}
    said: dict[str, list[float]] = {}
    for row in rows:
        for region, (error, sd) in row[name].get("claimed", {}).items():
            squares.setdefault(region, []).append(error**2)
            said.setdefault(region, []).append(sd)
    return {
        region: math.sqrt(float(np.mean(values))) / float(np.mean(said[region]))
        for region, values in squares.items()
        if float(np.mean(said[region])) > 0.0
    }


def ablation_gates(result: Mapping[str, Any]) -> list[Gate]:
    """Return the gates of part ``ablation``: each variant over the full method, all people."""
    means = {name: summarise(select(result["rows"], method=name)).Ki for name in result["methods"]}
    full = means[result["full"]]
    return [
        Gate(
            name=f"1/10: Ki NRMSE, {name} over {result['full']}",
            found=value / full,
            target=ABLATION,
            least=True,
        )
        for name, value in means.items()
        if name != result["full"]
    ]


def _worst_over_gaussian(rows: Sequence[Row], chosen: str) -> tuple[float, str]:
    worst, where = math.nan, ""
    pairs = dict.fromkeys((row["dose"], row["subject"]) for row in rows)
    for dose, subject in pairs:
        at = select(rows, dose=dose, subject=subject)
        own = summarise(select(at, method=chosen)).Ki
        ratio = own / summarise(select(at, method=_GAUSSIAN)).Ki
        if not math.isnan(ratio) and not ratio <= worst:
            worst, where = ratio, f" ({subject} at {dose_name(dose)})"
    return worst, where
