"""What the comparison of methods has to show, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from betaplus.pipeline.benchmark.kinetics.cases import QUANTITIES

__all__ = ["judged"]

_CONSISTENCY, _WEIGHED = "consistency, raw", "consistency, re-weighted"
_PUBLISHED, _FLOW = "consistency-published", "flow, re-weighted"


def judged(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return ``limit``, ``found`` and ``meets`` of each statement that can be judged."""
    rows = {row["label"]: row for row in result["rows"] if "skipped" not in row}
    same = {row["label"]: row for row in result["same_curves"] if "skipped" not in row}
    out = [
        *_agreement(result),
        *_accuracy(rows),
        *_coverage(result["coverage"]["methods"]),
        *_rivals(rows, same, result),
        *_flow(rows, result["coverage"]["methods"]),
        *_shifts(result["shifts"]),
    ]
    return [{"limit": limit, "found": found, "meets": bool(meets)} for limit, found, meets in out]


_Statement = tuple[str, str, bool]


def _agreement(result: Mapping[str, Any]) -> Iterator[_Statement]:
    if "nuts" in result:
        found = result["nuts"]["accuracy"]["all"]
        yield (
            "large exact sets and NUTS agree: mean within .05 SD, SD within 5 % (medians)",
            f"{found['error']:.3f} SD, {100 * found['uncertainty']:.1f} %",
            found["error"] <= 0.05 and found["uncertainty"] <= 0.05,
        )


def _accuracy(rows: Mapping[str, Any]) -> Iterator[_Statement]:
    for label, most, low, high in (
        (_CONSISTENCY, 0.10, 0.95, 1.05),
        (_WEIGHED, 0.05, 0.97, 1.03),
    ):
        if label in rows:
            error, ratios = _extremes(rows[label]["accuracy"])
            yield (
                f"{label}: median error of every mean at most {most:g} SD, SD ratio {low:g} to"
                f" {high:g}",
                f"at most {error:.3f}, {ratios[0]:.3f} to {ratios[1]:.3f}",
                error <= most and low <= ratios[0] and ratios[1] <= high,
            )
    if _WEIGHED in rows:
        share = rows[_WEIGHED]["handed_over"]
        yield (
            f"{_WEIGHED}: at most a fifth of the curves would be handed to refinement",
            f"{100 * share:.1f} %",
            share <= 0.2,
        )


def _coverage(methods: Mapping[str, Any]) -> Iterator[_Statement]:
    for label in (_CONSISTENCY, _WEIGHED, f"{_FLOW}, ESS at least 5 %"):
        if label in methods:
            ends = {name: part["ends"] for name, part in methods[label].items() if part["count"]}
            yield (
                f"{label}: 90 % intervals of every quantity hold .88 to .92 of the truth, in all"
                " and by noise level",
                ", ".join(f"{name}: {low:.3f} to {high:.3f}" for name, (low, high) in ends.items()),
                all(low >= 0.88 and high <= 0.92 for low, high in ends.values()),
            )


def _rivals(
    rows: Mapping[str, Any], same: Mapping[str, Any], result: Mapping[str, Any]
) -> Iterator[_Statement]:
    equal, network = result["equal"], result["network"]
    for row in () if "skipped" in equal else equal["consistency"]:
        label = f"{row['draws']} draws, {1e3 * row['seconds']:.1f} ms a curve"
        yield (
            f"uncertainty error at least 50 % below abc's at equal time ({label})",
            f"{100 * row['gain']:.0f} %",
            row["gain"] >= 0.5,
        )
        slower = row["slower"]
        yield (
            f"abc takes at least 3 times as long to equal uncertainty error ({label})",
            f"{slower['times']:.3g} times" if slower["reached"]
            else f"not reached at {slower['times']:.3g} times",
            slower["times"] >= 3.0,
        )  # fmt: skip
    if "skipped" not in network and "ddpm" in rows and _CONSISTENCY in same:
        times = network["methods"]["ddpm"]["times"]
        mine, its = (r["accuracy"]["all"] for r in (same[_CONSISTENCY], rows["ddpm"]))
        yield (
            "network time at least 100 times below ddpm's at equal or better error (same curves)",
            f"{times:.0f} times; error {mine['error']:.3f} to {its['error']:.3f}, SDs"
            f" {100 * mine['uncertainty']:.1f} to {100 * its['uncertainty']:.1f} %",
            times >= 100 and mine["error"] <= its["error"],
        )
    if _PUBLISHED in rows and _CONSISTENCY in rows:
        mine, its = rows[_CONSISTENCY], rows[_PUBLISHED]
        wins = [
            mine["accuracy"][name][key] < its["accuracy"][name][key]
            for name in (*QUANTITIES, "all")
            for key in ("error", "uncertainty")
        ] + [mine["sliced"] < its["sliced"]]
        yield (
            "consistency, raw, beats consistency-published on every accuracy column",
            f"{sum(wins)} of {len(wins)}",
            all(wins),
        )


def _flow(rows: Mapping[str, Any], methods: Mapping[str, Any]) -> Iterator[_Statement]:
    if _FLOW in rows:
        share = rows[_FLOW]["ess_share"]
        yield (
            "flow: median effective sample size at least 20 % of the draws",
            f"{100 * share:.0f} %",
            share >= 0.2,
        )
    gated = methods.get(f"{_FLOW}, ESS at least 5 %")
    if gated:
        shares = ", ".join(f"{name} {100 * part['share']:.0f} %" for name, part in gated.items())
        yield "flow: share of curves kept by the gate is reported", shares, True


def _shifts(shifts: Any) -> Iterator[_Statement]:
    for shift in () if "skipped" in shifts else shifts:
        for label, part in shift["found"].items():
            error, ratios = _extremes(part["accuracy"])
            low, high = part["coverage"]["ends"]
            yield (
                f"shift ({shift['name']}), {label}: error at most .125 SD, ratio .93 to 1.07,"
                " coverage .87 to .93",
                f"{error:.3f}, {ratios[0]:.3f} to {ratios[1]:.3f}, {low:.3f} to {high:.3f}",
                error <= 0.125
                and ratios[0] >= 0.93
                and ratios[1] <= 1.07
                and low >= 0.87
                and high <= 0.93,
            )


def _extremes(accuracy: Mapping[str, Any]) -> tuple[float, tuple[float, float]]:
    """Largest median error of a quantity, least and largest median SD ratio."""
    ratios = [accuracy[name]["ratio"] for name in QUANTITIES]
    return max(accuracy[name]["error"] for name in QUANTITIES), (min(ratios), max(ratios))
