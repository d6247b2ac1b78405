"""Figures of `betaplus benchmark prior`: denoised images, samples, spectra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.result_files import read_arrays, result_file
from betaplus.report.benchmark.figure_files import write_figure

__all__ = ["prior_figures"]

_COLUMNS = 8


def prior_figures(folder: Path, result: Mapping[str, Any]) -> list[Path]:
    """Draw the figures of a result into its folder; return their paths.

    Args:
        folder: Where `benchmark_prior` wrote its images.
        result: What it returned.

    Raises:
        OutputError: If a figure cannot be written.
    """
    images = read_arrays(result_file(folder, "prior_images", "npz"))
    paths = []
    for prior in result["priors"]:
        own = {k.removeprefix(f"{prior} "): v for k, v in images.items() if k.startswith(prior)}
        for what, draw in (("denoised", _denoised), ("samples", _samples), ("spectrum", _spectrum)):
            path = result_file(folder, f"prior_{prior}_{what}", "png")
            write_figure(path, draw(own), dpi=90)
            paths.append(path)
    return paths


def _denoised(images: Mapping[str, np.ndarray]) -> Any:
    """One row an image: clean, noisy, denoised."""
    from matplotlib.figure import Figure

    cases = [name.partition("|")[0] for name in images if name.endswith("|clean")]
    rows = [(case, i) for case in cases for i in range(len(images[f"{case}|clean"]))]
    figure = Figure(figsize=(7.5, 2.3 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 3, squeeze=False)
    for line, (case, i) in zip(grid, rows, strict=True):
        top = float(np.quantile(images[f"{case}|clean"][i], 0.999))
        for axes, what in zip(line, ("clean", "noisy", "denoised"), strict=True):
            _show(axes, images[f"{case}|{what}"][i, 0], top)
            axes.set_title(f"{case}: {what}" if what == "clean" else what, fontsize=8)
    return figure


def _samples(images: Mapping[str, np.ndarray]) -> Any:
    """Images above, samples below."""
    from matplotlib.figure import Figure

    groups = [images["samples|images"], images["samples|samples"]]
    rows = [-(-min(len(group), 3 * _COLUMNS) // _COLUMNS) for group in groups]
    figure = Figure(figsize=(1.5 * _COLUMNS, 1.6 * sum(rows)), layout="constrained")
    grid = figure.subplots(sum(rows), _COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    first = 0
    for group, n, title in zip(groups, rows, ("images", "samples"), strict=True):
        top = float(np.quantile(groups[0], 0.998))
        for axes, image in zip(grid[first : first + n].flat, group, strict=False):
            _show(axes, image[0], top)
        grid[first, 0].set_title(title, fontsize=10, loc="left")
        first += n
    return figure


def _spectrum(images: Mapping[str, np.ndarray]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axes = figure.subplots()
    for what, colour in (("images", "black"), ("samples", "#D55E00")):
        frequency, power = images[f"spectrum|{what}"]
        axes.loglog(frequency, power, color=colour, label=what)
    axes.set_xlabel("frequency [cycles per voxel]")
    axes.set_ylabel("power")
    axes.legend(frameon=False)
    return figure


def _show(axes: Any, image: np.ndarray, top: float) -> None:
    """Show a slice, or the middle coronal slice of a volume, head up."""
    plane = image if image.ndim == 2 else image[:, image.shape[1] // 2]
    axes.imshow(plane.T, origin="lower", cmap="gray_r", vmin=0.0, vmax=top)
    axes.set_axis_off()
