"""The curve of a reference region, by name, mask or values."""

from __future__ import annotations

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve
from betaplus.core.tacs import TacTable
from betaplus.io.voxels import voxel_curves
from betaplus.kinetics.curves import Curves
from betaplus.physics.frame_curve import curve_through_means

__all__ = ["Reference", "reference_curve", "region_mean"]

Reference = str | np.ndarray
"""Region names joined by ``+``, a mask (X, Y, Z), or a curve (T,)."""

_LEAST_VOXELS = 10


def reference_curve(
    reference: Reference, data: PetImage | TacTable, curves: Curves
) -> tuple[InputCurve, np.ndarray, tuple[str, ...]]:
    """Return the curve of the reference region, its frame means (T,) [Bq/mL], and remarks.

    Args:
        reference: Region, mask or curve.
        data: Image or table.
        curves: Its curves.

    Raises:
        InputError: If the region is not there, is empty, or shows no activity.
        UsageError: If the kind of reference does not go with the data.
    """
    remarks: list[str] = []
    if isinstance(reference, str):
        means = region_mean(reference, curves)
        remarks.append(f"reference region {reference.replace('+', ' and ')}")
    elif np.ndim(reference) == 3:
        if not isinstance(data, PetImage):
            raise UsageError("a reference mask with a table", "expected the name of a region")
        inside = np.asarray(reference, dtype=bool)
        if not inside.any():
            raise InputError("the reference mask is empty", "expected voxels inside it")
        means = voxel_curves(data, inside).mean(axis=0, dtype=np.float64) * curves.factors
        remarks.append(f"reference region of {int(inside.sum())} voxels")
        if inside.sum() < _LEAST_VOXELS:
            remarks.append("few voxels in the reference region: its noise goes into every voxel")
    else:
        means = np.asarray(reference, dtype=np.float64)
        if means.shape != (len(curves.frames),) or not np.isfinite(means).all():
            raise InputError(
                f"a reference curve of {means.size} values for {len(curves.frames)} frames",
                "expected one number per frame",
            )
        means = means * curves.factors
    if means.max() <= 0:
        raise InputError("the reference region shows no activity", "expected a curve above 0")
    curve = curve_through_means(curves.frames, means, curves.tracer.half_life)
    return curve, means, (*remarks, *curve.remarks)


def region_mean(name: str, curves: Curves) -> np.ndarray:
    """Return the mean curve of regions named ``A`` or ``A+B``, shape (T,) [Bq/mL].

    Raises:
        InputError: If there is no region of a name.
        UsageError: If the curves are voxels.
    """
    if curves.names is None:
        raise UsageError(
            f"region {name!r} with an image", "expected a mask", "or give label names with it"
        )
    wanted = [name] if name in curves.names else [part.strip() for part in name.split("+")]
    missing = [part for part in wanted if part not in curves.names]
    if missing:
        listed = ", ".join(curves.names[:12]) + (" ..." if len(curves.names) > 12 else "")
        raise InputError(f"region {missing[0]!r} is not in the table", f"expected one of {listed}")
    rows = [curves.names.index(part) for part in wanted]
    return np.asarray(curves.values[rows], dtype=np.float64).mean(axis=0)
