"""Curves in the report of `betaplus benchmark denoise`: gain, recovery against noise, spheres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.denoise.recovery.table import recovery_curve
from betaplus.pipeline.benchmark.rows import select
from betaplus.pipeline.benchmark.wording import dose_name
from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["gain_figure", "nema_figure", "recovery_figure"]

_COLOURS = {
    "noisy": "#5b666d", "gaussian": "#56B4E9", "best gaussian": "#56B4E9", "nlm": "#d08a1d",
    "best nlm": "#d08a1d", "mmse": "#b2402f", "without noise": "#1d2327",
}  # fmt: skip


def gain_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture:
    """Return PSNR over the noisy image against dose, a panel a group."""
    from matplotlib.figure import Figure

    groups = result["groups"]
    fractions = [1.0 / dose for dose in result["doses"]]
    with style():
        figure = Figure(figsize=(2.6 * len(groups) + 0.6, 2.9), layout="constrained")
        panels = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
        for axes, group in zip(panels, groups, strict=True):
            for method in ("gaussian", "best gaussian", "nlm", "best nlm", "mmse"):
                gains = [_gain(result["rows"], group, dose, method) for dose in result["doses"]]
                axes.semilogx(
                    fractions, gains, color=_COLOURS[method], marker="o", markersize=3,
                    linestyle="--" if method.startswith("best") else "-", label=method,
                )  # fmt: skip
            axes.set_title(group)
            axes.set_xlabel("dose reduction factor")
            axes.set_xticks(fractions, [f"{f:.0f}" for f in fractions])
            axes.minorticks_off()
        panels[0].set_ylabel("PSNR over the noisy image [dB]")
        panels[0].legend()
        caption = "Gain in PSNR in the body; best: with the strength best for the very image"
        return picture(figure, "png", caption, caption)


def _gain(rows: Any, group: str, dose: float, method: str) -> float:
    found = [
        [row["psnr"] for row in select(rows, group=group, dose=dose, method=name)]
        for name in (method, "noisy")
    ]
    return float(np.mean(found[0]) - np.mean(found[1]))


def recovery_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture:
    """Return recovery of lesions against noise in the liver, a panel a dose."""
    from matplotlib.figure import Figure

    doses = result["doses"]
    with style():
        figure = Figure(figsize=(3.0 * len(doses) + 0.6, 3.0), layout="constrained")
        panels = figure.subplots(1, len(doses), squeeze=False, sharey=True)[0]
        for axes, dose in zip(panels, doses, strict=True):
            for method in ("gaussian", "nlm", "mmse"):
                curve = recovery_curve(result, dose, method)
                axes.plot(
                    curve.noise, curve.recovery, color=_COLOURS[method], marker=".", label=method
                )
                if method == "mmse":
                    axes.plot(curve.noise[-1], curve.recovery[-1], "o", color=_COLOURS[method])
                    axes.plot(
                        curve.noise[0], curve.recovery[0], "s", color=_COLOURS["noisy"],
                        label="noisy",
                    )  # fmt: skip
            axes.plot(
                result["limit_noise"], result["limit"], "*", markersize=9,
                color=_COLOURS["without noise"], label="without noise",
            )  # fmt: skip
            axes.set_title(dose_name(dose))
            axes.set_xlabel("noise in the liver, COV [%]")
        panels[0].set_ylabel("contrast recovery of lesions [%]")
        panels[-1].legend()
        caption = "Filters over their strength, the network over the share of its correction"
        return picture(figure, "png", caption, caption)


def nema_figure(result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> Picture:
    """Return recovery and variability against the diameter of the sphere, a column a dose."""
    from matplotlib.figure import Figure

    doses, diameters = result["doses"], result["diameters"]
    with style():
        figure = Figure(figsize=(2.8 * len(doses) + 0.6, 4.6), layout="constrained")
        grid = figure.subplots(2, len(doses), squeeze=False, sharey="row", sharex=True)
        for column, dose in zip(grid.T, doses, strict=True):
            for row in result["rows"]:
                if row["dose"] not in (None, dose):
                    continue
                line = {"color": _COLOURS[row["method"]], "label": row["method"], "marker": "."}
                for axes, name in zip(column, ("recovery", "variability"), strict=True):
                    if name == "recovery" or row["dose"] is not None:
                        axes.plot(diameters, row[name], **line)
            column[0].set_title(dose_name(dose))
            column[0].axhline(100.0, color="#d5d3cc", linewidth=0.7)
            column[1].set_xlabel("sphere [mm]")
            column[1].set_ylim(bottom=0.0)
        grid[0, 0].set_ylabel("contrast recovery [%]")
        grid[1, 0].set_ylabel("background variability [%]")
        grid[0, 0].legend()
        caption = "Image quality phantom, means over noise draws"
        return picture(figure, "png", caption, caption)
