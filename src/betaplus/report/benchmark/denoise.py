"""Figures of `betaplus benchmark denoise`: slices, and gain over dose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.io.atomic import atomic_path

__all__ = ["denoise_figures"]

_NAME = "benchmark_denoise"
_COLUMNS = ("noisy", "gaussian", "nlm", "mmse", "reference")
_COLOURS = {
    "gaussian": "#999999", "best gaussian": "#56B4E9", "nlm": "#E69F00", "mmse": "#D55E00",
}  # fmt: skip


def denoise_figures(folder: Path, result: Mapping[str, Any]) -> list[Path]:
    """Draw the figures of a result into its folder; return their paths.

    Args:
        folder: Where `benchmark_denoise` wrote its images.
        result: What it returned.

    Raises:
        OutputError: If a figure cannot be written.
    """
    with np.load(folder / f"{_NAME}_images.npz") as stored:
        images = {name: stored[name] for name in stored.files}
    paths = []
    drawn = {"images": _images(images, result) if images else None, "gain": _gain(result)}
    for what, figure in drawn.items():
        if figure is None:
            continue
        path = folder / f"{_NAME}_{what}.png"
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=100, format="png")
        paths.append(path)
    return paths


def _images(images: Mapping[str, np.ndarray], result: Mapping[str, Any]) -> Any:
    """One row a group: coronal slices at 1/20."""
    from matplotlib.figure import Figure

    groups = [name for name in result["groups"] if f"{name}|reference" in images]
    figure = Figure(figsize=(2.0 * len(_COLUMNS), 3.4 * len(groups)), layout="constrained")
    grid = figure.subplots(len(groups), len(_COLUMNS), squeeze=False)
    for line, group in zip(grid, groups, strict=True):
        reference = images[f"{group}|reference"]
        top = 1.2 * float(np.quantile(reference[reference > 0.1], 0.98))
        for axes, method in zip(line, _COLUMNS, strict=True):
            image = images[f"{group}|{method}"]
            axes.imshow(image.T, origin="lower", cmap="gray_r", vmin=0.0, vmax=top)
            axes.set_axis_off()
            title = f"{group}: {method}" if method == _COLUMNS[0] else method
            axes.set_title(title, fontsize=8)
    return figure


def _gain(result: Mapping[str, Any]) -> Any:
    """PSNR over the noisy image against dose, a panel a group."""
    from matplotlib.figure import Figure

    groups = result["groups"]
    figure = Figure(figsize=(3.2 * len(groups), 3.0), layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    fractions = [1.0 / dose for dose in result["doses"]]
    for axes, group in zip(panels, groups, strict=True):
        for method, colour in _COLOURS.items():
            gains = [_mean_gain(result["rows"], group, dose, method) for dose in result["doses"]]
            axes.semilogx(fractions, gains, color=colour, marker="o", markersize=3, label=method)
        axes.set_title(group, fontsize=9)
        axes.set_xlabel("dose reduction factor")
        axes.set_xticks(fractions, [f"{f:.0f}" for f in fractions])
        axes.minorticks_off()
    panels[0].set_ylabel("PSNR over the noisy image [dB]")
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def _mean_gain(rows: Any, group: str, dose: float, method: str) -> float:
    def found(name: str) -> list[float]:
        return [
            row["psnr"]
            for row in rows
            if row["group"] == group and row["dose"] == dose and row["method"] == name
        ]

    return float(np.mean(found(method)) - np.mean(found("noisy")))
