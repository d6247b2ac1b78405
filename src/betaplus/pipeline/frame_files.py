"""Images written frame by frame: NIfTI and sidecar, one frame in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.io.atomic import atomic_path
from betaplus.io.image_fields import image_fields
from betaplus.io.jsons import sidecar_path, write_json
from betaplus.io.nifti import LazyNifti
from betaplus.io.zarr_images import LazyZarr
from betaplus.pipeline.gzip_stream import gzip_stream

__all__ = ["write_frames"]

_PLANES = 16  # that are compressed together
_HEADER = 352  # bytes before the voxels of a NIfTI-1 file without extensions


def write_frames(
    path: Path,
    frames: Iterable[np.ndarray],
    like: PetImage,
    sidecar: Mapping[str, Any],
    threads: int = 1,
) -> None:
    """Write an image whose frames come one after the other, and its PET-BIDS sidecar.

    Args:
        path: The ``.nii.gz`` or ``.nii`` to write.
        frames: In order, each of shape (X, Y, Z).
        like: Of the same shape, frame times, affine and unit; its voxels are not looked at.
        sidecar: More fields that change; None removes one.
        threads: That compress; the bytes do not depend on their number.

    Raises:
        OutputError: If a file cannot be written.
        ValueError: If there are fewer or more frames, or one has another shape.
    """
    from nibabel import Nifti1Header

    code = like.data.header.space_code if isinstance(like.data, LazyNifti | LazyZarr) else 1
    affine = np.asarray(like.affine, dtype=np.float64)
    header = Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape(like.shape)
    header.set_zooms((*like.voxel_size, 1.0)[: len(like.shape)])
    header.set_sform(affine, code=code)
    header.set_qform(affine, code=code)
    header.set_xyzt_units("mm", "sec")
    header.set_slope_inter(1.0, 0.0)
    header.set_data_offset(_HEADER)
    written = 0

    def parts() -> Iterator[bytes]:
        nonlocal written
        yield header.binaryblock + bytes(_HEADER - len(header.binaryblock))
        for frame in frames:
            if frame.shape != like.shape[:3]:
                raise ValueError(f"frame of {frame.shape} in an image of {like.shape}")
            for first in range(0, frame.shape[2], _PLANES):
                planes = np.asarray(frame[:, :, first : first + _PLANES], np.float32)
                yield planes.tobytes(order="F")
            written += 1

    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            zipped = path.suffix == ".gz"
            for part in gzip_stream(parts(), threads) if zipped else parts():
                file.write(part)
        if written != like.n_frames:
            raise ValueError(f"{written} frames for an image of {like.n_frames}")
        write_json(sidecar_path(path), image_fields(like, sidecar))
