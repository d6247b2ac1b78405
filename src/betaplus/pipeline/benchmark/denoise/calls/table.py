"""Calls of the network against quality: what has a target, and the table as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.denoising.draw_network import LEVELS
from betaplus.pipeline.benchmark.gate import verdict
from betaplus.pipeline.benchmark.rows import select
from betaplus.pipeline.benchmark.wording import dose_name, opening, passed

__all__ = ["GAP", "SHARE", "calls_table", "summary"]

GAP = 0.1
"""What the mean of draws by four calls may be below that of `ddpm` [dB]."""
SHARE = 1 / 200
"""Of the time of `ddpm` that a draw by four calls may take."""

_FEW = "consistency 4"
_STEPS = 1000
_DRAWS = 8
_FIGURES = ("psnr", "psnr_mean", "rmse", "sd", "voxels", "blocks")


def summary(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures of each line, means over crops, and what has a target.

    Figures with a target are NaN (None in ``gates``) unless `ddpm` had its thousand steps and
    eight draws were made.
    """
    rows, times = result["rows"], result["times"]["lines"]
    methods: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(row["name"] for row in rows):
        found = [row for row in rows if row["name"] == name]
        methods[name] = {"calls": found[0]["calls"]} | {k: _mean(found, k) for k in _FIGURES}
        methods[name]["seconds"] = times.get(name, {}).get("seconds")
        methods[name]["cpu_s"] = times.get(name, {}).get("cpu_s")
    slow = f"ddpm {result['steps']}"
    gaps = {
        f"{row['place']} ({row['person']})": row["psnr_mean"] - other["psnr_mean"]
        for row, other in zip(select(rows, name=_FEW), select(rows, name=slow), strict=True)
    }
    known = result["steps"] == _STEPS and result["draws"] >= _DRAWS
    sizes = {result["networks"][name]["parameters"] for name in ("draws", "fast")}
    few = methods[_FEW]
    gates = {
        "gap_db": float(np.mean(list(gaps.values()))),
        "share": few["cpu_s"] / methods[slow]["cpu_s"],
        "share_wall": few["seconds"] / methods[slow]["seconds"],
    }
    return {
        "methods": methods,
        "gaps_db": gaps,
        "same_size": len(sizes) == 1,
        "gates": {name: value if known else None for name, value in gates.items()},
    }


def calls_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_calls` as Markdown."""
    methods, slow = result["methods"], f"ddpm {result['steps']}"
    lines = opening("Quality against calls of the network", result)
    networks = "; ".join(
        f"{one['bundle']} ({one['parameters']:,} parameters)" for one in result["networks"].values()
    )
    crops = {(row["person"], row["place"]): None for row in result["rows"]}
    lines += [
        f"Simulation: {result['crops']} crops of {result['edge']}^3 voxels of"
        f" {result['voxel']:g} mm at {dose_name(result['dose'])} of the dose, FDG, Quadra, of"
        " bodies that no training saw: "
        + ", ".join(f"{who} ({place})" for who, place in crops)
        + f"; seeds are the numbers of the bodies. {result['draws']} draws of each."
        f" Networks: {networks}; bf16. PSNR in the body, peak that of the crop without noise, means"
        " over crops. Calls were counted at the network. Seconds are those of a draw of the first"
        " crop on one thread of the CPU, from noise to the image, all methods by turns in one"
        f" process: {slow} once and in full, of the others the median. They are the thread's own,"
        " as others may use the machine; on the wall beside them. What all share, the measurement"
        f" of the noise and the non-local means, takes {result['times']['prepare_s']:.1f} s more a"
        " volume, not a draw.",
        "",
        *_targets(result),
        "",
        "| method | calls | PSNR of a draw [dB] | PSNR of the mean [dB] | over ddpm [dB] |"
        " a draw [s] | on the wall [s] | share of ddpm's time |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, m in methods.items():
        several = m["sd"] is not None
        gain = m["psnr_mean"] - methods[slow]["psnr_mean"]
        one = name in ("noisy", "mmse")
        lines.append(
            f"| {name} | {m['calls'] or ''} | {'' if one else _number(m['psnr'], 2)} |"
            f" {_number(m['psnr_mean'], 2) if one or several else ''} |"
            f" {f'{gain:+.2f}' if one or several else ''} | {_number(m['cpu_s'], 2)} |"
            f" {_number(m['seconds'], 2)} | {_share(m, methods[slow])} |"
        )
    lines += [
        "",
        f"*{slow}* calls the network at every level of the published linear schedule (Ho et al.,"
        f" NeurIPS 2020). It was trained for {LEVELS[0]:g} to {LEVELS[1]:g} times the noise of the"
        " image: beyond, it is told the nearest of them and shown what is above scaled down."
        " *ddim, order 1* is DDIM (Song et al., ICLR 2021) on cosine levels; *ddim*, the default,"
        " solves its equation by DPM-Solver++(2M) (Lu et al., arXiv 2211.01095) on logarithmic"
        " levels. All start around the mean, of *mmse*, which is computed once for an image and not"
        " counted in their calls. The mean of K draws of a"
        f" posterior is 10 log10(1 + 1/K) dB below its own mean: {_loss(result['draws']):.2f} dB"
        f" for {result['draws']}, {_loss(1):.2f} dB for one."
        " Draws that are too much alike have a better mean for it: read it beside the next table.",
        "",
        "Do draws differ as much as their mean is wrong? *Error over spread*, voxels by the noise"
        " of the crop and means of blocks of 4 x 4 x 4 voxels: 1 where truth and draws are of one"
        " distribution, above 1 where draws are too much alike. RMSE over mean SD would be 1 only"
        " of many draws whose SD is the same everywhere.",
        "",
        "| method | calls | RMSE of the mean [SUV] | mean SD [SUV] | RMSE over SD |"
        " error over spread, voxels | blocks |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, m in methods.items():
        if m["sd"] is not None:
            lines.append(
                f"| {name} | {m['calls']} | {m['rmse']:.4f} | {m['sd']:.4f} |"
                f" {m['rmse'] / m['sd'] if m['sd'] else math.inf:.2f} | {m['voxels']:.2f} |"
                f" {_number(m['blocks'], 2)} |"
            )
    return "\n".join(lines)


def _targets(result: Mapping[str, Any]) -> list[str]:
    gates, slow = result["gates"], f"ddpm {result['steps']}"
    if gates["gap_db"] is None:
        return ["Targets are for eight draws, and `ddpm` with 1000 steps: not measured."]
    crops = ", ".join(f"{name} {gap:+.2f}" for name, gap in result["gaps_db"].items())
    same = passed(result["same_size"])
    return [
        "| | found | target | |",
        "|---|---|---|---|",
        f"| mean of {result['draws']} draws of {_FEW} over that of {slow} [dB] |"
        f" {gates['gap_db']:+.2f} | at least -{GAP:g} |"
        f" {verdict(gates['gap_db'], -GAP, least=True)} |",
        f"| time of {_FEW} over that of {slow} | {_part(gates['share'])} |"
        f" at most {dose_name(SHARE)} | {verdict(gates['share'], SHARE)} |",
        f"| networks of one size | {'yes' if result['same_size'] else 'no'} | yes | {same} |",
        "",
        f"Gaps by crop [dB]: {crops}. Share of the time on the wall: {_part(gates['share_wall'])}.",
    ]


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row[name] is not None]
    return float(np.mean(values)) if values else None


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _share(line: Mapping[str, Any], slow: Mapping[str, Any]) -> str:
    return "" if line["cpu_s"] is None else _part(line["cpu_s"] / slow["cpu_s"])


def _part(share: float) -> str:
    return f"1/{1 / share:.1f}"


def _loss(draws: int) -> float:
    return 10.0 * math.log10(1.0 + 1.0 / draws)
