"""The demo's regions and voxels by the exact method and by networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from betaplus.core.posterior import STATUS
from betaplus.core.units import PARAMETER_UNITS
from betaplus.pipeline.demo.methods import SideBySide
from betaplus.report.elements import Html, format_number, format_unit, table
from betaplus.report.figures.canvas import COLOURS, Picture, picture, style

__all__ = ["METHODS_NOTE", "methods_side_by_side", "standard_intervals"]

METHODS_NOTE = (
    "The mean curve of each region, and one voxel in it, by the exact method and by two networks"
    " that were trained on its draws: the consistency model and the flow, each with the importance"
    " weights of the exact posterior. Where the weights fail a curve is handed to the exact method"
    " and its status is refined."
)
_NAME = "Ki"
_REACH = 4.0  # SD: as far as the panels go
_COLOURS = ("ink", "blue", "amber")
_KINDS = ("mean curve of the region", "a voxel of it")


def methods_side_by_side(found: SideBySide) -> Iterator[Picture | Html]:
    """Yield the picture, the agreement of each method with the first, and Ki of the regions."""
    yield standard_intervals(found)
    yield _agreement(found)
    yield _regions(found)


def standard_intervals(found: SideBySide) -> Picture:
    """Return the 90 % interval of Ki by each method, in posterior SD of the first around its mean.

    A panel of mean curves and one of voxels; the truth as a tick, left out where it lies further
    than the panel goes.
    """
    from matplotlib.figure import Figure

    regions, n = found.regions, len(found.regions)
    height = 1.15 + 0.27 * n
    with style():
        figure = Figure(figsize=(8.8, height))
        grid = figure.add_gridspec(
            1, 2, left=0.17, right=0.985, top=1 - 0.3 / height, bottom=0.78 / height, wspace=0.06
        )
        for panel, kind in enumerate(_KINDS):
            axes = figure.add_subplot(grid[0, panel])
            _rows(axes, found, slice(panel * n, (panel + 1) * n))
            axes.set_title(kind, weight="bold")
            axes.set_yticks(range(n), regions if panel == 0 else [""] * n)
            axes.set_xlabel(f"({_NAME} - mean of exact) / SD of exact")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=len(labels))
        return picture(figure, "svg", f"{_NAME} of regions and voxels by each method, with truth")


def _rows(axes: Any, found: SideBySide, part: slice) -> None:
    posteriors = {method: r.posterior[_NAME] for method, r in found.results.items()}
    first = next(iter(posteriors.values()))
    centre, scale = first.mean[part], first.std[part]
    rows = np.arange(centre.size)
    for r in rows[::2]:
        axes.axhspan(r - 0.5, r + 0.5, color=COLOURS["line"], alpha=0.25, lw=0)
    shift = np.linspace(-0.24, 0.24, len(posteriors))
    for (method, marginal), colour, dy in zip(posteriors.items(), _COLOURS, shift, strict=True):
        low, middle, high = (
            (np.asarray(marginal.quantiles[q])[part] - centre) / scale for q in (0.05, 0.5, 0.95)
        )
        axes.hlines(rows + dy, low, high, color=COLOURS[colour], lw=1.6)
        axes.plot(middle, rows + dy, "o", color=COLOURS[colour], ms=3, label=f"{method}, 90 %")
    truth = (found.truth[_NAME][part] - centre) / scale
    near = np.abs(truth) < _REACH
    axes.plot(
        truth[near], rows[near], "|", color=COLOURS["red"], ms=13, mew=1.5, label="truth", zorder=4
    )
    axes.set(xlim=(-_REACH, _REACH), ylim=(rows.size - 0.4, -0.6), xticks=range(-3, 4))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _agreement(found: SideBySide) -> Html:
    """How far each method's means and SDs are from the first's, over parameters and curves."""
    n, first = len(found.regions), next(iter(found.results.values())).posterior
    rows = []
    for method, result in found.results.items():
        posterior = result.posterior
        status = np.asarray(posterior.diagnostics["status"])
        for part, kind in ((slice(0, n), "regions"), (slice(n, None), "voxels")):
            off, ratio, held = [], [], []
            for name, true in found.truth.items():
                mine, other = posterior[name], first[name]
                scale = np.asarray(other.std)[part]
                off.append(np.abs(mine.mean[part] - other.mean[part]) / scale)
                ratio.append(np.asarray(mine.std)[part] / scale)
                low, high = (np.asarray(mine.quantiles[q])[part] for q in (0.05, 0.95))
                held.append((low <= true[part]) & (true[part] <= high))
            counts = {STATUS[code]: int((status[part] == code).sum()) for code in (1, 2, 3, 4)}
            rows.append([
                f"{method}, {kind}",
                f"{np.median(off):.3f}",
                f"{np.median(ratio):.3f}",
                f"{100 * np.mean(held):.0f} %",
                ", ".join(f"{count} {name}" for name, count in counts.items() if count),
            ])  # fmt: skip
    header = ["method", "mean off [SD]", "SD ratio", "truth in the 90 % interval", "status"]
    names = ", ".join(found.truth)
    caption = f"Medians over the curves and {names}, against exact; {n} curves of each kind."
    return table(header, rows, caption=caption)


def _regions(found: SideBySide) -> Html:
    unit = format_unit(PARAMETER_UNITS[_NAME])
    rows = []
    for i, region in enumerate(found.regions):
        row: list[object] = [region, format_number(found.truth[_NAME][i])]
        for result in found.results.values():
            q = result.posterior[_NAME].quantiles
            low, middle, high = (format_number(np.asarray(q[v])[i]) for v in (0.05, 0.5, 0.95))
            row.append(f"{middle} ({low} to {high})")
        rows.append(row)
    header = ["region", "truth", *(f"{m}: median (5 to 95 %)" for m in found.results)]
    return table(header, rows, caption=f"{_NAME} [{unit}] of each region's mean curve.", dense=True)
