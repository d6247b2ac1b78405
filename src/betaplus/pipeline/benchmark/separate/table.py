"""Part `images` of the benchmark of `separate` as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.gate import gate_lines
from betaplus.pipeline.benchmark.rows import Row, select
from betaplus.pipeline.benchmark.separate.candidates import settings_words
from betaplus.pipeline.benchmark.separate.gates import image_gates
from betaplus.pipeline.benchmark.separate.summary import (
    curve_spread,
    macro_errors,
    macro_rows,
    mean_of,
)
from betaplus.pipeline.benchmark.separate.writing import skip_lines
from betaplus.pipeline.benchmark.wording import grid_name, number, opening

__all__ = ["delay_lines", "images_table"]

_FIGURES = (("nrmse", "{:.4f}"), ("nrmse_time", "{:.4f}"), ("mse", "{:.3g}"), ("psnr", "{:.1f}"),
            ("ssim", "{:.3f}"))  # fmt: skip


def images_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_images` as Markdown."""
    size = grid_name(result["shape"])
    people = ", ".join(map(str, result["people"]))
    lines = opening("Images of two tracers", result)
    lines += [
        f"Simulation: boxes of {size} voxels of 2.5 mm of heads {people}, noise draws of"
        f" each: {result['draws']}; noise as the scan itself shows it, blood of both tracers known;"
        " SDs are over draws. " + _tuning_words(result),
        "",
        *skip_lines(result["skipped"]),
        "## What has a target",
        "",
        *gate_lines(image_gates(result)),
        "",
    ]
    for pair, tracers in result["pairs"].items():
        for counts in result["counts"]:
            rows = select(result["rows"], pair=pair, counts=counts)
            for i, tracer in enumerate(tracers):
                lines += [f"## {pair}, counts 1/{1 / counts:g}: {tracer}", ""]
                lines += ["NRMSE by delay, frames alike.", ""]
                lines += [*delay_lines(rows, result, i), ""]
                for delay in result["delays"]:
                    lines += [f"At {delay:g} min:", ""]
                    lines += [*_at_delay(select(rows, delay=delay), result, i), ""]
    lines += _settings_lines(result)
    return "\n".join(lines)


def delay_lines(rows: Sequence[Row], result: Mapping[str, Any], tracer: int) -> list[str]:
    """Return NRMSE of a tracer by method and delay, as a table."""
    lines = [
        "| method | " + " | ".join(f"{delay:g} min" for delay in result["delays"]) + " |",
        "|---" * (len(result["delays"]) + 1) + "|",
    ]
    for method in result["methods"]:
        own = select(rows, method=method)
        if own:
            cells = [
                number(mean_of(select(own, delay=delay), tracer, "nrmse"), "{:.4f}")
                for delay in result["delays"]
            ]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def _at_delay(rows: Sequence[Row], result: Mapping[str, Any], tracer: int) -> list[str]:
    """Return all figures of a tracer at a delay; errors in per cent."""
    if not rows:
        return ["Nothing was measured."]
    references = result["references"]
    one = references["_".join((rows[0]["scene"], rows[0]["subject"]))]
    macro = one["bounds"][tracer]["macro"]
    lines = [
        "| method | NRMSE | by time | MSE [(kBq/mL)^2] | PSNR [dB] | SSIM | TAC bias [%] |"
        f" TAC SD [%] | {macro} error [%] | off the fit alone [%] | {macro} bias [%] |"
        f" {macro} SD [%] | off the true {macro} [%] |",
        "|---" * 13 + "|",
    ]
    scenes = {row["scene"] for row in rows}
    singles = [s for s in result["singles"] if s["scene"] in scenes]
    for method in result["methods"]:
        own = select(rows, method=method)
        if not own:
            continue
        cells = [number(mean_of(own, tracer, name), form) for name, form in _FIGURES]
        cells += [number(100.0 * v, "{:.1f}") for v in curve_spread(own, references, tracer)]
        cells += _macro_cells(macro_rows(own), singles, references, tracer)
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    alone = [
        {**{k: s[k] for k in ("scene", "subject", "draw")}, "macro": s["alone"]} for s in singles
    ]
    blank = " | ".join([""] * 7)
    cells = _macro_cells(alone, singles, references, tracer)
    lines.append(f"| that tracer alone | {blank} | " + " | ".join(cells) + " |")
    for kind, word in (("alone", "alone, noise of the mixture"), ("dual", "both tracers")):
        known = [
            value
            for key, reference in references.items()
            if key.rpartition("_")[0] in scenes
            for value in reference["bounds"][tracer][kind]
            if value is not None
        ]
        middle = float(np.median(known)) if known else math.nan
        lines.append(
            f"| Cramer-Rao bound of unbiased estimates, {word} | {blank} | | | |"
            f" {number(100.0 * middle, '{:.1f}')} | |"
        )
    return lines


def _macro_cells(
    values: Sequence[Row], singles: Sequence[Row], references: Mapping[str, Row], tracer: int
) -> list[str]:
    found = macro_errors(values, singles, references, tracer)
    return [
        number(100.0 * found.error, "{:.1f}"), number(100.0 * found.alone, "{:.1f}"),
        number(100.0 * found.bias, "{:+.1f}"), number(100.0 * found.sd, "{:.1f}"),
        number(100.0 * found.true, "{:.0f}"),
    ]  # fmt: skip


def _settings_lines(result: Mapping[str, Any]) -> list[str]:
    if not result["tuning"]:
        return []
    lines = [
        "## Settings found on the tuning people",
        "",
        "| pair | delay [min] | counts | method | settings | geometric mean of NRMSE | at an end |",
        "|---" * 7 + "|",
    ]
    for t in result["tuning"]:
        start = f"| {t['pair']} | {t['delay']:g} | 1/{1 / t['counts']:g} | {t['method']} |"
        if "skipped" in t:
            lines.append(f"{start} left out: {t['skipped']} | | |")
            continue
        ends = ", ".join(name for name, held in t["bracketed"].items() if not held)
        lines.append(f"{start} {settings_words(t['settings'])} | {t['score']:.3f} | {ends} |")
    return [*lines, ""]


def _tuning_words(result: Mapping[str, Any]) -> str:
    if not result["tuned"]:
        return "Settings: the defaults of each method."
    seeds = ", ".join(map(str, result["tuned_on"]))
    return f"Classical methods: settings tuned for each pair, delay and counts on heads {seeds}."
