"""The report of the reconstruct verb: the image, what it was made of, and how."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus import __version__
from betaplus.pipeline.reconstruct import ReconstructResult
from betaplus.report.elements import Html, details, facts, field_list
from betaplus.report.figures.canvas import gallery
from betaplus.report.figures.slices import orthogonal_slices
from betaplus.report.page import Page
from betaplus.report.references import add_references
from betaplus.report.viewer import Layer, curves_of, slice_viewer

__all__ = ["reconstruct_report"]

_SHOWN = 4  # frames


def reconstruct_report(path: str | Path, result: ReconstructResult) -> Path:
    """Write the report of a reconstruction; return its path.

    Args:
        path: The HTML file to write.
        result: From `betaplus.pipeline.reconstruct.run_reconstruct`.

    Raises:
        OutputError: If the file cannot be written.
    """
    run, image = result.run, result.image
    frames = f" in {result.counts.size} frames" if result.counts.size > 1 else ""
    page = Page(
        f"Reconstruction of {run['input']}",
        f"{result.counts.sum():,.0f} prompts{frames}, {run['method']}.",
        header={"Verb": "reconstruct", "Method": run["method"],
                "Date": run["date"][:16].replace("T", " "), "Version": __version__},
        remarks=result.remarks,
    )  # fmt: skip
    x, y, z = image.voxel_size
    page.add_section(
        "Data",
        facts(
            [
                (run["scanner"]["name"], "scanner"),
                (f"{result.counts.sum():,.0f}", "prompts"),
                (
                    " x ".join(map(str, image.shape[:3])),
                    f"voxels of {x:.3g} x {y:.3g} x {z:.3g} mm",
                ),
                (f"{run['timings_s']['reconstruct']:.1f} s", run["method"]),
            ]
        ),
    )
    still = details("The image as pictures", gallery(_pictures(result)))
    page.add_section("Image", [_viewer(result), still], _NOTE)
    if result.sd is not None and result.variation is not None:
        page.add_section("Spread of draws", gallery(_spread(result)), _SPREAD_NOTE)
    add_references(page, "reconstruct", run["method"])
    page.add_section("Settings", details("Run", field_list(run)))
    return page.write(path)


_NOTE = (
    "Click into a slice or move a slider: all slices follow."
    " Voxels as they are, without smoothing; colours end where a few voxels stand out; the left of"
    " the picture is the left of a patient who lies head first and supine."
)


_SPREAD_NOTE = (
    "Standard deviation over draws, and the same as a share of their mean (coefficient of"
    " variation, where the mean is above a tenth of its largest value): what the counts and the"
    " prior leave open, as far as the sampler is right."
)
_SEEN = 0.1  # of the largest value: below it a share of the mean says nothing


def _viewer(result: ReconstructResult) -> Html:
    """Return the viewer: a frame, or some of them, with the spread of draws where there is one."""
    image, data = result.image, np.asarray(result.image.data)
    label = "image" if result.sd is None else "mean"
    still = data.ndim == 3
    chosen = [0] if still else _chosen(data.shape[3])
    groups = {}
    for n in chosen:
        layers = [Layer(label, data if still else data[..., n], image.unit, "uptake")]
        if result.sd is not None:
            sd = np.asarray(result.sd)
            layers.append(Layer("SD of draws", sd if still else sd[..., n], image.unit, "sd"))
        groups["image" if still else f"frame {n + 1}"] = layers
    return slice_viewer(groups, image.affine, curves=curves_of(image))


def _chosen(frames: int) -> list[int]:
    return [int(n) for n in np.unique(np.linspace(0, frames - 1, _SHOWN).round())]


def _spread(result: ReconstructResult) -> list:
    """Return pictures of the spread of the frame with the most counts."""
    assert result.sd is not None and result.variation is not None
    mean, sd, share = (
        np.asarray(array) for array in (result.image.data, result.sd, result.variation)
    )
    if mean.ndim == 4:
        most = int(np.argmax(result.counts))
        mean, sd, share = mean[..., most], sd[..., most], share[..., most]
    affine = result.image.affine
    seen = np.where(mean > _SEEN * np.quantile(mean, 0.995), share, 0.0)
    return [
        orthogonal_slices(sd, affine, "SD", result.image.unit),
        orthogonal_slices(seen, affine, "Coefficient of variation", ""),
    ]


def _pictures(result: ReconstructResult) -> list:
    image, data = result.image, np.asarray(result.image.data)
    if data.ndim == 3:
        return [orthogonal_slices(data, image.affine, "Activity", image.unit)]
    return [
        orthogonal_slices(data[..., n], image.affine, f"Frame {n + 1}", image.unit)
        for n in _chosen(data.shape[3])
    ]
