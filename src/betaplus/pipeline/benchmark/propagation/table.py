"""What the parts found, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from betaplus.pipeline.benchmark.wording import opening

__all__ = ["gaussian_table", "heads_table", "part_table"]

_CHAINS = {
    "exact": "posterior of the raw data",
    "likelihood": "way 1: likelihood images, covariance",
    "likelihood-variances": "the same, variances alone",
    "draws": "way 2: draws of all frames together",
    "draws-by-frame": "draws of each frame by itself",
    "naive": "naive: posterior mean, its covariance as noise",
    "naive-frames": "naive: means of frames, their covariance as noise",
    "naive-residual": "naive: means of frames, noise as lines leave it",
    "least-squares": "no prior",
}

_WAYS = {
    "least-squares": "no prior: counts and their covariance",
    "least-squares-verb": "no prior, by the verbs: OSEM, `patlak --method wls`",
    "likelihood": "way 1: counts and their covariance, prior once",
    "likelihood-verb": "way 1 by the verbs: OSEM, `patlak --method gibbs`",
    "draws": "way 2: draws of each frame, least squares of each set",
    "naive-sd": "naive: mean of draws, their SD as noise, prior again",
    "naive-verb": "naive by the verb: mean of draws, `patlak --method gibbs`",
    "naive-least-squares": "mean of draws, `patlak --method wls`: the prior once, by frame",
}


def gaussian_table(result: Mapping[str, Any]) -> str:
    """Return a result of the part `gaussian`."""
    lines = opening("From raw data to Ki: chains in closed form", result)
    lines += [
        f"{result['width']} x {result['width']} voxels, {result['frames']} frames of"
        f" {result['lines']} lines, Gaussian noise; Ki and V0 are drawn from the prior (SD 1)."
        " Coverage [%] of 50 % and 90 % intervals of Ki, in closed form and, in brackets, counted"
        f" over {result['studies']} draws; SD that is stated and RMSE that is so, means over voxels"
        " and over regions of 4 x 4 voxels.",
        "",
        "| chain | Ki of | 50 % | 90 % | SD stated | RMSE |",
        "|---" * 6 + "|",
    ]
    for row in result["rows"]:
        held = [
            f"{100 * known:.1f} ({100 * counted:.1f})"
            for known, counted in zip(row["held"], row["counted"], strict=True)
        ]
        lines.append(
            f"| {_CHAINS[row['chain']]} | {row['kind']} | {held[0]} | {held[1]} |"
            f" {row['sd']:.3f} | {row['error']:.3f} |"
        )
    return "\n".join([*lines, ""])


def heads_table(result: Mapping[str, Any]) -> str:
    """Return a result of the part `heads`."""
    plan = result["plan"]
    lines = opening("From raw counts of heads to Ki", result)
    how = plan["how"]
    judged, known = (_seeds(result[name]) for name in ("judged", "calibration"))
    lines += [
        f"{len(result['judged'])} heads ({judged}), one slice of 24 x 28 voxels of 8 mm,"
        f" {plan['frames']} frames of FDG from 30 to 60 min, {plan['prompts']:,.0f} prompts in all;"
        f" {result['voxels']:.0f} voxels of the brain and {result['regions']:.1f} regions a head."
        f" Prior: brain2d-coarse, which saw none of them; {how['chains']} chains of {how['burn']}"
        f" steps and {how['draws']} draws, {how['thin']} steps each."
        f" True Ki is {1e3 * result['mean']:.1f} in"
        " the mean. Lengths in 1e-3 mL/cm3/min. Counts are drawn from a projection on the same"
        " voxels. Coverage [%], with its standard error over heads, of the mean and a normal"
        " quantile times the SD that the way states.",
        "",
        "| way | Ki of | 50 % | 90 % | width of 90 % | RMSE | RMSE over SD | bias |",
        "|---" * 8 + "|",
    ]
    for row in result["rows"]:
        held = _held(row)
        lines.append(
            f"| {_WAYS[row['way']]} | {row['kind']} | {held[0]} | {held[1]} |"
            f" {1e3 * row['width']:.2f} | {1e3 * row['rmse']:.2f} | {row['ratio']:.2f} |"
            f" {1e3 * row['bias']:+.2f} +- {1e3 * row['bias_se']:.2f} |"
        )
    if any("calibrated" in row for row in result["rows"]):
        lines += [
            "",
            f"The same with SDs times a conformal factor of each way and level, from"
            f" {len(result['calibration'])} other heads ({known}); the factor is that of 90 %.",
            "",
            "| way | Ki of | 50 % | 90 % | factor | width of 90 % |",
            "|---" * 6 + "|",
        ]
        for row in result["rows"]:
            own = row["calibrated"]
            held = _held(own)
            lines.append(
                f"| {_WAYS[row['way']]} | {row['kind']} | {held[0]} | {held[1]} |"
                f" {own['factor']:.2f} | {1e3 * own['width']:.2f} |"
            )
    return "\n".join([*lines, ""])


def part_table(part: str, result: Mapping[str, Any]) -> str:
    """Return the result of a part, by its name."""
    return {"gaussian": gaussian_table, "heads": heads_table}[part](result)


def _held(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{100 * share:.1f} +- {100 * se:.1f}"
        for share, se in zip(row["held"], row["held_se"], strict=True)
    ]


def _seeds(seeds: list[int]) -> str:
    return f"seeds {seeds[0]} to {seeds[-1]}" if seeds else "none"
