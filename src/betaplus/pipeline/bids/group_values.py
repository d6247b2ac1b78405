"""The numbers that a finished scan holds: of its table of regions, or else of its images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.images import load_image
from betaplus.io.jsons import read_json, sidecar_path
from betaplus.io.labels import load_labels
from betaplus.io.nifti import open_nifti
from betaplus.io.tsv import column_numbers, read_table
from betaplus.pipeline.bids.names import parse_name
from betaplus.pipeline.bids.records import ScanRecord

__all__ = ["WHOLE", "Value", "scan_values"]

WHOLE = "image"
"""Region of a number that is of all voxels that are not 0."""

_TABLES = ("kinpar", "regions")
_NOT_PARAMETERS = ("ess", "chi2", "status", "noise", "evidence", "pareto_k", "t_star", "voxels",
                   "frames_used", "volume_ml", "label", "low", "high", "calibrated")  # fmt: skip
_STATISTICS = {"sd": "sd", "median": "median", "q05": "q05", "q95": "q95"}


@dataclass(frozen=True, kw_only=True)
class Value:
    """A parameter of a region of a scan.

    Attributes:
        region: Its name, or `WHOLE`.
        parameter: For example ``VT``.
        unit: Of the value.
        value: Posterior mean or estimate.
        sd: Its SD, or NaN where nothing says.
        median: Of the posterior, likewise.
        q05: 5 % quantile, likewise.
        q95: 95 % quantile, likewise.
        status: 1 to 4 as in tables of kinetics, or None.
    """

    region: str
    parameter: str
    unit: str
    value: float
    sd: float = np.nan
    median: float = np.nan
    q05: float = np.nan
    q95: float = np.nan
    status: int | None = None

    @property
    def centre(self) -> float:
        """The posterior median where there is one, which a heavy tail does not move; else value."""
        return self.median if np.isfinite(self.median) else self.value


def scan_values(record: ScanRecord, roots: Mapping[str, Path]) -> list[Value]:
    """Return the numbers of a scan: those of its tables of regions, or else of its images.

    A table with a row for each frame is passed over: the image is averaged over its frames.

    Args:
        record: Of the scan.
        roots: Name of each data set to its top, for the label image of a scan.

    Raises:
        InputError: If a file cannot be read.
    """
    tables = [path for path in record.outputs if _is_table(path)]
    columns = {path: read_table(path) for path in tables}
    single = {path: table for path, table in columns.items() if "frame" not in table}
    if single:
        return [value for path, table in single.items() for value in _of_table(path, table)]
    images = [path for path in record.outputs if path.name.endswith((".nii.gz", ".nii"))]
    labels = _labels_of(record, roots)
    return [value for path in images for value in _of_image(path, labels)]


def _is_table(path: Path) -> bool:
    """Whether it is a table of regions, and not that which compares models."""
    file = parse_name(path)
    return (
        file is not None
        and file.extension == ".tsv"
        and file.suffix in _TABLES
        and file.entities.get("desc") != "models"
    )


def _of_table(path: Path, columns: Mapping[str, list[str]]) -> Iterator[Value]:
    named = "region" if "region" in columns else "name"
    if named not in columns:
        raise InputError(f"no column region in {path.name}", "expected a table of regions")
    beside = sidecar_path(path)
    fields = read_json(beside) if beside.is_file() else {}
    numbers = {
        name: column_numbers(column, name, path.name)
        for name, column in columns.items()
        if name not in (named, "unit") and not _is_text(column)
    }
    names = [name for name in numbers if "-" not in name and name not in _NOT_PARAMETERS]
    for i, region in enumerate(columns[named]):
        status = numbers["status"][i] if "status" in numbers else np.nan
        for name in names:
            more = {
                key: float(numbers[f"{name}-{end}"][i])
                for key, end in _STATISTICS.items()
                if f"{name}-{end}" in numbers
            }
            yield Value(
                region=region,
                parameter=name,
                unit=_unit(fields, name, columns.get("unit"), i),
                value=float(numbers[name][i]),
                status=None if np.isnan(status) else int(status),
                **more,
            )


def _is_text(column: list[str]) -> bool:
    def number(text: str) -> bool:
        try:
            float(text)
        except ValueError:
            return text == "n/a"
        return True

    return not all(number(text) for text in column)


def _unit(fields: Mapping[str, Any], name: str, column: list[str] | None, row: int) -> str:
    about = fields.get(name)
    stated = about.get("Units") if isinstance(about, Mapping) else None
    return str(stated or (column[row] if column else ""))


def _of_image(path: Path, labels: Path | None) -> Iterator[Value]:
    """Yield the mean of an image, over frames by their duration, and those of its regions."""
    file = parse_name(path)
    if file is None or file.entities.get("stat", "mean") != "mean":
        return
    map_of = file.entities.get("meas") if file.suffix == "mimap" else None
    if file.suffix == "mimap" and (map_of is None or "stat" not in file.entities):
        return
    image = load_image(path) if map_of is None else None
    data = open_nifti(path) if image is None else image.data
    frames = None if image is None else image.frames
    mean = _mean_frame(data, None if frames is None else frames.duration)
    separated = file.entities.get("trc") if file.entities.get("desc") == "separated" else None
    parameter = map_of or ("activity" if separated is None else f"activity {separated}")
    unit = str(read_json(sidecar_path(path)).get("Units") or "")
    alive = mean != 0
    if alive.any():
        whole = float(mean[alive].mean())
        yield Value(region=WHOLE, parameter=parameter, unit=unit, value=whole)
    if labels is None or image is None:
        return
    regions, names = load_labels(labels, image)
    for label, name in names.items():
        value = float(mean[regions == label].mean())
        yield Value(region=name, parameter=parameter, unit=unit, value=value)


def _mean_frame(data: Any, durations: np.ndarray | None) -> np.ndarray:
    """Return an image's mean over its frames, shape (X, Y, Z); what is not finite is 0."""
    if data.ndim == 3:
        return np.nan_to_num(np.asarray(data[...], dtype=np.float64), posinf=0.0, neginf=0.0)
    share = np.ones(data.shape[3]) if durations is None else durations
    total = np.zeros(data.shape[:3])
    for t, frame in data.stream():
        total += share[t] / share.sum() * np.nan_to_num(np.asarray(frame, dtype=np.float64))
    return total


def _labels_of(record: ScanRecord, roots: Mapping[str, Path]) -> Path | None:
    """Return the label image that a scan was worked on with, where it is still there."""
    about = record.fields.get("bids")
    sources = about.get("sources") if isinstance(about, Mapping) else None
    for source in sources if isinstance(sources, list) else []:
        _, _, rest = str(source).partition("bids:")
        name, _, place = rest.partition(":")
        path = roots[name] / place if name in roots else None
        if path is not None and "_dseg.nii" in path.name and path.is_file():
            return path
    return None
