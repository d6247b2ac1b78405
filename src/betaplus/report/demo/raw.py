"""The demo's images from raw counts, beside the truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.pipeline.demo.raw import FromRaw
from betaplus.report.elements import Html, table
from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["RAW_NOTE", "raw_images"]

_ACROSS = 3  # images in a row

RAW_NOTE = (
    "A minute of such a scan on a small made-up scanner, as counts on lines of response, with"
    " attenuation, scatter and randoms; reconstructed by ordered subsets with a filter, by"
    " penalised likelihood with the relative difference prior, with a diffusion prior and steps"
    " towards the counts (dds, the mean of two draws), and by draws from what OSEM leaves open"
    " (conditional, the mean of six, and their SD). NRMSE, PSNR and SSIM are of the"
    " head, against the activity that was simulated on a finer grid; held is the share of its"
    " voxels whose truth lies where one more draw would with a probability of 90 %, so that an SD"
    " that is an error bar has 90 there. The left of the picture is the left of the head. One"
    " realisation."
)


def raw_images(found: FromRaw) -> Iterator[Picture | Html]:
    """Yield the middle slice of truth and images, and the errors of the images."""
    from matplotlib.figure import Figure

    images = {"truth": found.truth} | {
        name: np.asarray(result.image.data) for name, result in found.results.items()
    }
    if (sd := found.results["conditional"].sd) is not None:
        images["SD of conditional"] = np.asarray(sd).reshape(found.truth.shape)
    z = found.truth.shape[2] // 2
    inside = np.argwhere(found.truth[..., z] > 0.0)
    (x0, y0), (x1, y1) = inside.min(0), inside.max(0) + 1
    top = float(np.quantile(found.truth[..., z][found.truth[..., z] > 0.0], 0.995)) / 1e3
    with style():
        rows = -(-len(images) // _ACROSS)
        figure = Figure(figsize=(2.7 * _ACROSS + 0.8, 3.2 * rows), layout="constrained")
        places = figure.subplots(rows, _ACROSS, squeeze=False)
        for axes in places.flat[len(images) :]:
            axes.set_axis_off()
        for axes, (name, image) in zip(places.flat, images.items(), strict=False):
            # x runs to the left of the patient: turned, so that left is left
            part = image[x0:x1, y0:y1, z][::-1].T / 1e3
            shown = axes.imshow(part, cmap="inferno", vmin=0.0, vmax=top)
            axes.set_title(name, weight="bold")
            axes.set_axis_off()
        figure.colorbar(shown, ax=places, shrink=0.85, label="activity [kBq/mL]", extend="max")
        yield picture(figure, "png", "Truth and reconstructions of the middle slice")
    cells = []
    for name, values in found.measures.items():
        run = found.results[name].run
        cells.append(
            [
                name,
                f"{found.results[name].counts.sum():,.0f}",
                f"{values['NRMSE']:.1f} %",
                f"{values['PSNR']:.1f} dB",
                f"{values['SSIM']:.3f}",
                f"{100 * values['held']:.0f} %" if "held" in values else "",
                f"{run['timings_s']['reconstruct']:.1f} s",
            ]
        )
    yield table(["method", "prompts", "NRMSE", "PSNR", "SSIM", "held", "time"], cells)
