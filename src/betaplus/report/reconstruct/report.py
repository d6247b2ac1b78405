"""The report of the reconstruct verb: the image, what it was made of, and how."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus import __version__
from betaplus.pipeline.reconstruct import ReconstructResult
from betaplus.report.elements import details, facts, field_list, format_number
from betaplus.report.figures.canvas import gallery
from betaplus.report.figures.slices import orthogonal_slices
from betaplus.report.page import Page

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
        f"{format_number(float(result.counts.sum()), 4)} prompts{frames}, {run['method']}.",
        header={"Verb": "reconstruct", "Date": run["date"][:16].replace("T", " "),
                "Version": __version__},
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
    page.add_section("Image", gallery(_pictures(result)), _NOTE)
    if result.sd is not None and result.variation is not None:
        page.add_section("Spread of draws", gallery(_spread(result)), _SPREAD_NOTE)
    page.add_section("Settings", details("Run", field_list(run)))
    return page.write(path)


_NOTE = (
    "Voxels as they are, without smoothing; the colours end at the 99.5th percentile; the left of"
    " the picture is the left of a patient who lies head first and supine."
)


_SPREAD_NOTE = (
    "Standard deviation over draws, and the same as a share of their mean (coefficient of"
    " variation, where the mean is above a tenth of its largest value): what the counts and the"
    " prior leave open, as far as the sampler is right."
)
_SEEN = 0.1  # of the largest value: below it a share of the mean says nothing


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
    chosen = np.unique(np.linspace(0, data.shape[3] - 1, _SHOWN).round().astype(int))
    return [
        orthogonal_slices(data[..., n], image.affine, f"Frame {n + 1}", image.unit) for n in chosen
    ]
