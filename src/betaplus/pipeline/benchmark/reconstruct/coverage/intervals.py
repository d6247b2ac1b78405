"""90 % intervals of region means, calibrated on some people, judged on others.

Of methods that draw images three kinds: *raw*, mean -+ 1.645 SD of the draws; *one factor*, the SD
times a conformal factor; *by tissue*, a conformal factor of each tissue. Methods without draws have
the last two, with their own mean as the SD: their errors are taken to be a share of the uptake; and
*one width*, where all errors are alike. *Mixed* is between one factor and one width: the SD and a
width that is the same for all add up in squares; what share of it there is has the least interval
score where it is calibrated.
Tissues with too few calibration scans take the factor of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.denoising.intervals import conformal_factor, least_subjects, region_scores
from betaplus.evaluation.interval_score import interval_score

__all__ = ["KINDS", "LEVEL", "judge"]

LEVEL = 0.9

KINDS = ("raw", "one factor", "by tissue", "one width", "mixed")

_NORMAL = 1.6449
_SHARES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the usual SD
_LEAST = 1e-3  # of the mean of the scan: smallest SD

Scan = Mapping[str, Any]


def judge(
    known: Sequence[Scan],
    judged: Sequence[Scan],
    methods: Sequence[str],
    regions: str = "regions",
) -> dict[str, dict[str, Any]]:
    """Return method to kind to ``coverage``, ``score``, ``width``, ``factor``, and RMSE over SD.

    Args:
        known: Scans that are calibrated on, as `measures.measure_person` returns them.
        judged: Others.
        methods: Names.
        regions: ``regions``, or a kind of blocks.
    """
    found: dict[str, dict[str, Any]] = {}
    for method in methods:
        pairs = [_rows(scans, method, regions) for scans in (known, judged)]
        drawn = any(row["drawn"] for row in pairs[1])
        found[method] = {kind: _judged(kind, *pairs) for kind in _kinds(drawn, regions)}
        errors = np.array([row["mean"] - row["truth"] for row in pairs[1]])
        found[method]["error"] = float(np.sqrt(np.mean(errors**2)))
        if drawn:
            said = np.sqrt(np.mean([row["sd"] ** 2 for row in pairs[1]]))
            found[method]["error over SD"] = float(found[method]["error"] / said)
    return found


def _kinds(drawn: bool, regions: str) -> list[str]:
    """Return the kinds: raw ones of draws alone, and tissues where regions are some."""
    skipped = {"raw": not drawn, "by tissue": "blocks" in regions}
    return [kind for kind in KINDS if not skipped.get(kind, False)]


def _judged(
    kind: str, known: list[dict[str, Any]], judged: list[dict[str, Any]]
) -> dict[str, float]:
    """Return the figures of one kind of intervals, calibrated on the first rows."""
    if kind == "one width":
        known, judged = _wider(known, 1.0, sd=0.0), _wider(judged, 1.0, sd=0.0)
    elif kind == "mixed":
        usual = float(np.sqrt(np.mean([row["sd"] ** 2 for row in known])))
        tried = [_wider(known, share * usual) for share in _SHARES]
        scores = [_figures(_factors(kind, rows), rows)["score"] for rows in tried]
        share = _SHARES[int(np.argmin(scores))]
        known, judged = _wider(known, share * usual), _wider(judged, share * usual)
    return _figures(_factors(kind, known), judged)


def _wider(rows: list[dict[str, Any]], width: float, sd: float = 1.0) -> list[dict[str, Any]]:
    """Return rows with a width added to so much of their SD."""
    return [{**row, "sd": float(np.hypot(sd * row["sd"], width))} for row in rows]


def _rows(scans: Sequence[Scan], method: str, regions: str) -> list[dict[str, Any]]:
    rows = []
    for scan in scans:
        for region in scan[regions]:
            own = region[method]
            sd = own["mean"] if own["sd"] is None else own["sd"]
            rows.append({
                "scan": scan["seed"], "tissue": region["name"], "truth": region["truth"],
                "mean": own["mean"], "sd": max(sd, _LEAST), "drawn": own["sd"] is not None,
            })  # fmt: skip
    return rows


def _factors(kind: str, known: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return tissue to factor; the one of "" is for all others."""
    if kind == "raw":
        return {"": _NORMAL}
    found = {"": _factor(known)}
    if kind == "by tissue":
        for tissue in sorted({row["tissue"] for row in known}):
            some = [row for row in known if row["tissue"] == tissue]
            if len(some) >= least_subjects(LEVEL):
                found[tissue] = _factor(some)
    return found


def _factor(rows: Sequence[Mapping[str, Any]]) -> float:
    truth, mean, sd = (np.array([row[key] for row in rows]) for key in ("truth", "mean", "sd"))
    owners = [row["scan"] for row in rows]
    return float(conformal_factor(region_scores(truth, mean, sd), owners, LEVEL).factor)


def _figures(factors: Mapping[str, float], rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    truth, mean, sd = (np.array([row[key] for row in rows]) for key in ("truth", "mean", "sd"))
    half = sd * np.array([factors.get(row["tissue"], factors[""]) for row in rows])
    low, high = np.maximum(mean - half, 0.0), np.maximum(mean + half, 0.0)
    held = (low <= truth) & (truth <= high)
    return {
        "regions": float(truth.size),
        "coverage": float(held.mean()),
        "score": float(interval_score(low, high, truth, LEVEL).mean()),
        "width": float(np.median(high - low)),
        "factor": factors[""],
    }
