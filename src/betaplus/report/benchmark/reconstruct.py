"""Figures of `betaplus benchmark reconstruct`: images side by side, bias against SD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.result_files import read_arrays, result_file
from betaplus.report.benchmark.figure_files import write_figure

__all__ = ["reconstruct_figures"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")
_MARKS = ("o", "s", "^", "v", "D", "P", "X")
_SPREAD = ("mean of ", "variation of ")


def reconstruct_figures(folder: Path, result: Mapping[str, Any]) -> list[Path]:
    """Draw the figures of a result into its folder; return their paths.

    Args:
        folder: Where `benchmark_reconstruct` wrote its images.
        result: What it returned.

    Raises:
        OutputError: If a figure cannot be written.
    """
    paths = []
    images = read_arrays(result_file(folder, "reconstruct_images", "npz"))
    small = {n: image for n, image in images.items() if not n.startswith(("mMR ", *_SPREAD))}
    full = {name[4:]: image for name, image in images.items() if name.startswith("mMR ")}
    for label, group in (("teaching", small), ("mMR", full)):
        if group:
            path = result_file(folder, f"reconstruct_{label}", "png")
            _pictures(path, group)
            paths.append(path)
    drawn = [name for name in result["spread"] if f"mean of {name}" in images]
    if drawn:
        path = result_file(folder, "reconstruct_spread", "png")
        _spread(path, images, drawn, result["spread"][drawn[0]]["seeds"])
        paths.append(path)
    path = result_file(folder, "reconstruct_bias", "png")
    _bias(path, result["bias_variance"])
    return [*paths, path]


def _pictures(path: Path, images: Mapping[str, np.ndarray]) -> None:
    """Draw the middle slice of each image, and its difference from the truth."""
    from matplotlib.figure import Figure

    truth = images["truth"]
    names = ["truth", *(name for name in images if name != "truth")]
    weight = truth.sum((0, 1))
    z = int(np.argmax(np.cumsum(weight) >= 0.5 * weight.sum()))
    inside = np.argwhere(truth[..., z] > 0.0)
    (x0, y0), (x1, y1) = inside.min(0), inside.max(0) + 1
    top = float(np.quantile(truth[..., z][truth[..., z] > 0.0], 0.995))
    figure = Figure(figsize=(2.6 * len(names), 5.6), layout="constrained")
    grid = figure.subplots(2, len(names), squeeze=False)
    for n, name in enumerate(names):
        # x runs to the left of the patient: turned, so that left is left
        part = images[name][x0:x1, y0:y1, z][::-1].T
        shown = grid[0][n].imshow(part, cmap="inferno", vmin=0.0, vmax=top)
        grid[0][n].set_title(name, fontsize=10)
        if name == "truth":
            grid[1][n].set_visible(False)
        else:
            error = part - truth[x0:x1, y0:y1, z][::-1].T
            other = grid[1][n].imshow(error, cmap="RdBu_r", vmin=-0.4 * top, vmax=0.4 * top)
        for axes in grid[:, n]:
            axes.set_axis_off()
    figure.colorbar(shown, ax=grid[0], shrink=0.8, label="activity [counts]")
    figure.colorbar(other, ax=grid[1], shrink=0.8, label="image \u2212 truth")
    write_figure(path, figure)


def _spread(path: Path, images: Mapping[str, np.ndarray], names: Sequence[str], seeds: int) -> None:
    """Draw the middle slice of the mean of draws, and their coefficient of variation."""
    from matplotlib.figure import Figure

    truth = images["truth"]
    z = truth.shape[2] // 2
    inside = np.argwhere(truth[..., z] > 0.0)
    (x0, y0), (x1, y1) = inside.min(0), inside.max(0) + 1
    top = float(np.quantile(truth[..., z][truth[..., z] > 0.0], 0.995))
    figure = Figure(figsize=(2.8 * len(names) + 1.0, 5.8), layout="constrained")
    grid = figure.subplots(2, len(names), squeeze=False)
    for n, name in enumerate(names):
        mean, share = (images[f"{what}{name}"][x0:x1, y0:y1, z][::-1].T for what in _SPREAD)
        shown = grid[0][n].imshow(mean, cmap="inferno", vmin=0.0, vmax=top)
        head = truth[x0:x1, y0:y1, z][::-1].T > 0.0
        other = grid[1][n].imshow(np.where(head, share, np.nan), cmap="viridis", vmin=0.0, vmax=0.4)
        grid[0][n].set_title(f"{name}, {seeds} seeds", fontsize=10)
        for axes in grid[:, n]:
            axes.set_axis_off()
    figure.colorbar(shown, ax=grid[0], shrink=0.8, label="mean [counts]")
    figure.colorbar(other, ax=grid[1], shrink=0.8, label="coefficient of variation")
    write_figure(path, figure)


def _bias(path: Path, found: Mapping[str, Any]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for (name, rows), colour, mark in zip(found["methods"].items(), _COLOURS, _MARKS, strict=False):
        sd = [row["sd"] for row in rows["rows"]]
        bias = [row["bias"] for row in rows["rows"]]
        axes.plot(sd, bias, color=colour, marker=mark, label=f"{name}, by {rows['swept']}")
        for row in rows["rows"][:: max(1, len(rows["rows"]) - 1)]:
            axes.annotate(
                f"{row['value']:g}", (row["sd"], row["bias"]), textcoords="offset points",
                xytext=(4, 4), fontsize=8, color=colour,
            )  # fmt: skip
    axes.set_xlabel("SD [%]")
    axes.set_ylabel("bias [%]")
    axes.set_title(f"{found['realisations']} realisations, 1 % of the counts", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    write_figure(path, figure, dpi=120)
