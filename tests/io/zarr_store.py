"""A store of a dynamic image, written by zarr alone, for the tests of stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import zarr

SHAPE = (5, 4, 6, 7)
CHUNKS = (2, 3, 4, 7)
AFFINE = np.array([[0.0, -2.0, 0, 7.5], [3.0, 0, 0.1, -4], [0, 0, 2.5, 11], [0, 0, 0, 1]])
FIELDS = {
    "Units": "kBq/mL",
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
    "FrameTimesStart": [60.0 * i for i in range(7)],
    "FrameDuration": [60.0] * 7,
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
    "InjectionStart": 0,
}


def numbers(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    data = rng.normal(50, 20, shape).astype(np.float32)
    data[rng.random(shape[:3]) < 0.4] = 0
    data[0, 0, 0] = 0
    data[0, 0, 0, -1] = -1  # one frame is enough to be inside
    return data


def store(path: Path, data: np.ndarray, fields: Any = FIELDS, **options: Any) -> Path:
    """Write a store by zarr alone."""
    options = {"chunks": CHUNKS[: data.ndim], **options}
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    group.attrs["affine"] = AFFINE.tolist()
    if fields is not None:
        group.attrs["pet"] = fields
    array = group.create_array("data", shape=data.shape, dtype=data.dtype, **options)
    array[...] = data
    return path


def edit(path: Path, **changes: Any) -> None:
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, **changes}))
