"""Part `coverage` of the benchmark of `separate` as Markdown, with what it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from betaplus.pipeline.benchmark.gate import Gate, gate_lines
from betaplus.pipeline.benchmark.region_intervals.summary import COVERAGE, RATIO
from betaplus.pipeline.benchmark.wording import opening

__all__ = ["coverage_gates", "coverage_table"]


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
