"""PET images: a NIfTI file and the PET-BIDS sidecar beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.io.clock_check import check_clock, decay_factor_remarks
from betaplus.io.frame_times import read_frames, refuse_minutes
from betaplus.io.jsons import read_sidecar
from betaplus.io.nifti import LazyNifti, open_nifti
from betaplus.io.sidecar import (
    read_decay,
    read_injection,
    read_tracer,
    read_unit,
    time_zero_remarks,
)

if TYPE_CHECKING:
    from betaplus.io.zarr_images import LazyZarr

__all__ = ["load_image", "make_image"]

_EDGES = (0.05, 100.0)  # mm, nominal: of a voxel


def load_image(
    path: str | Path,
    *,
    unit: str | None = None,
    radionuclide: str | None = None,
    decay_corrected_to: str | float | None = None,
) -> PetImage:
    """Load a NIfTI image with its PET-BIDS sidecar; voxels are read when they are used.

    Args:
        path: The ``.nii`` or ``.nii.gz`` file.
        unit: Activity unit, where the sidecar lacks ``Units``.
        radionuclide: Radionuclide, where the sidecar lacks ``TracerRadionuclide``.
        decay_corrected_to: ``injection``, ``scan``, ``none`` or seconds from TimeZero, where the
            sidecar does not say.

    Raises:
        InputError: If the image or a field that is needed is missing or wrong.
        UsageError: If an option contradicts the sidecar.
    """
    data = open_nifti(path)
    return make_image(data, read_sidecar(path), unit, radionuclide, decay_corrected_to)


def make_image(
    data: LazyNifti | LazyZarr,
    sidecar: tuple[dict[str, Any], str, list[str]],
    unit: str | None = None,
    radionuclide: str | None = None,
    decay_corrected_to: str | float | None = None,
) -> PetImage:
    """Return the image that lazy voxels and a sidecar are together.

    Args:
        data: `betaplus.io.nifti.LazyNifti` or `betaplus.io.zarr_images.LazyZarr`.
        sidecar: The PET-BIDS fields, where they stand, and remarks.
        unit: As `load_image`.
        radionuclide: As `load_image`.
        decay_corrected_to: As `load_image`.

    Raises:
        InputError: If a field that is needed is missing or wrong.
        UsageError: If an option contradicts the sidecar.
    """
    fields, where, notes = sidecar
    remarks = [*notes, *data.header.remarks]
    n_frames = data.shape[3] if data.ndim == 4 else 1
    frames, keep, notes = read_frames(fields, n_frames, where)
    remarks += notes
    if keep is not None:
        data = data.with_frames(keep)
    elif frames is None and data.ndim == 4:
        data = data.with_frames(None)
    tracer, notes = read_tracer(fields, radionuclide, where)
    remarks += notes
    refuse_minutes(frames, tracer, where)
    injection, notes = read_injection(fields, where)
    remarks += notes + time_zero_remarks(fields, where)
    if frames is not None and injection >= frames.end[-1]:
        raise InputError(
            f"InjectionStart is {injection:g} s in {where} but the last frame ends at"
            f" {frames.end[-1]:g} s",
            "expected both in seconds from TimeZero",
        )
    corrected, notes = read_decay(
        fields,
        decay_corrected_to,
        where,
        scan_start=None if frames is None else float(frames.start[0]),
        injection=injection,
        required=frames is not None,
    )
    remarks += notes
    remarks += check_clock(frames, tracer, injection, corrected, where)
    remarks += decay_factor_remarks(fields, frames, tracer, corrected, where)
    remarks += _size_remarks(data.header.affine, data.header.path.name)
    return PetImage(
        data=data,
        affine=data.header.affine,
        frames=frames,
        unit=read_unit(fields, unit, where),
        tracer=tracer,
        decay_corrected_to=corrected,
        injection=injection,
        metadata=fields,
        source=data.header.path,
        remarks=tuple(remarks),
    )


def _size_remarks(affine: np.ndarray, where: str) -> list[str]:
    """Return a remark on voxels that no scanner makes: lengths in m or um that say mm."""
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    if (edges >= _EDGES[0]).all() and (edges <= _EDGES[1]).all():
        return []
    listed = " x ".join(f"{edge:.3g}" for edge in edges)
    return [f"voxels of {where} are {listed} mm: check the unit of its affine (xyzt_units)"]
