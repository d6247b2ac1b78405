"""The demo's pictures of the priors: a head and a body denoised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.pipeline.demo.prior import NOISE, FromPriors, PriorShown
from betaplus.report.elements import Html, table
from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["PRIOR_NOTE", "prior_images"]

PRIOR_NOTE = (
    f"White noise of {NOISE:g} (mean uptakes for the head, SUV for the body) on a person whom the"
    " networks never saw, and what one pass of each takes away again, beside a Gaussian filter of"
    " the width that is best for this very image. Seen from the front: the left of the person is on"
    " the right. Simulation."
)


def prior_images(found: FromPriors) -> Iterator[Picture | Html]:
    """Yield a row of images for each prior, and the errors."""
    for shown in found.shown:
        yield _volumes(shown)
    rows = [
        [
            shown.name,
            f"{' x '.join(map(str, shown.volumes['truth'].shape))}, {shown.voxel:g} mm",
            *(f"{shown.rmse[key]:.3f}" for key in ("noisy", "Gaussian", "prior")),
            f"{20 * np.log10(shown.rmse['Gaussian'] / shown.rmse['prior']):.1f} dB",
            f"{shown.seconds:.1f} s",
        ]
        for shown in found.shown
    ]
    header: list[object] = ["prior", "volume", "error: noisy", "Gaussian", "prior", "gain", "time"]
    yield table(header, rows, caption="Root mean square errors over the whole volume.")


def _volumes(shown: PriorShown) -> Picture:
    """The middle coronal slice of each volume."""
    from matplotlib.figure import Figure

    truth = shown.volumes["truth"]
    y = truth.shape[1] // 2
    top = float(np.quantile(truth[:, y], 0.998))
    width, height = truth.shape[0], truth.shape[2]
    with style():
        figure = Figure(figsize=(10.5, 2.5 * height / width + 0.4), layout="constrained")
        row = figure.subplots(1, len(shown.volumes))
        for axes, (name, volume) in zip(row, shown.volumes.items(), strict=True):
            # Turned, so that the patient's left is on the right.
            front = volume[::-1, y].T
            drawn = axes.imshow(front, origin="lower", cmap="gray_r", vmin=0.0, vmax=top)
            axes.set_title(name, weight="bold")
            axes.set_axis_off()
        label = "SUV" if shown.what == "body" else "mean uptakes"
        figure.colorbar(drawn, ax=row, shrink=0.6, label=label, extend="max")
        return picture(figure, "png", f"A {shown.what} with noise, filtered, denoised")
