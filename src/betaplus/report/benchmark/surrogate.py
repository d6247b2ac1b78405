"""The figure of `betaplus benchmark surrogate`: OSEM above its surrogate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus.pipeline.benchmark.result_files import read_arrays, result_file
from betaplus.report.benchmark.figure_files import write_figure

__all__ = ["surrogate_figure"]

_ASPECT = 0.5  # of a coronal slice: 2 mm along the body by 4 mm across


def surrogate_figure(folder: Path) -> Path | None:
    """Draw the coronal slices that `benchmark_surrogate` wrote; None where it wrote none.

    Raises:
        OutputError: If the figure cannot be written.
    """
    from matplotlib.figure import Figure

    pictures = read_arrays(result_file(folder, "surrogate_images", "npz"))
    if not pictures:
        return None
    names = list(pictures)
    columns = len(names) // 2
    figure = Figure(figsize=(2.4 * columns, 4.6), layout="constrained")
    grid = figure.subplots(2, columns, squeeze=False)
    for n, name in enumerate(names):
        axes = grid[n % 2, n // 2]
        # x to the patient's left and z to the feet: turned, so that the head is above.
        top = float(np.quantile(pictures[names[n - n % 2]], 0.995))
        image = pictures[name][::-1].T
        axes.imshow(image, cmap="gray_r", vmin=0.0, vmax=top, aspect=_ASPECT)
        axes.set_title(name.replace(": ", "\n").replace(", dose", "\ndose"), fontsize=7)
        axes.set_axis_off()
    path = result_file(folder, "surrogate", "png")
    write_figure(path, figure)
    return path
