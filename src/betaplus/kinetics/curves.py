"""From images and tables to curves that can be fitted: Bq/mL, decay-corrected to TimeZero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.core.units import activity_factor
from betaplus.io.voxels import default_mask, voxel_curves
from betaplus.physics.decay import time_zero_factors

__all__ = ["Curves", "read_curves"]

_LEAST_FRAMES = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class Curves:
    """Curves ready to be fitted.

    Attributes:
        values: Shape (N, T) [Bq/mL], decay-corrected to TimeZero.
        factors: What a value was multiplied with, shape (T,), to turn results back.
        frames: Frame timing.
        tracer: Radionuclide and half-life.
        mask: For an image, the voxels the curves come from, shape (X, Y, Z).
        names: For a table, the regions.
    """

    values: np.ndarray
    factors: np.ndarray
    frames: FrameTiming
    tracer: Tracer
    mask: np.ndarray | None = None
    names: tuple[str, ...] | None = None


def read_curves(data: PetImage | TacTable, mask: np.ndarray | None = None) -> Curves:
    """Return the curves of an image's voxels in a mask, or of a table's regions.

    Args:
        data: Dynamic image or table.
        mask: Voxels to take, shape (X, Y, Z); by default all that are not zero in all frames.

    Raises:
        InputError: If the data are not dynamic, or lack what kinetics need.
    """
    where = data.source.name if data.source else "the input"
    if isinstance(data, PetImage) and len(data.shape) != 4:
        raise InputError(
            f"{where} is a 3-D image", "expected a dynamic (4-D) image", "give the dynamic series"
        )
    if data.frames is None:
        raise InputError(
            f"{where} has no frame times",
            "expected FrameTimesStart and FrameDuration",
            "add them to the sidecar",
        )
    if data.tracer is None:
        raise InputError(
            f"{where} does not say which radionuclide it shows",
            "expected TracerRadionuclide",
            "add it to the sidecar or give --radionuclide",
        )
    if len(data.frames) < _LEAST_FRAMES:
        raise InputError(
            f"{where} has {len(data.frames)} frames", f"expected {_LEAST_FRAMES} or more"
        )
    factors = time_zero_factors(data.frames, data.tracer, data.decay_corrected_to)
    factors = factors * activity_factor(data.unit, "Bq/mL")
    if isinstance(data, PetImage):
        mask = default_mask(data) if mask is None else np.asarray(mask, dtype=bool)
        values = voxel_curves(data, mask)
        if np.any(factors != 1.0):
            values *= factors.astype(np.float32)
        return Curves(
            values=values, factors=factors, frames=data.frames, tracer=data.tracer, mask=mask
        )
    if mask is not None:
        raise InputError(f"a mask for {where}", "expected none with a table of curves")
    values = np.asarray(data.values, dtype=np.float64)
    for i, curve in enumerate(values):
        name = data.names[i] if data.names else f"curve {i + 1}"
        if not np.isfinite(curve).all():
            raise InputError(f"{name} in {where} holds NaN or infinity", "expected numbers")
        if not curve.any():
            raise InputError(
                f"{name} in {where} is zero in all frames",
                "expected a measured curve",
                "remove the column",
            )
    return Curves(
        values=values * factors,
        factors=factors,
        frames=data.frames,
        tracer=data.tracer,
        names=data.names,
    )
