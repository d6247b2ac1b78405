"""ECAT 7 files, written block by block."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.ecat import hdr_dtype, subhdr_dtype

SCANNED = 1_709_636_400  # s since 1970: 5 March 2024, 11:00:00 UTC
F18 = 6586.2
CALIBRATION = 37.5
SIZE = (2.0, 2.5, 3.0)  # mm
Edit = Callable[[Any, Any, int], None]


def write_ecat(
    path: Path,
    stored: np.ndarray,
    scales: np.ndarray,
    *,
    starts: Any = (0.0, 60.0, 360.0),
    durations: Any = (60.0, 300.0, 600.0),
    edit: Edit | None = None,
    order: Any = None,
    directories: int = 1,
) -> Path:
    """Write a file.

    Args:
        path: The file.
        stored: Stored numbers, shape (X, Y, Z, T).
        scales: Scale of each frame, shape (T,).
        starts: Of the frames [s].
        durations: Of them [s].
        edit: Changes main header and the subheader of frame t, before they are written; called
            with no subheader and -1 first.
        order: In which frames lie in the file.
        directories: Blocks that the directory takes, with one frame in each but the last.
    """
    n = stored.shape[3]
    main = np.zeros((), hdr_dtype.newbyteorder(">"))
    for name, value in {
        "magic_number": "MATRIX72v", "sw_version": 72, "system_type": 962, "file_type": 7,
        "scan_start_time": SCANNED, "isotope_name": "F-18", "isotope_halflife": F18,
        "radiopharmaceutical": "FDG", "ecat_calibration_factor": CALIBRATION,
        "calibration_unitS": 1, "patient_name": "Doe^Jane", "patient_id": "P-0001",
        "patient_sex": "F", "patient_weight": 72.0, "patient_orientation": 3,
        "num_planes": stored.shape[2], "num_frames": n, "num_gates": 1, "num_bed_pos": 0,
        "plane_separation": SIZE[2] / 10, "dose_start_time": SCANNED - 3600, "dosage": 350.0,
        "data_units": "Bq/cc",
    }.items():  # fmt: skip
        main[name] = value
    if edit is not None:
        edit(main, None, -1)
    order = list(range(n)) if order is None else list(order)
    frame_blocks = math.ceil(stored[..., 0].size * 2 / 512)
    first = 2 + directories
    entries, frames = {}, b""
    for place, t in enumerate(order):
        sub = np.zeros((), subhdr_dtype.newbyteorder(">"))
        rate = math.log(2) / F18
        x = rate * durations[t]
        for name, value in {
            "data_type": 6, "num_dimensions": 3, "x_dimension": stored.shape[0],
            "y_dimension": stored.shape[1], "z_dimension": stored.shape[2],
            "scale_factor": scales[t], "x_pixel_size": SIZE[0] / 10, "y_pixel_size": SIZE[1] / 10,
            "z_pixel_size": SIZE[2] / 10, "frame_duration": round(1e3 * durations[t]),
            "frame_start_time": round(1e3 * starts[t]), "corrections_applied": 512,
            "decay_corr_fctr": math.exp(rate * starts[t]) * x / (1 - math.exp(-x)),
        }.items():  # fmt: skip
            sub[name] = value
        if edit is not None:
            edit(main, sub, t)
        at = first + place * (1 + frame_blocks)
        entries[place] = (0x01010000 | (t + 1), at, at + frame_blocks, 1)
        voxels = stored[..., t].astype(">i2").tobytes(order="F")
        frames += sub.tobytes().ljust(512, b"\0") + voxels.ljust(frame_blocks * 512, b"\0")
    path.write_bytes(main.tobytes() + _directory(entries, directories) + frames)
    return path


def _directory(entries: dict[int, tuple[int, int, int, int]], blocks: int) -> bytes:
    raw, left = b"", list(entries.values())
    for block in range(blocks):
        last = block == blocks - 1
        here = left if last else left[:1]
        left = left[len(here) :]
        rows = np.zeros((32, 4), ">i4")
        rows[0] = (31 - len(here), 2 if last else 3 + block, 0, len(here))
        rows[1 : len(here) + 1] = here
        raw += rows.tobytes()
    return raw
