"""The table of `betaplus benchmark phantoms`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from betaplus.pipeline.benchmark.phantoms.measure import TOLERANCE
from betaplus.pipeline.benchmark.wording import opening

__all__ = ["phantoms_summary", "phantoms_table"]

_SOURCES = {
    "FDG": "Wang et al. 2007, Ramos et al. 2001, Dias et al. 2022; grey over white matter Phelps et"
    " al. 1979, Heiss et al. 1984",
    "DPA-714": "brain: Arlicot et al. 2012, Golla et al. 2015, Hagens et al. 2018; rest nominal",
    "amyloid": "brain: Wong et al. 2010, Joshi et al. 2012, Ottoy et al. 2017; rest nominal",
    "FMZ": "brain: Koeppe et al. 1991, Millet et al. 2002; rest nominal",
    "raclopride": "brain: Farde et al. 1986, Hirvonen et al. 2003; rest nominal",
    "PSMA": "Kurash et al. 2020, Kirchner et al. 2017; brain and background nominal",
    "DOTATATE": "Ozguven et al. 2021, Kuyumcu et al. 2013; brain and background nominal",
}
"""Tracer to whose measurements its table follows; in full in `betaplus.simulation.uptake`."""

_TITLES = {"brain": "Brains", "body": "Bodies"}


def phantoms_summary(result: Mapping[str, Any]) -> str:
    """Return in a few lines what is off."""
    lines = []
    for kind, rows in result["volumes"].items():
        off = [f"{r['part']} of {r['of']} {r['ratio']:.2f}" for r in rows if r["outside"]]
        lines.append(
            f"{_TITLES[kind]}: {len(rows) - len(off)} of {len(rows)} median volumes within"
            f" {TOLERANCE:.0%} of the reference" + (f"; not: {', '.join(off)}." if off else ".")
        )
    rows = result["uptake"]
    near = sum(abs(row["ratio"] - 1.0) <= TOLERANCE for row in rows)
    lines.append(
        f"Uptake: {near} of {len(rows)} medians within {TOLERANCE:.0%} of the table's;"
        f" {sum(r['inside'] * r['n'] for r in rows) / sum(r['n'] for r in rows):.0%} of the values"
        " inside the table's 5 to 95 %."
    )
    return "\n".join(lines)


def phantoms_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_phantoms` as Markdown."""
    lines = opening("Benchmark of the phantoms", result)
    lines += [f"- {line}" for line in phantoms_summary(result).splitlines()]
    for kind, rows in result["volumes"].items():
        lines += ["", *_volumes(kind, rows, result)]
    lines += ["", *_dose(result["dose"])]
    for tracer in dict.fromkeys(row["tracer"] for row in result["uptake"]):
        lines += ["", *_uptake(tracer, [r for r in result["uptake"] if r["tracer"] == tracer])]
    return "\n".join(lines) + "\n"


def _volumes(kind: str, rows: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[str]:
    lesions = result["lesions"][kind]
    lines = [
        f"## {_TITLES[kind]}: {result['n'][kind]}, voxels of {result['voxel'][kind]:g} mm",
        "",
        "Volumes in mL over people; ratio of the median to the nearest reference. Spread: standard"
        " deviation of the logarithm, in brackets the coefficient of variation.",
        "",
        "| part | of | n | 5 % | median | 95 % | reference | ratio | | spread | reference |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["reference"]
        known = _number(low) if low == high else f"{_number(low)} to {_number(high)}"
        near = row["reference_spread"]
        cells = [
            row["part"],
            row["of"],
            str(row["n"]),
            *(_number(row[k]) for k in ("low", "median", "high")),
            known,
            f"{row['ratio']:.2f}",
            "off" if row["outside"] else "",
            f"{row['log_sd']:.2f} ({row['cv']:.2f})",
            "" if near is None else f"{near[0]:.2f} to {near[1]:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    sources = dict.fromkeys(f"{r['part']}: {r['source']}." for r in rows if kind == "brain")
    lines += ["", *(sources or ["Sources: `betaplus.simulation.reference_volumes`."])]
    found = result["differences"][kind]
    dice = ", ".join(f"{part} {value:.2f}" for part, value in found["dice"].items())
    lines += [
        "",
        f"Two people share the label of {found['same']:.0%} of the voxels that are in either (mean"
        f" of {found['pairs']} pairs, nobody moved onto another), the two most alike"
        f" {found['closest']:.0%} (seeds {found['pair'][0]} and {found['pair'][1]}). Mean Dice"
        f" coefficients: {dice}.",
        "",
        f"Lesions: {lesions['lesions']} in {lesions['people']} of {result['n'][kind]}, at most"
        f" {lesions['most']}.",
    ]
    return lines


def _dose(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "## Share of the injected activity in view",
        "",
        "| | tracer | 5 % | median | 95 % |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        cells = " | ".join(f"{row[k]:.3f}" for k in ("low", "median", "high"))
        lines.append(f"| {row['kind']} | {row['tracer']} | {cells} |")
    return lines


def _uptake(tracer: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        f"## {tracer}",
        "",
        f"SUV of healthy tissue over people beside the table it is drawn from ({_SOURCES[tracer]});"
        " inside: share of the people in the table's 5 to 95 %.",
        "",
        "| | region | people | n | 5 % | median | 95 % | table | ratio | inside |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["kind"], row["region"], row["group"], str(row["n"])]
        cells += [f"{row[k]:.2f}" for k in ("low", "median", "high")]
        cells += [" ".join(f"{value:.2f}" for value in row["table"])]
        cells += [f"{row['ratio']:.2f}", f"{row['inside']:.0%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
