"""The tables of the evaluate verb, and what their columns mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from betaplus import __version__
from betaplus.evaluation.coverage import INTERVALS
from betaplus.io.derivatives import write_table
from betaplus.pipeline.evaluate.inputs import Inputs
from betaplus.pipeline.evaluate.measure import Row, coverage_column

__all__ = ["COLUMNS", "WHOLE", "mask_text", "write_tables"]

WHOLE = "whole mask"
"""Name of the row over the whole mask, in the table of realisations."""

COLUMNS: dict[str, tuple[str, str]] = {
    "image": ("", "file"),
    "frame": ("", "frame, from 1"),
    "voxels": ("", "voxels that were counted"),
    "peak": ("unit", "largest voxel of the reference in the mask"),
    "NRMSE": ("%", "100 |image - reference| / |reference|, Euclidean norms over the mask"),
    "PSNR": ("dB", "20 log10(peak / RMSE) over the mask; n/a where the images are equal"),
    "SSIM": (
        "1",
        "3-D structural similarity, Gaussian window of SD 1.5 voxels cut at 11 x 11 x 11, K1 .01,"
        " K2 .03, data range = peak, mean over the mask",
    ),
    "bias": ("%", "100 (mean - mean of the reference) / mean of the reference"),
    "background-variability": (
        "%",
        "100 SD / mean over the means of the background regions (NEMA NU 2-2018, section 7); n/a"
        " for one region",
    ),
    **{
        coverage_column(p): (
            "%",
            f"voxels of the mask whose reference lies in image +- z SD, z of {100 * p:g} %",
        )
        for p in INTERVALS
    },
    "z-mean": ("1", "mean of (image - reference) / SD over voxels of the mask with an SD above 0"),
    "z-sd": ("1", "SD of the same"),
    "AUSE": (
        "1",
        "area between the sparsification curves by SD and by error: relative RMSE over the share"
        " removed; 0 is best",
    ),
    "region": ("", "name of the region"),
    "label": ("", "its label"),
    "reference": ("unit", "mean of the reference in the region"),
    "mean": ("unit", "mean of the image in the region"),
    "sd": ("unit", "SD of the image's voxels in the region, with n - 1"),
    "CRC": (
        "%",
        "100 (C / C_B - 1) / (a / a_B - 1), C of the image and a of the reference in the region and"
        " in the background (NEMA NU 2-2018, section 7)",
    ),
}
"""Column to unit and meaning; ``unit`` stands for that of the images."""

_OVER_REALISATIONS = {
    "frame": COLUMNS["frame"],
    "region": ("", "name of the region"),
    "realisations": ("", "images that were taken as realisations of one measurement"),
    "voxels": COLUMNS["voxels"],
    "bias": (
        "%",
        "100 sqrt(sum of ((m - r)^2 - s^2 / R)) / |r|, m the mean and s^2 the variance of R"
        " realisations at each voxel, r the reference; 0 where the sum is below 0",
    ),
    "bias-uncorrected": ("%", "the same without - s^2 / R"),
    "sd": ("%", "100 sqrt(sum of s^2) / |r|"),
}


def mask_text(inputs: Inputs) -> str:
    """Return in words which voxels count."""
    if inputs.mask is not None:
        return "voxels of --mask"
    each = ", frame by frame" if inputs.n_frames > 1 else ""
    return f"voxels where the reference is above 0{each}"


def write_tables(
    inputs: Inputs,
    rows: Sequence[Row],
    over: Sequence[Mapping[str, Any]],
    paths: Mapping[str, Path],
) -> list[Path]:
    """Write the tables that there are, each with its JSON; return their paths.

    Args:
        inputs: The run's inputs.
        rows: What was measured.
        over: Rows over realisations, or none.
        paths: Where ``images``, ``regions`` and ``realisations`` go.

    Raises:
        OutputError: If one cannot be written.
    """
    written = []
    table = [{"image": r.image, "frame": r.frame, **r.metrics} for r in rows]
    _write(paths["images"], table, COLUMNS, inputs)
    written.append(paths["images"])
    regions = [{"image": r.image, "frame": r.frame, **part} for r in rows for part in r.regions]
    if regions:
        _write(paths["regions"], regions, COLUMNS, inputs)
        written.append(paths["regions"])
    if over:
        _write(paths["realisations"], over, _OVER_REALISATIONS, inputs)
        written.append(paths["realisations"])
    return written


def _write(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    meaning: Mapping[str, tuple[str, str]],
    inputs: Inputs,
) -> None:
    columns = {name: [_finite(row[name]) for row in rows] for name in rows[0]}
    about: dict[str, Any] = {}
    for name in columns:
        unit, text = meaning[name]
        about[name] = {"Description": text}
        if unit:
            about[name]["Units"] = (inputs.unit or "n/a") if unit == "unit" else unit
    fields = {
        "Sources": [file.header.path.name for file in (inputs.reference, *inputs.images)],
        **about,
        "betaplus": {
            "version": __version__,
            "reference": inputs.reference.header.path.name,
            "mask": mask_text(inputs),
            "regions": "whole labels, inside the mask or not" if inputs.regions else None,
            "background": [inputs.regions[label] for label in inputs.background],
            "checks": list(inputs.remarks),
        },
    }
    write_table(path, columns, fields)


def _finite(value: Any) -> Any:
    return math.nan if isinstance(value, float) and not math.isfinite(value) else value
