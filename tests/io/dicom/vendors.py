"""Scans of a known uptake, as the scanners of three vendors would write them.

The truth is an SUV per voxel and frame. What a scanner would store is made from it by hand: the
activity at the time that the convention corrects decay to, cut to 16 bits with a slope per slice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from tests.io.dicom.cases import (
    DOSE,
    F18,
    HEIGHT,
    INJECTED,
    SCANNED,
    WEIGHT,
    decay_factor,
    dose_of,
    write_series,
)

SHAPE = (7, 6, 4)
BEDS = np.array([0.0, 0.0, 150.0, 150.0])
PROTOCOLS = {
    "static": (np.zeros((4, 1)), np.full((4, 1), 180.0)),
    "beds": (BEDS[:, None], np.full((4, 1), 140.0)),
    "dynamic": (
        np.tile([0.0, 60.0, 1200.0], (4, 1)),
        np.tile([60.0, 300.0, 1800.0], (4, 1)),
    ),
    "passes": (BEDS[:, None] + [0.0, 400.0], np.full((4, 2), 140.0)),
}


@dataclass(frozen=True, kw_only=True)
class Written:
    """A series and its truth.

    Attributes:
        folder: Of the series.
        suv: Body-weight SUV, shape (X, Y, Z, T).
        step: One step of the stored numbers, likewise in SUV, shape (Z, T).
    """

    folder: Path
    suv: np.ndarray
    step: np.ndarray


def truth(frames: int, seed: int = 0) -> np.ndarray:
    """Return SUVs from 0 to 30 that differ much from slice to slice, shape (X, Y, Z, T)."""
    random = np.random.default_rng(seed)
    peak = random.uniform(0.3, 30.0, (1, 1, SHAPE[2], frames))
    return random.uniform(0.0, 1.0, (*SHAPE, frames)) ** 3 * peak


def write_vendor(
    folder: Path, vendor: str, protocol: str, decay: str = "START", *, again: bool = False
) -> Written:
    """Write a scan of `truth` as a vendor does.

    Args:
        folder: Where.
        vendor: siemens, ge, philips or philips-suv.
        protocol: Key of `PROTOCOLS`.
        decay: START, ADMIN or NONE.
        again: Whether the series was processed again two hours later, with that as SeriesTime.
    """
    starts, durations = PROTOCOLS[protocol]
    suv = truth(starts.shape[1])
    per_suv = DOSE / (1000 * WEIGHT)  # Bq/mL at injection that are an SUV of 1
    since = (SCANNED - INJECTED).total_seconds()
    if decay == "START":
        scale = np.full(starts.shape, per_suv * 2 ** (-since / F18))
    elif decay == "ADMIN":
        scale = np.full(starts.shape, per_suv)
    else:
        factor = np.vectorize(decay_factor)(since + starts, durations)
        scale = per_suv / factor
    activity = suv * scale
    counts = 3.7 if vendor.startswith("philips") else 1.0  # Bq/mL per count
    slopes = np.ceil(activity.max((0, 1)) / counts / 32767 * 1e6) / 1e6
    if vendor.startswith("philips"):
        slopes[:] = slopes.max(0)  # one for all slices of a frame
    stored = np.rint(activity / counts / slopes).astype(np.int16)
    edit = EDITS[vendor](starts, durations, 1.0 / scale[0, 0] * counts, counts)
    write_series(
        folder, stored, slopes, starts=starts, durations=durations, decay=decay, edit=edit,
        series_time=SCANNED + timedelta(hours=2 * again),
    )  # fmt: skip
    return Written(folder=folder, suv=suv, step=slopes * counts / scale)


def reference_time(start: float, duration: float) -> float:
    """Return when the count rate is the mean one of a frame [ms after the scan began]."""
    rate = math.log(2) / F18
    return 1e3 * (start + math.log(rate * duration / -math.expm1(-rate * duration)) / rate)


def _kind(data: Dataset, starts: np.ndarray) -> None:
    data.SeriesType = ["DYNAMIC" if starts.shape[1] > 1 else "WHOLE BODY", "IMAGE"]
    data.NumberOfSlices = SHAPE[2]
    if starts.shape[1] > 1:
        data.NumberOfTimeSlices = starts.shape[1]


Edit = Callable[[Dataset, int, int], None]


def _siemens(starts: np.ndarray, durations: np.ndarray, *_: Any) -> Edit:
    def edit(data: Dataset, z: int, t: int) -> None:
        _kind(data, starts)
        data.FrameReferenceTime = f"{reference_time(starts[z, t], durations[z, t]):.2f}"
        data.TimezoneOffsetFromUTC = "+0100"
        dose_of(data).RadiopharmaceuticalStartDateTime = INJECTED.strftime("%Y%m%d%H%M%S.%f+0100")

    return edit


def _ge(starts: np.ndarray, durations: np.ndarray, *_: Any) -> Edit:
    def edit(data: Dataset, z: int, t: int) -> None:
        _kind(data, starts)
        data.Manufacturer, data.ManufacturerModelName = "GE MEDICAL SYSTEMS", "Discovery MI"
        data.FrameReferenceTime = 0  # GE: of the first frame of a bed
        block = data.private_block(0x0009, "GEMS_PETD_01", create=True)
        block.add_new(0x0D, "DT", SCANNED.strftime("%Y%m%d%H%M%S.00"))
        block.add_new(0x3B, "DT", INJECTED.strftime("%Y%m%d%H%M%S.00"))

    return edit


def _philips(to_activity: bool) -> Callable[..., Edit]:
    def with_factors(
        starts: np.ndarray, durations: np.ndarray, per_count: float, counts: float
    ) -> Edit:
        def edit(data: Dataset, z: int, t: int) -> None:
            _kind(data, starts)
            data.Manufacturer = "Philips Medical Systems"
            data.ManufacturerModelName, data.Units = "Ingenuity TF PET/CT", "CNTS"
            block = data.private_block(0x7053, "Philips PET Private Group", create=True)
            block.add_new(0x00, "DS", f"{per_count:.9g}")
            block.add_new(0x09, "DS", f"{counts if to_activity else 0.0:.9g}")

        return edit

    return with_factors


EDITS: dict[str, Callable[..., Edit]] = {
    "siemens": _siemens,
    "ge": _ge,
    "philips": _philips(True),
    "philips-suv": _philips(False),
}

# What turns SUVbw into the other types, by the formulas of PS3.3 and the papers.
JANMAHASATIAN = 9270 / (8780 + 244 * WEIGHT / HEIGHT**2)
JAMES = 1.07 - 148 * WEIGHT / (100 * HEIGHT) ** 2
DU_BOIS = 0.007184 * WEIGHT**0.425 * (100 * HEIGHT) ** 0.725 * 1e4 / (WEIGHT * 1e3)
