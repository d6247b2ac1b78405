"""The demo's pictures of `denoise`: a body with few counts, before and after."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.pipeline.demo.denoise import DOSE, Denoised
from betaplus.report.elements import Html, table
from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["DENOISE_NOTE", "denoise_images"]

DENOISE_NOTE = (
    f"FDG in a body that the network never saw, with 1/{1 / DOSE:.0f} of the counts, beside a"
    " Gaussian filter of the width that is best for this very image. Seen from the front: the left"
    " of the patient is on the right. Simulation."
)


def denoise_images(found: Denoised) -> Iterator[Picture | Html]:
    """Yield a row of images, and the errors."""
    yield _volumes(found)
    rows = [[name, f"{error:.3f}"] for name, error in found.rmse.items()]
    said = "nothing" if not found.findings else f"{found.findings} places"
    yield table(
        ["image", "error [SUV]"],
        rows,
        caption=(
            "Root mean square errors in the body. The guard against invention flagged"
            f" {said}; {found.seconds:.0f} s."
        ),
    )


def _volumes(found: Denoised) -> Picture:
    """The coronal slice with the most uptake of each volume."""
    from matplotlib.figure import Figure

    clean = found.volumes["no noise"]
    y = int(np.argmax(np.minimum(clean, 3.0).sum((0, 2))))
    top = float(np.quantile(clean[:, y][clean[:, y] > 0.1], 0.97))
    width, height = clean.shape[0], clean.shape[2]
    with style():
        figure = Figure(figsize=(10.5, 2.5 * height / width + 0.4), layout="constrained")
        row = figure.subplots(1, len(found.volumes))
        for axes, (name, volume) in zip(row, found.volumes.items(), strict=True):
            # Turned, so that the patient's left is on the right.
            front = volume[::-1, y].T
            shown = axes.imshow(front, origin="lower", cmap="gray_r", vmin=0.0, vmax=top)
            axes.set_title(name, weight="bold")
            axes.set_axis_off()
        figure.colorbar(shown, ax=row, shrink=0.6, label="SUV", extend="max")
        return picture(figure, "png", "A body with few counts, filtered, denoised, without noise")
