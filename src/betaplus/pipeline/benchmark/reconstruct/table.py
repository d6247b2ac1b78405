"""The benchmark of `reconstruct` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.reconstruct.matched import matched_lines
from betaplus.pipeline.benchmark.reconstruct.table_parts import (
    count_lines,
    lesion_lines,
    speed_lines,
)
from betaplus.pipeline.benchmark.reconstruct.tradeoff import tradeoff_lines

__all__ = ["paired", "reconstruct_table"]

_AGAINST = ("svrg", "map-em")


def reconstruct_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_reconstruct` as Markdown."""
    quick = " Quick run: too little to judge by." if result["quick"] else ""
    lines = [
        "# Benchmark of reconstruct",
        "",
        "Simulation: heads in the teaching scanner, 128 x 128 x 16 voxels; tuned on heads"
        f" {result['tuned_on']}, judged on {result['judged_on']}.{quick}",
        "",
        "| counts | method | tuned to | NRMSE [%] | PSNR [dB] | SSIM"
        " | NRMSE against OSEM of all counts [%] | seconds |",
        "|---" * 8 + "|",
    ]
    for fraction, methods in result["accuracy"].items():
        for name, found in methods.items():
            lines.append(_accuracy_line(fraction, name, found))
    for fraction, methods in result["accuracy"].items():
        lines += _pair_lines(fraction, methods)
    lines += [*_bias_lines(result["bias_variance"]), *_spread_lines(result["spread"])]
    lines += [*lesion_lines(result["lesions"]), *matched_lines(result["matched"])]
    lines += [*count_lines(result["counts"])]
    lines += speed_lines(result.get("speed"))
    if "full" in result:
        lines += _full_lines(result["full"])
    return "\n".join(lines) + "\n"


def paired(
    rows: Sequence[Mapping[str, float]], others: Sequence[Mapping[str, float]]
) -> tuple[float, float, float]:
    """Return the mean difference of NRMSE and its 95 % interval over heads.

    Draws of the counts of one head are averaged first: heads are what is drawn from a population.
    The interval is Student's; NaN for one head.
    """
    from scipy.stats import t

    by_head: dict[float, list[float]] = {}
    for a, b in zip(rows, others, strict=True):
        if (a["seed"], a["draw"]) != (b["seed"], b["draw"]):
            raise ValueError("rows are not of the same heads and draws")
        by_head.setdefault(a["seed"], []).append(a["NRMSE"] - b["NRMSE"])
    means = np.array([np.mean(values) for values in by_head.values()])
    if means.size < 2:
        return float(means.mean()), float("nan"), float("nan")
    half = float(t.ppf(0.975, means.size - 1) * means.std(ddof=1) / np.sqrt(means.size))
    return float(means.mean()), float(means.mean()) - half, float(means.mean()) + half


def _accuracy_line(fraction: str, name: str, found: Mapping[str, Any]) -> str:
    tuned = dict(found["settings"])
    tuned |= {"passes": found["passes"]} if found["passes"] else {}
    tuned |= {"filter": found["filter"]} if found["filter"] else {}
    text = ", ".join(
        f"{key} {value if isinstance(value, str) else format(value, 'g')}"
        for key, value in tuned.items()
    )
    cells = []
    for key, digits in (("NRMSE", 1), ("PSNR", 1), ("SSIM", 3), ("against OSEM", 1)):
        values = [row[key] for row in found["rows"]]
        low, high = min(values), max(values)
        cells.append(f"{np.mean(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
    return (
        f"| {100 * float(fraction):g} % | {name} | {text} | {' | '.join(cells)} |"
        f" {found['seconds']:.1f} |"
    )


def _pair_lines(fraction: str, methods: Mapping[str, Any]) -> list[str]:
    """Compare every method with a score model with those that have none, head by head."""
    classical = {f["method"]: n for n, f in methods.items() if f["method"] in _AGAINST}
    drawn = [n for n, f in methods.items() if f["method"] not in (*_AGAINST, "osem")]
    if not classical or not drawn:
        return []
    lines = [
        "",
        f"{100 * float(fraction):g} % of the counts: difference of NRMSE, head by head, with its"
        " 95 % interval over heads, and ratio of means:",
        "",
        "| method | against | difference [%] | interval | ratio |",
        "|---|---|---|---|---|",
    ]
    for name in drawn:
        for other in classical.values():
            a, b = methods[name]["rows"], methods[other]["rows"]
            mean, low, high = paired(a, b)
            ratio = np.mean([r["NRMSE"] for r in a]) / np.mean([r["NRMSE"] for r in b])
            interval = "" if np.isnan(low) else f"{low:+.2f} to {high:+.2f}"
            lines.append(f"| {name} | {other} | {mean:+.2f} | {interval} | {ratio:.3f} |")
    return lines


def _bias_lines(bias: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        f"Bias and SD over {bias['realisations']} realisations of head {bias['seed']} at 1 % of the"
        " counts, in percent of the norm of the truth, the noise of the mean taken off:",
        "",
        "| method | swept | bias [%] | SD [%] |",
        "|---|---|---|---|",
    ]
    for name, found in bias["methods"].items():
        often = ", ".join(f"{key} {value}" for key, value in found["often"].items())
        label = f"{name} ({often})" if often else name
        for row in found["rows"]:
            lines.append(
                f"| {label} | {found['swept']} {row['value']:g} | {row['bias']:.1f}"
                f" | {row['sd']:.1f} |"
            )
    own = next((name for name, one in bias["methods"].items() if one["method"] == "dds"), None)
    return [*lines, *(tradeoff_lines(bias["methods"], own) if own else [])]


def _spread_lines(spread: Mapping[str, Any]) -> list[str]:
    if not spread:
        return []
    count = next(iter(spread.values()))["seeds"]
    lines = [
        "",
        f"{count} draws from one measurement at 1 % of the counts: the coefficient of variation"
        " (median over the head), SD in percent of the norm of the truth, its correlation with the"
        " error of the mean, and voxels whose truth lies in the interval that the SD gives:",
        "",
        "| method | variation | SD [%] | correlation | in 50 % | in 80 % | in 95 % |"
        " NRMSE of the mean [%] | of one draw |",
        "|---" * 9 + "|",
    ]
    for name, row in spread.items():
        inside = " | ".join(f"{100 * row['inside'][level]:.0f} %" for level in ("50", "80", "95"))
        lines.append(
            f"| {name} | {row['variation']:.3f} | {row['sd']:.1f} | {row['correlation']:.2f} |"
            f" {inside} | {row['NRMSE']:.1f} | {row['one']:.1f} |"
        )
    return lines


def _full_lines(full: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        f"mMR, span 11, {full['prompts']:,.0f} prompts, settings as tuned on the teaching scanner;"
        " the projector's part of the seconds, and the largest memory of the process so far:",
        "",
        "| method | NRMSE [%] | PSNR [dB] | SSIM | seconds | projector [s] | memory [GB] |",
        "|---" * 7 + "|",
    ]
    for name, row in full["rows"].items():
        lines.append(
            f"| {name} | {row['NRMSE']:.1f} | {row['PSNR']:.1f} | {row['SSIM']:.3f}"
            f" | {row['seconds']:.0f} | {row['projector']:.0f} | {row['peak_bytes'] / 1e9:.1f} |"
        )
    return lines
