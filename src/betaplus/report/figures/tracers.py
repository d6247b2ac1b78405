"""Real tracers: two estimates of VT against each other, repeated scans, a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["agreement_panel", "pairs_panel"]

_BAND = 0.10


def agreement_panel(rows: Sequence[Mapping[str, Any]], name: str) -> Picture:
    """Return Logan's VT against that of 2TCM, and their difference against its uncertainty.

    Args:
        rows: Curves with ``VT``, ``VT_sd``, ``logan`` and ``status``.
        name: Name of the tracer.
    """
    from matplotlib.figure import Figure

    VT, sd, logan = (np.array([row[k] for row in rows]) for k in ("VT", "VT_sd", "logan"))
    misfit = np.array([row["status"] == "misfit" for row in rows])
    with style():
        figure = Figure(figsize=(8.0, 3.3))
        left, right = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.075, right=0.985, top=0.9, bottom=0.15, wspace=0.24)
        low, high = 0.9 * min(VT.min(), logan.min()), 1.08 * max(VT.max(), logan.max())
        line = np.array([low, high])
        left.fill_between(line, (1 - _BAND) * line, (1 + _BAND) * line, color="0.93", lw=0)
        left.plot(line, line, color=COLOURS["soft"], lw=0.8)
        for axes, x, y in ((left, VT, logan), (right, 100 * sd / VT, 100 * (logan / VT - 1))):
            axes.plot(x[~misfit], y[~misfit], "o", ms=3, mew=0, color=COLOURS["blue"], alpha=0.7)
            axes.plot(
                x[misfit], y[misfit], "o", ms=3, mew=0.6, mfc="none", mec=COLOURS["red"], alpha=0.8
            )
        left.set(xlim=(low, high), ylim=(low, high), xscale="log", yscale="log")
        ticks = [v for v in (0.5, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30) if low <= v <= high]
        left.set_xticks(ticks)
        left.set_yticks(ticks)
        left.set_xlabel("VT, 2TCM [mL/cm3]")
        left.set_ylabel("VT, Logan [mL/cm3]")
        left.set_title(f"[11C]{name}, {len(rows)} curves", loc="left", color=COLOURS["soft"])
        right.axhspan(-100 * _BAND, 100 * _BAND, color="0.93", lw=0)
        right.axhline(0, color=COLOURS["soft"], lw=0.8)
        right.set(xscale="log", ylim=_reach(100 * (logan / VT - 1)))
        right.set_xlabel("posterior SD of VT [%]")
        right.set_ylabel("Logan over 2TCM - 1 [%]")
        right.set_title("difference where VT is known", loc="left", color=COLOURS["soft"])
        for axis in (left.xaxis, left.yaxis, right.xaxis, right.yaxis):
            plain_numbers(axis)
        caption = "Grey: within 10 %. Open red points: status misfit."
        return picture(figure, "svg", f"VT of {name} by two methods", caption)


def pairs_panel(
    rows: Sequence[Mapping[str, Any]], sessions: tuple[str, str], name: str
) -> Picture | None:
    """Return VT of two scans of every subject, region by region, or None where there are no pairs.

    Args:
        rows: Curves with ``subject``, ``session``, ``region``, ``VT``, ``VT_q05``, ``VT_q95``.
        sessions: Names of the first and the second scan.
        name: Name of the tracer.
    """
    from matplotlib.figure import Figure

    found = {(r["subject"], r["session"], r["region"]): r for r in rows}
    regions = list(dict.fromkeys(r["region"] for r in rows))
    subjects = [
        s
        for s in dict.fromkeys(r["subject"] for r in rows)
        if all((s, session, regions[0]) in found for session in sessions)
    ]
    if not subjects:
        return None
    with style():
        figure = Figure(figsize=(8.0, 3.1))
        axes = figure.subplots()
        figure.subplots_adjust(left=0.07, right=0.985, top=0.9, bottom=0.27)
        step = 0.8 / len(subjects)
        for j, region in enumerate(regions):
            for i, subject in enumerate(subjects):
                x = j - 0.4 + (i + 0.5) * step
                pair = [found[subject, session, region] for session in sessions]
                ends = [row["VT"] for row in pair]
                axes.plot([x, x], ends, color=COLOURS["soft"], lw=0.7, zorder=1)
                for row, colour in zip(pair, (COLOURS["blue"], COLOURS["red"]), strict=True):
                    axes.plot(
                        [x, x], [row["VT_q05"], row["VT_q95"]], color=colour, lw=2.4, alpha=0.3
                    )
                    axes.plot(x, row["VT"], "o", ms=3, mew=0, color=colour)
        axes.set_xticks(range(len(regions)), regions, rotation=30, ha="right")
        axes.set_xlim(-0.6, len(regions) - 0.4)
        values = [r["VT"] for r in rows if r["subject"] in subjects and r["session"] in sessions]
        axes.set_ylim(0, 1.25 * max(values))
        axes.set_ylabel("VT [mL/cm3]")
        axes.set_title(
            f"[11C]{name}: {sessions[0]} (blue) and {sessions[1]} (red)",
            loc="left",
            color=COLOURS["soft"],
        )
        plain_numbers(axes.yaxis)
        caption = "A line a subject: posterior medians and 90 % intervals of 2TCM."
        return picture(figure, "svg", f"VT of {name}, scans in pairs", caption)


def _reach(values: np.ndarray) -> tuple[float, float]:
    reach = max(15.0, 1.1 * float(np.quantile(np.abs(values), 0.99)))
    return -reach, reach
