"""SD of one method over that of another at the same bias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["shared_bias", "tradeoff_lines"]

_POINTS = 101
_TARGET = 0.8

Rows = Sequence[Mapping[str, float]]


def shared_bias(own: Rows, other: Rows) -> dict[str, float] | None:
    """Return ``low`` and ``high`` of the bias that both have, and what lies between.

    ``ratio`` is the median of SD over SD, read by straight lines between strengths; ``least`` and
    ``largest`` its ends; ``share`` that of the range where it is at most .8. None where they share
    no bias.

    Args:
        own: Rows with ``bias`` and ``sd`` [%].
        other: Likewise.
    """
    if min(len(own), len(other)) < 2:
        return None
    curves = []
    for rows in (own, other):
        known = sorted((row["bias"], row["sd"]) for row in rows)
        curves.append(np.array(known).T)
    low = max(float(bias[0]) for bias, _ in curves)
    high = min(float(bias[-1]) for bias, _ in curves)
    if high <= low:
        return None
    at = np.linspace(low, high, _POINTS)
    ratio = np.interp(at, *curves[0]) / np.interp(at, *curves[1])
    return {
        "low": low, "high": high, "ratio": float(np.median(ratio)), "least": float(ratio.min()),
        "largest": float(ratio.max()), "share": float(np.mean(ratio <= _TARGET)),
    }  # fmt: skip


def tradeoff_lines(methods: Mapping[str, Mapping[str, object]], own: str) -> list[str]:
    """Return what a method has over each of the others as Markdown.

    Args:
        methods: Name to ``rows``.
        own: Name of the method.
    """
    rows: dict[str, Rows] = {name: found["rows"] for name, found in methods.items()}  # type: ignore[misc]
    lines = [""]
    for name, other in rows.items():
        if name == own:
            continue
        found = shared_bias(rows[own], other)
        if found is None:
            lines.append(f"- SD of {own} and of {name}: they share no bias.")
            continue
        lines.append(
            f"- SD of {own} over that of {name} at the same bias, {found['low']:.1f} to"
            f" {found['high']:.1f} %: {found['ratio']:.2f} in the median ({found['least']:.2f} to"
            f" {found['largest']:.2f}), at most .8 in {100 * found['share']:.0f} % of that range."
        )
    least = ", ".join(f"{n} {min(r['bias'] for r in one):.1f} %" for n, one in rows.items() if one)
    return [*lines, f"- Least bias: {least}."]
