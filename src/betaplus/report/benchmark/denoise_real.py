"""Figures of `betaplus benchmark denoise --part real`: slices before and after."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.result_files import read_arrays, result_file
from betaplus.report.benchmark.figure_files import write_figure

__all__ = ["real_figures"]

_COLUMNS = ("reference", "noisy", "gaussian", "nlm", "mmse")
_NAME = "denoise_real"


def real_figures(folder: Path) -> list[Path]:
    """Draw a figure for each kind of image and noise; return their paths, none without images.

    The last two columns are what `mmse` took away, and what it is away from the reference.

    Args:
        folder: Where `betaplus.pipeline.benchmark.denoise.real.run.benchmark_real` wrote.

    Raises:
        OutputError: If a figure cannot be written.
    """
    images = read_arrays(result_file(folder, _NAME, "npz"))
    groups: dict[tuple[str, str], list[str]] = {}
    for name in images:
        group, number, case, method = name.split("|")
        if method == "reference":
            groups.setdefault((group, number), []).append(case)
    paths = []
    for (group, number), cases in groups.items():
        figure = _figure(images, group, number, cases)
        name = "".join(c if c.isalnum() else "-" for c in f"{group}-{number}".lower())
        path = result_file(folder, f"{_NAME}_{name}", "png")
        write_figure(path, figure)
        paths.append(path)
    return paths


def _figure(images: Mapping[str, np.ndarray], group: str, number: str, cases: list[str]) -> Any:
    from matplotlib.figure import Figure

    titles = (*_COLUMNS, "noisy - mmse", "mmse - reference")
    figure = Figure(figsize=(2.1 * len(titles), 2.3 * len(cases) + 0.4), layout="constrained")
    grid = figure.subplots(len(cases), len(titles), squeeze=False)
    for line, case in zip(grid, cases, strict=True):
        found = {m: images[f"{group}|{number}|{case}|{m}"] for m in _COLUMNS}
        reference, noisy, mmse = found["reference"], found["noisy"], found["mmse"]
        top = float(np.quantile(reference[reference > 0.1], 0.99)) or 1.0
        apart = float(np.quantile(np.abs(noisy - reference), 0.99)) or 1.0
        shown = [*found.values(), noisy - mmse, mmse - reference]
        for n, (axes, image, title) in enumerate(zip(line, shown, titles, strict=True)):
            signed = n >= len(_COLUMNS)
            axes.imshow(
                image.T,
                origin="lower",
                cmap="RdBu_r" if signed else "gray_r",
                vmin=-apart if signed else 0.0,
                vmax=apart if signed else top,
                interpolation="nearest",
            )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(title, fontsize=8)
        line[0].set_ylabel(f"{case} (0 to {top:.1f} SUV)", fontsize=7)
    figure.suptitle(f"{group}, noise {float(number):g}", fontsize=9)
    return figure
