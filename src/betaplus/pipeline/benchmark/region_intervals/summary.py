"""Coverage, interval scores and SDs of region means in a few numbers for each dose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.rows import Row

__all__ = [
    "COVERAGE",
    "RATIO",
    "SPREAD_LEAST",
    "Rows",
    "dose_summary",
    "figures",
    "spread_over_error",
]

COVERAGE = (0.87, 0.93)
"""Of 90 % intervals."""

RATIO = 0.8
"""Interval score over that of the best classical method, at most."""

SPREAD_LEAST = 20
"""Studies that an organ must be in before RMSE and SD are compared."""

Rows = Sequence[Row]


def figures(rows: Rows) -> dict[str, Any]:
    """Return the coverage, mean score, median width and mean absolute error of rows."""
    truth, low, high, estimate = (
        np.array([row[k] for row in rows]) for k in ("truth", "low", "high", "estimate")
    )
    return {
        "regions": len(rows),
        "coverage": float(np.mean((low <= truth) & (truth <= high))),
        "score": float(np.mean([row["score"] for row in rows])),
        "width": float(np.median(high - low)),
        "error": float(np.mean(np.abs(estimate - truth))),
    }


def dose_summary(
    own: Rows, classical: Mapping[str, Rows], same: Mapping[str, Rows], raw: Rows
) -> dict[str, Any]:
    """Return the figures of a dose; scores are compared on the regions that both methods have.

    Args:
        own: Rows of the method that is judged.
        classical: Method to rows of plain intervals.
        same: Method to rows with an error model of the same kind.
        raw: Rows of the method with plain intervals: its own mean and SD.
    """
    organs = [row for row in own if not row["lesion"]]
    lesions = [row for row in own if row["lesion"]]
    mine = {_key(row): row["score"] for row in organs}

    def against(methods: Mapping[str, Rows]) -> dict[str, Any]:
        found = {}
        for name, rows in methods.items():
            kept = [row for row in rows if not row["lesion"]]
            if not kept:
                continue
            theirs = figures(kept)
            shared = float(np.mean([mine[_key(row)] for row in kept]))
            found[name] = theirs | {"ratio": shared / theirs["score"]}
        return found

    plain, modelled = against(classical), against(same)
    best = max(one["ratio"] for one in plain.values())
    found = figures(organs)
    error = np.array([row["mean"] - row["truth"] for row in raw if not row["lesion"]])
    said = np.array([row["own"] for row in raw if not row["lesion"]])
    return {
        **found,
        "covered": COVERAGE[0] <= found["coverage"] <= COVERAGE[1],
        "ratio": best,
        "useful": best <= RATIO,
        "ratio_same_model": max((m["ratio"] for m in modelled.values()), default=float("nan")),
        "raw_rmse_over_sd": float(np.sqrt(np.mean(error**2) / np.mean(said**2))),
        "draws_plain": figures([row for row in raw if not row["lesion"]]),
        "plain": plain,
        "same": modelled,
        "lesions": figures(lesions) if lesions else None,
    }


def spread_over_error(rows: Rows, names: Mapping[tuple[int, int, int], str]) -> dict[str, Any]:
    """Return organ to RMSE over SD (root mean square over studies) and the studies.

    Args:
        rows: Of one dose.
        names: (person, box, region) to organ.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if not row["lesion"]:
            groups.setdefault(names[_key(row)], []).append(row)
    found = {}
    for name in sorted(groups):
        some = groups[name]
        if len(some) < SPREAD_LEAST:
            continue
        square = np.mean([(row["estimate"] - row["truth"]) ** 2 for row in some])
        said = np.mean([row["sd"] ** 2 for row in some])
        found[name] = {"ratio": float(np.sqrt(square / said)), "studies": len(some)}
    return found


def _key(row: Row) -> tuple[int, int, int]:
    return row["person"], row["box"], row["region"]
