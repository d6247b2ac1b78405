"""What 1 SUV is in a study: from dose and weight, or from the level of the image."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.io.suv import suv_conversion
from betaplus.io.suv_fields import read_basis

__all__ = ["body_level", "check_level", "known_suv"]

_BODY = 0.1  # of the 95th percentile in the mask: below it an image is air
_SAMPLE = 1_000_003  # voxels looked at for the percentile
_LEVELS = (0.01, 100.0)  # SUV


def known_suv(
    image: PetImage, dose: float | None, weight: float | None
) -> tuple[float | None, str, list[str]]:
    """Return SUVbw per unit of the image, None where it is not known; where from; and remarks.

    Args:
        image: Decay-corrected.
        dose: Activity administered [Bq], where the sidecar lacks it.
        weight: Body weight [kg], likewise.

    Raises:
        InputError: If dose, weight or times are there but cannot be right, or one was given and
            the other is missing.
        UsageError: If an option contradicts a field.
    """
    if image.unit != "SUV" and image.metadata.get("SUVbwFactor") is None:
        basis, _ = read_basis(image, dose=dose, weight=weight)
        missing = [name for name in ("dose", "weight", "elapsed") if getattr(basis, name) is None]
        if missing and dose is None and weight is None:
            called = ", ".join(basis.names.get(name, name) for name in missing)
            return None, f"{called} missing", []
    conversion = suv_conversion(image, "SUVbw", dose=dose, weight=weight)
    return float(conversion.factor), conversion.source, list(conversion.remarks)


def check_level(level: float) -> None:
    """Refuse a level that no body has.

    Raises:
        UsageError: If it is out of range.
    """
    if not _LEVELS[0] <= level <= _LEVELS[1]:
        raise UsageError(f"level {level:g} SUV", f"expected {_LEVELS[0]:g} to {_LEVELS[1]:g}")


def body_level(last: Tensor, mask: np.ndarray, level: float) -> tuple[float, float]:
    """Return the activity of 1 SUV where the mean over the body is `level` SUV; the body's share.

    The body is what of the mask is above a tenth of its 95th percentile.

    Args:
        last: The last frame, shape (X, Y, Z).
        mask: Voxels wanted, likewise.
        level: Mean SUV of the body in the last frame.

    Raises:
        InputError: If there is no activity.
    """
    values = last.numpy()[mask]
    top = float(np.quantile(values[:: values.size // _SAMPLE + 1], 0.95))
    body = values > _BODY * top
    if not (top > 0.0 and body.any()):
        raise InputError(
            "the last frame holds no activity in the mask", "expected a body in it", "check --mask"
        )
    return float(values[body].mean(dtype=np.float64)) / level, float(body.mean())
