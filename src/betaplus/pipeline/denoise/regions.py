"""Means of regions with intervals: what ``--regions`` adds to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.region_features import measure_regions
from betaplus.denoising.region_model import CALIBRATION, RegionModel, read_region_model
from betaplus.denoising.volume import Volume
from betaplus.io.derivatives import write_table
from betaplus.io.labels import load_labels

__all__ = ["RegionRow", "Regions", "write_regions"]


@dataclass(frozen=True, kw_only=True)
class RegionRow:
    """A region of a frame; means in the unit of the output, NaN where there is no interval.

    Attributes:
        frame: Its index.
        label: Of the region.
        name: Likewise.
        volume_ml: Of its voxels [mL].
        noisy: Mean of the image.
        denoised: Mean of the output.
        estimate: Of the mean without noise.
        low: Lower end of its interval.
        high: Upper end.
        unit: Of all these.
        calibrated: Whether the interval was calibrated on regions like this.
    """

    frame: int
    label: int
    name: str
    volume_ml: float
    noisy: float
    denoised: float
    estimate: float
    low: float
    high: float
    unit: str
    calibrated: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Regions:
    """Regions to measure.

    Attributes:
        labels: Region of each voxel, shape (X, Y, Z); 0 outside the mask.
        names: Label to name.
        voxel: Edges of a voxel [mm].
        model: What makes intervals; None where the method has none.
        remarks: What is to be said of that.
    """

    labels: np.ndarray
    names: Mapping[int, str]
    voxel: tuple[float, float, float]
    model: RegionModel | None
    remarks: tuple[str, ...]

    @classmethod
    def load(
        cls,
        path: Path,
        image: PetImage,
        mask: np.ndarray | None,
        method: str,
        denoiser: TrainedDenoiser | None,
    ) -> Regions:
        """Open a label image and the calibration that goes with the network.

        Args:
            path: The labels, on the grid of the image; names from the table beside it.
            image: The image.
            mask: Voxels that are denoised, or None for all.
            method: Name of the method.
            denoiser: Its network, or None.

        Raises:
            InputError: If the labels or the calibration cannot be used.
        """
        labels, names = load_labels(path, image)
        if mask is not None:
            labels = np.where(mask, labels, 0)
        model, remarks = _find_model(method, denoiser)
        x, y, z = image.voxel_size
        return cls(labels=labels, names=names, voxel=(x, y, z), model=model, remarks=remarks)

    def measure(
        self, frame: int, raw: np.ndarray, mean: np.ndarray, factor: float, grid: float, unit: str
    ) -> list[RegionRow]:
        """Return the regions of a frame.

        Args:
            frame: Its index.
            raw: Its voxels, shape (X, Y, Z).
            mean: Denoised, likewise.
            factor: What makes SUV of them.
            grid: Edge of the voxels that noise is measured on [mm].
            unit: ``SUV``, or that of the voxels.
        """
        volume = Volume(
            data=raw * np.float32(factor), voxel=self.voxel, grid_voxel=grid, frame=frame
        )
        table = measure_regions(volume, mean * np.float32(factor), self.labels, list(self.names))
        scale = 1.0 if unit == "SUV" else 1.0 / factor
        found = None if self.model is None or volume.noise.none else self.model.estimate(table)
        rows = []
        for n, label in enumerate(table.labels.tolist()):
            three = [float("nan")] * 3
            if found is not None:
                three = [float(x[n]) * scale for x in (found.estimate, found.low, found.high)]
            rows.append(
                RegionRow(
                    frame=frame, label=label, name=self.names[label],
                    volume_ml=float(table.volume[n]), noisy=float(table.noisy[n]) * scale,
                    denoised=float(table.denoised[n]) * scale, estimate=three[0], low=three[1],
                    high=three[2], unit=unit,
                    calibrated=found is not None and bool(found.calibrated[n]),
                )
            )  # fmt: skip
        return rows


def write_regions(path: Path, rows: Sequence[RegionRow], level: float | None) -> None:
    """Write regions as TSV, with a JSON that says what the columns are.

    Args:
        path: The file.
        rows: The regions.
        level: Of the intervals, or None where there is none.

    Raises:
        OutputError: If it cannot be written.
    """
    several = len({row.frame for row in rows}) > 1
    names = [
        *(["frame"] if several else []),
        *(n for n in RegionRow.__annotations__ if n != "frame"),
    ]
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in names}
    if several:
        columns["frame"] = [n + 1 for n in columns["frame"]]
    interval = "no interval" if level is None else f"{100 * level:g} % interval"
    said = {
        "volume_ml": {"Description": "volume of the region's voxels", "Units": "mL"},
        "noisy": {"Description": "mean of the image before"},
        "denoised": {"Description": "mean of the denoised image"},
        "estimate": {
            "Description": "mean that the same reconstruction would have without noise: between"
            " the means of the noisy and the denoised image"
        },
        "low": {"Description": f"lower end of the estimate's {interval}"},
        "high": {"Description": f"upper end of the estimate's {interval}"},
        "unit": {"Description": "of the means"},
        "calibrated": {"Description": "1 if the interval was calibrated on regions like this"},
    }
    write_table(path, columns, said)


def _find_model(
    method: str, denoiser: TrainedDenoiser | None
) -> tuple[RegionModel | None, tuple[str, ...]]:
    """Return the calibration of a method, or why there is none."""
    if method != "mmse" or denoiser is None:
        return None, (f"--regions: intervals are made for mmse, not for {method}",)
    path = denoiser.bundle.path / CALIBRATION
    if not path.exists():
        said = f"--regions: no {CALIBRATION} in {denoiser.bundle.path.name}, so that there are no"
        return None, (f"{said} intervals; betaplus benchmark denoise --part coverage makes one",)
    model = read_region_model(path)
    if model.about.get("weights") != denoiser.bundle.config.sha256:
        raise InputError(
            f"{path} was made for other weights",
            "expected the calibration of this bundle",
            "make it again with betaplus benchmark denoise --part coverage",
        )
    return model, ()
