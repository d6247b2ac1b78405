"""Every measure of one frame of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from betaplus.core.errors import InputError
from betaplus.evaluation.coverage import INTERVALS
from betaplus.evaluation.images import (
    RegionMeans,
    Sparsification,
    background_variability,
    contrast_recovery,
    mean_bias,
    normal_coverage,
    nrmse,
    psnr,
    region_means,
    sparsification,
    ssim,
    voxel_scores,
)
from betaplus.pipeline.evaluate.inputs import Inputs

__all__ = ["ReferenceFrame", "Row", "coverage_column", "measure"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ReferenceFrame:
    """One frame of the reference, ready to be compared with.

    Attributes:
        values: Its voxels, shape (X, Y, Z) float32; those outside that are no number are 0.
        mask: Voxels to count, likewise; may be empty.
        needed: Voxels that must be numbers: the mask and the regions.
        regions: Means of the regions, or None without any.
        frame: Its number, from 0.
    """

    values: np.ndarray
    mask: np.ndarray
    needed: np.ndarray
    regions: RegionMeans | None
    frame: int

    @classmethod
    def of(cls, values: np.ndarray, inputs: Inputs, frame: int) -> ReferenceFrame:
        """Check a frame and find its mask and the means of its regions.

        Raises:
            InputError: If a voxel that is needed is no finite number.
        """
        name = inputs.reference.header.path.name
        if inputs.mask is None:
            refuse_bad(values, np.ones(values.shape, dtype=bool), name, frame, inputs.n_frames)
            mask = values > 0
        else:
            mask = inputs.mask
        needed = mask if inputs.labels is None else mask | (inputs.labels > 0)
        refuse_bad(values, needed, name, frame, inputs.n_frames)
        values = np.where(np.isfinite(values), values, np.float32(0))
        regions = None
        if inputs.labels is not None:
            regions = region_means(values, inputs.labels, list(inputs.regions))
        return cls(values=values, mask=mask, needed=needed, regions=regions, frame=frame)

    @property
    def peak(self) -> float:
        """Largest voxel in the mask; NaN where that is empty."""
        return float(self.values[self.mask].max()) if self.mask.any() else math.nan


@dataclass(frozen=True, eq=False, kw_only=True)
class Row:
    """What was measured.

    Attributes:
        image: Name of the image.
        frame: Frame, from 1.
        metrics: Column to value, NaN where undefined.
        regions: One mapping of column to value for each region.
        sparsification: Where there is a standard deviation image.
    """

    image: str
    frame: int
    metrics: dict[str, float]
    regions: list[dict[str, float | str]] = field(default_factory=list)
    sparsification: Sparsification | None = None


def coverage_column(interval: float) -> str:
    """Return the name of the column of an interval's coverage: ``coverage-90``."""
    return f"coverage-{round(100 * interval)}"


def measure(
    values: np.ndarray, std: np.ndarray | None, reference: ReferenceFrame, inputs: Inputs, k: int
) -> tuple[Row, int]:
    """Return every measure of a frame of image `k`, and how many of its voxels are no number.

    Args:
        values: The frame, shape (X, Y, Z).
        std: Its standard deviation, likewise, or None.
        reference: The frame of the reference.
        inputs: The run's inputs.
        k: Which image.

    Raises:
        InputError: If a voxel of the mask or of a region is no finite number, or an SD is below 0.
    """
    name, frame, mask = inputs.names[k], reference.frame, reference.mask
    refuse_bad(values, reference.needed, name, frame, inputs.n_frames)
    absent = ~np.isfinite(values)
    lost = int(absent.sum())
    if lost:
        values = np.where(absent, np.float32(0), values)
    truth = reference.values
    metrics: dict[str, float] = {"voxels": int(mask.sum()), "peak": reference.peak}
    some = bool(mask.any())
    measures = {"NRMSE": nrmse, "PSNR": psnr, "SSIM": ssim, "bias": mean_bias}
    for column, function in measures.items():
        metrics[column] = function(values, truth, mask) if some else math.nan
    regions = _regions(metrics, values, reference, inputs)
    curve = None
    if std is not None:
        curve = _uncertainty(metrics, values, std, reference, inputs, k)
    row = Row(image=name, frame=frame + 1, metrics=metrics, regions=regions, sparsification=curve)
    return row, lost


def _uncertainty(
    metrics: dict[str, float],
    values: np.ndarray,
    std: np.ndarray,
    reference: ReferenceFrame,
    inputs: Inputs,
    k: int,
) -> Sparsification | None:
    columns = [*(coverage_column(p) for p in INTERVALS), "z-mean", "z-sd", "AUSE"]
    metrics.update(dict.fromkeys(columns, math.nan))
    mask, truth = reference.mask, reference.values
    if not mask.any():
        return None
    name = inputs.std[k].header.path.name
    refuse_bad(std, mask, name, reference.frame, inputs.n_frames)
    least = float(std[mask].min())
    if least < 0:
        raise InputError(
            f"{name} holds {least:.3g} in the mask", "expected standard deviations of 0 or above"
        )
    shares = normal_coverage(values, std, truth, mask)
    scores = voxel_scores(values, std, truth, mask)
    curve = sparsification(values, std, truth, mask)
    found = [*(100 * shares), scores.mean, scores.sd, curve.ause]
    metrics.update({c: float(v) for c, v in zip(columns, found, strict=True)})
    return curve


def _regions(
    metrics: dict[str, float], values: np.ndarray, reference: ReferenceFrame, inputs: Inputs
) -> list[dict[str, float | str]]:
    truth = reference.regions
    if truth is None or inputs.labels is None:
        return []
    found = region_means(values, inputs.labels, list(inputs.regions))
    behind = np.isin(found.labels, inputs.background)
    if behind.any():
        metrics["background-variability"] = background_variability(found.mean[behind])
    rows: list[dict[str, float | str]] = []
    for i, label in enumerate(int(v) for v in found.labels):
        true = float(truth.mean[i])
        row: dict[str, float | str] = {
            "region": inputs.regions[label],
            "label": label,
            "voxels": int(found.voxels[i]),
            "reference": true,
            "mean": float(found.mean[i]),
            "sd": float(found.sd[i]),
            "bias": 100 * (float(found.mean[i]) - true) / true if true else math.nan,
        }
        if behind.any():
            base = float(truth.mean[behind].mean())
            here = float(found.mean[behind].mean())
            ratio = true / base if base and not behind[i] else math.nan
            row["CRC"] = contrast_recovery(float(found.mean[i]), here, ratio)
        rows.append(row)
    return rows


def refuse_bad(
    values: np.ndarray, needed: np.ndarray, name: str, frame: int, n_frames: int
) -> None:
    """Refuse a frame with a voxel that is needed and no finite number.

    Raises:
        InputError: With the first such voxel.
    """
    bad = needed & ~np.isfinite(values)
    if bad.any():
        voxel = tuple(int(i) for i in np.argwhere(bad)[0])
        where = f" in frame {frame + 1}" if n_frames > 1 else ""
        raise InputError(
            f"{name} holds {values[voxel]} at voxel {voxel}{where} ({int(bad.sum())} such voxels)",
            "expected numbers wherever they count",
            "repair it or give a --mask without them",
        )
