"""The files of the separate verb, each complete or not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from betaplus.core.image import PetImage
from betaplus.io.derivatives import write_table
from betaplus.pipeline.frame_files import write_frames
from betaplus.pipeline.separation.request import Names
from betaplus.separation.fitting import SeparationFit
from betaplus.separation.study_checks import MixingCheck

__all__ = ["chi2_columns", "write_chi2", "write_images"]

_COLUMNS = (
    "region",
    "frame",
    "frame_start",
    "frame_end",
    "chi2",
    "chi2_sd",
    "mean_residual",
    "flag",
)


def write_images(
    names: Names, fit: SeparationFit, about: Mapping[str, Any], threads: int
) -> list[Path]:
    """Write the image of each tracer, and its SD where there is one; return their paths.

    Raises:
        OutputError: If a file cannot be written.
    """
    written = []
    image = fit.study.image
    for stat, values in ((None, fit.found.x), ("std", fit.found.std)):
        if values is None:
            continue
        for i, tracer in enumerate(fit.study.tracers):
            path = names.image(tracer.label, stat)
            like = fit.like(i, image.data)
            said = "posterior standard deviation of the" if stat else "the"
            fields = {
                "Description": f"{said} activity of {tracer.label} alone, decay-corrected to its"
                " own injection",
                "betaplus": dict(about),
            }
            write_frames(path, _frames(values[i], fit.to_unit), like, fields, threads)
            written.append(path)
    return written


def _frames(values: Tensor, factor: float) -> Iterator[np.ndarray]:
    for f in range(values.shape[-1]):
        yield np.asarray(values[..., f].numpy() * np.float32(factor))


def chi2_columns(fit: SeparationFit, check: MixingCheck) -> dict[str, list[Any]]:
    """Return a row for each region and frame, and one for each region: frame ``all``."""
    frames = fit.study.mixing.frames
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for r, region in enumerate(check.names):
        rows: list[tuple[Any, ...]] = [
            ("all", frames.start[0], frames.end[-1], check.overall[r], np.nan, check.flags[r])
        ]
        rows += [
            (
                f + 1,
                frames.start[f],
                frames.end[f],
                check.chi_square[r, f],
                check.mean[r, f],
                "n/a" if np.isnan(check.chi_square[r, f]) else _flag(bool(check.warn[r, f])),
            )
            for f in range(len(frames))
        ]
        for frame, start, end, chi, mean, flag in rows:
            values = (region, frame, start, end, chi, check.chance[r], mean, flag)
            for name, value in zip(columns, values, strict=True):
                columns[name].append(value)
    return columns


def write_chi2(
    names: Names, columns: Mapping[str, Any], image: PetImage, about: Mapping[str, Any]
) -> Path:
    """Write the table of chi-squares, with a JSON beside it.

    Raises:
        OutputError: If a file cannot be written.
    """
    fields: dict[str, Any] = {
        "Sources": [image.source.name] if image.source else [],
        "frame": {"Description": "number of the frame, from 1; all for their mean"},
        "frame_start": {"Units": "s"},
        "frame_end": {"Units": "s"},
        "chi2": {
            "Description": "mean square of what the pair leaves of the mixture, over what noise"
            " leaves; 1 where the pair explains it, n/a where it does so by construction"
        },
        "chi2_sd": {"Description": "SD of chi2 by chance"},
        "mean_residual": {"Description": "mean residual over the SD of a voxel's noise"},
        "flag": {"Levels": {"pass": "explained", "warn": "not explained"}},
        "betaplus": dict(about),
    }
    write_table(names.chi2, dict(columns), fields)
    return names.chi2


def _flag(warn: bool) -> str:
    return "warn" if warn else "pass"
