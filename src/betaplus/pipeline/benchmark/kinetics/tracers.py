"""VT of real receptor tracers by several methods: agreement, test-retest, occupancy.

Nothing here is known to be true: what can be shown is that methods which share little agree where
the curve identifies VT, that two scans of a person agree, and that a block lowers VT.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from betaplus.core.posterior import STATUS
from betaplus.core.progress import Progress, Silent
from betaplus.core.tacs import TacTable
from betaplus.kinetics import fit
from betaplus.pipeline.benchmark.tracer_studies import (
    Study,
    data_folder,
    mc1_studies,
    pbr28_studies,
)

__all__ = ["tracers", "tracers_table"]

_PAIRS = (("1", "2"), ("test", "retest"))
_OUTLIER = ("subject", "session", "region", "VT", "VT_q05", "VT_q95", "logan")
_REFERENCE = "cerebellar cortex"  # of MC1: not an accepted one, see `tracers`
_WITHIN = 0.10
_IDENTIFIED = 0.10  # largest SD of VT over its median
_IMPLAUSIBLE = 3.0  # tissue over the peak of the blood


def tracers(folder: Path | None = None, *, progress: Progress | None = None) -> dict[str, Any]:
    """Analyse [11C]PBR28 (test-retest) and [11C]MC1 (baseline and blocked) with arterial blood.

    VT is that of 2TCM by `exact` (posterior median, delay fitted per region), of 2TCM by `nlls`,
    and of Logan's plot (t* chosen, delay the median of the regions'), of the whole curve and of the
    curve less the blood in it: 2TCM's VT is that of tissue, and the plot of a region which is 12 %
    blood falls short of it by about that much. Neither tracer has a region free of
    binding; SRTM and MRTM2 of MC1 against the cerebellar cortex, which binds least, are compared
    with the ratio of 2TCM's VT, as a check of the estimators and not as an assay.

    Args:
        folder: Reference data; by default where `BETAPLUS_DATA` points.
        progress: What to report to.

    Returns:
        For ``PBR28`` and ``MC1``, where their data are there: ``rows`` (a mapping per curve),
        ``agreement``, ``refused``, ``retest`` and ``occupancy``.
    """
    folder = folder or data_folder()
    progress = progress or Silent()
    out: dict[str, Any] = {}
    for name, studies in (
        ("PBR28", list(pbr28_studies(folder))),
        ("MC1", list(mc1_studies(folder))),
    ):
        if not studies:
            continue
        progress.start(f"real tracer {name}", len(studies))
        rows: list[dict[str, Any]] = []
        refused: list[dict[str, str]] = []
        for study in studies:
            reason = study.refused or _implausible(study)
            if reason:
                about = {"subject": study.subject, "session": study.session, "reason": reason}
                refused.append(about)
            else:
                rows += _analyse(study, name)
            progress.advance()
        progress.finish()
        out[name] = {"rows": rows, "refused": refused, "agreement": _agreement(rows)}
        out[name] |= _reference_agreement(rows)
        out[name]["retest"] = {key: _retest(rows, key) for key in ("VT", "logan")}
        out[name]["occupancy"] = list(_occupancy(rows))
    return out


def _implausible(study: Study) -> str:
    """Why a study's numbers cannot be what they say, or nothing."""
    assert study.tacs is not None and study.blood is not None
    end = float(study.tacs.frames.end[-1])
    peak = float(study.blood.curve(end).converted(study.tacs.unit).plasma.max())
    ratio = float(study.tacs.values.max()) / peak
    if ratio <= _IMPLAUSIBLE:
        return ""
    return (
        f"tissue reaches {ratio:.0f} times the peak of plasma: the blood is labelled"
        f" {study.blood.unit} and cannot be"
    )


def _analyse(study: Study, name: str) -> Iterator[dict[str, Any]]:
    assert study.tacs is not None and study.blood is not None and study.tacs.names is not None
    shared: dict[str, Any] = {"engine": "inline", "predict": False}
    exact = fit(study.tacs, study.blood, model="2TCM", **shared)
    nlls = fit(study.tacs, study.blood, model="2TCM", method="nlls", **shared)
    delay = round(float(np.median(exact["delay"].median)), 2)
    whole = fit(study.tacs, study.blood, method="logan", delay=delay, **shared)
    srtm = mrtm2 = None
    if name == "MC1":
        srtm = fit(study.tacs, reference=_REFERENCE, model="SRTM", **shared)
        mrtm2 = fit(study.tacs, reference=_REFERENCE, model="MRTM2", **shared)
    for i, region in enumerate(study.tacs.names):
        VT, VB = exact["VT"], float(exact["VB"].median[i])
        logan = fit(
            _region(study.tacs, i),
            study.blood,
            method="logan",
            delay=delay,
            settings={"VB": VB},
            **shared,
        )
        row = {
            "subject": study.subject,
            "session": study.session,
            "region": region,
            "status": STATUS[int(exact.diagnostics["status"][i])],
            "ess": float(exact.diagnostics["ess"][i]),
            "delay": float(exact["delay"].median[i]),
            "VT": float(VT.median[i]),
            "VT_sd": float(VT.std[i]),
            "VT_q05": float(VT.quantiles[0.05][i]),
            "VT_q95": float(VT.quantiles[0.95][i]),
            "nlls": float(nlls["VT"].mean[i]),
            "VB": VB,
            "logan": float(logan["VT"].mean[0]),
            "logan_sd": float(logan["VT"].std[0]),
            "t_star": float(logan.diagnostics["t_star"][0]),
            "whole": float(whole["VT"].mean[i]),
        }
        if srtm is not None and mrtm2 is not None and region != _REFERENCE:
            at = study.tacs.names.index(_REFERENCE)
            row["ratio"] = float(VT.median[i] / VT.median[at])
            row["srtm"] = float(1 + srtm["BPND"].median[i])
            row["mrtm2"] = float(1 + mrtm2["BPND"].mean[i])
        yield row


def _region(tacs: TacTable, i: int) -> TacTable:
    assert tacs.names is not None
    return dataclasses.replace(tacs, values=tacs.values[i : i + 1], names=tacs.names[i : i + 1])


def _identified(row: Mapping[str, Any]) -> bool:
    return row["status"] != "misfit" and row["VT_sd"] <= _IDENTIFIED * row["VT"]


def _agreement(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How often Logan's VT is within 10 % of 2TCM's, by what is asked of the curve."""
    groups = {
        "all": rows,
        "status ok": [row for row in rows if row["status"] != "misfit"],
        "status ok, SD of VT at most 10 %": [row for row in rows if _identified(row)],
    }
    out: dict[str, Any] = {}
    for name, chosen in groups.items():
        off = np.array([row["logan"] / row["VT"] - 1.0 for row in chosen])
        whole = np.array([row["whole"] / row["VT"] - 1.0 for row in chosen])
        out[name] = {
            "whole_within": float((np.abs(whole) <= _WITHIN).mean()),
            "whole_median": float(np.median(whole)),
            "curves": len(chosen),
            "within": float((np.abs(off) <= _WITHIN).mean()),
            "median": float(np.median(off)),
            "p05": float(np.quantile(off, 0.05)),
            "p95": float(np.quantile(off, 0.95)),
            "outliers": [
                {k: row[k] for k in _OUTLIER}
                for row, value in zip(chosen, off, strict=True)
                if abs(value) > _WITHIN
            ],
        }
    return out


def _reference_agreement(rows: list[dict[str, Any]]) -> dict[str, Any]:
    chosen = [row for row in rows if "srtm" in row and _identified(row)]
    if not chosen:
        return {}
    ratio = np.array([row["ratio"] for row in chosen])
    return {
        "reference": {
            name: {
                "curves": len(chosen),
                "within": float((np.abs(values / ratio - 1.0) <= _WITHIN).mean()),
                "median": float(np.median(values / ratio - 1.0)),
                "correlation": float(np.corrcoef(values, ratio)[0, 1]),
            }
            for name in ("srtm", "mrtm2")
            if (values := np.array([row[name] for row in chosen])).size
        }
    }


def _retest(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """Absolute variability and intraclass correlation (one-way, single scan) by region."""
    out = {}
    for region in dict.fromkeys(row["region"] for row in rows):
        mine = {(r["subject"], r["session"]): r[key] for r in rows if r["region"] == region}
        subjects = dict.fromkeys(subject for subject, _ in mine)
        pairs = np.array(
            [
                [mine[subject, first], mine[subject, second]]
                for subject in subjects
                for first, second in _PAIRS
                if (subject, first) in mine and (subject, second) in mine
            ]
        )
        mean, difference = pairs.mean(axis=1), pairs[:, 1] - pairs[:, 0]
        between, within = 2 * mean.var(ddof=1), (difference**2 / 2).mean()
        out[region] = {
            "subjects": len(pairs),
            "variability": float(np.mean(np.abs(difference) / mean)),
            "icc": float((between - within) / (between + within)),
        }
    return out


def _occupancy(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Lassen's plot per subject: VT(baseline) - VT(blocked) over VT(baseline)."""
    for subject in dict.fromkeys(row["subject"] for row in rows):
        of = {
            session: {
                row["region"]: row
                for row in rows
                if row["subject"] == subject and row["session"] == session
            }
            for session in ("baseline", "blocked")
        }
        both = [name for name in of["baseline"] if name in of["blocked"]]
        if len(both) < 3:
            continue
        for key in ("VT", "logan"):
            base = np.array([of["baseline"][name][key] for name in both])
            block = np.array([of["blocked"][name][key] for name in both])
            line = stats.linregress(base, base - block)
            yield {
                "subject": subject,
                "method": "2TCM" if key == "VT" else "Logan",
                "occupancy": float(line.slope),
                "occupancy_se": float(line.stderr),
                "VND": float(-line.intercept / line.slope) if line.slope else float("nan"),
                "r": float(line.rvalue),
                "fall": float(np.mean(1 - block / base)),
            }


def tracers_table(result: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    if not result:
        return "No reference data found: set BETAPLUS_DATA."
    parts = []
    for name, part in result.items():
        scans = {(row["subject"], row["session"]) for row in part["rows"]}
        lines = [
            f"### [11C]{name}: {len(scans)} scans, {len(part['rows'])} curves",
            "",
            "Logan's VT over that of 2TCM (`exact`, posterior median) - 1, with the blood taken"
            " out of the curve (VB of the 2TCM), and left in it:",
            "",
            "| curves | number | within 10 % | median | 5 to 95 % | left in: within | median |",
            "|---|---|---|---|---|---|---|",
        ]
        for group, entry in part["agreement"].items():
            lines.append(
                f"| {group} | {entry['curves']} | {100 * entry['within']:.1f} % |"
                f" {100 * entry['median']:+.1f} % |"
                f" {100 * entry['p05']:+.1f} to {100 * entry['p95']:+.1f} % |"
                f" {100 * entry['whole_within']:.1f} % | {100 * entry['whole_median']:+.1f} % |"
            )
        lines += ["", *_details(part)]
        for entry in part["refused"]:
            lines.append(f"- left out: {entry['subject']} {entry['session']}: {entry['reason']}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _details(part: Mapping[str, Any]) -> Iterator[str]:
    for name, entry in part.get("reference", {}).items():
        yield (
            f"- {name.upper()} against the {_REFERENCE}, 1 + BPND over the ratio of VT:"
            f" median {100 * entry['median']:+.1f} %, {100 * entry['within']:.0f} % of"
            f" {entry['curves']} within 10 %, r = {entry['correlation']:.3f}"
        )
    for entry in part["agreement"]["status ok"]["outliers"]:
        yield (
            f"- off by more than 10 %: {entry['subject']} {entry['session']} {entry['region']}:"
            f" 2TCM {entry['VT']:.2f} ({entry['VT_q05']:.2f} to {entry['VT_q95']:.2f}),"
            f" Logan {entry['logan']:.2f}"
        )
    if part["retest"]["VT"]:
        yield "\n| test-retest | subjects | variability, 2TCM | ICC | variability, Logan | ICC |"
        yield "|---|---|---|---|---|---|"
        for region, of_VT in part["retest"]["VT"].items():
            of_logan = part["retest"]["logan"][region]
            shown = [f"{100 * v['variability']:.1f} % | {v['icc']:.2f}" for v in (of_VT, of_logan)]
            yield f"| {region} | {of_VT['subjects']} | {' | '.join(shown)} |"
    if part.get("occupancy"):
        yield "\n| Lassen | method | occupancy | VND | r | mean fall of VT |"
        yield "|---|---|---|---|---|---|"
        for row in part["occupancy"]:
            yield (
                f"| {row['subject']} | {row['method']} |"
                f" {100 * row['occupancy']:.0f} +- {100 * row['occupancy_se']:.0f} % |"
                f" {row['VND']:.2f} | {row['r']:.2f} | {100 * row['fall']:.0f} % |"
            )
