"""The voxels of an image, frame by frame, and whether they can be denoised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.io.nifti import LazyNifti

__all__ = ["check_values", "volumes"]


def volumes(image: PetImage) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (index, voxels of shape (X, Y, Z) float32) of every frame, one in memory at a time."""
    data = image.data
    if len(image.shape) == 3:
        yield 0, np.ascontiguousarray(data, dtype=np.float32)
    elif isinstance(data, LazyNifti):  # a compressed file is read once, from its start to its end
        for t, frame in data.stream():
            yield t, np.ascontiguousarray(frame)
    else:
        for t in range(image.n_frames):
            yield t, np.ascontiguousarray(data[..., t], dtype=np.float32)


def check_values(image: PetImage) -> None:
    """Refuse an image with voxels that no OSEM reconstruction has.

    Raises:
        InputError: If voxels are negative, NaN or infinite, or all are 0; it says how many.
    """
    name = image.source.name if image.source else "the image"
    strange = negative = 0
    least = most = 0.0
    for _, frame in volumes(image):
        fine = np.isfinite(frame)
        if not fine.all():
            strange += int(frame.size - np.count_nonzero(fine))
            frame = frame[fine]
        if frame.size:
            negative += int(np.count_nonzero(frame < 0))
            least, most = min(least, float(frame.min())), max(most, float(frame.max()))
    if strange:
        raise InputError(
            f"{name} has {_voxels(strange, 'that is', 'that are')} NaN or infinite",
            "expected numbers",
            "set them to 0 where nothing was measured",
        )
    if negative:
        raise InputError(
            f"{name} has {_voxels(negative)} below 0, the least {least:.3g} {image.unit}",
            "expected an image of OSEM, which has none",
            "set them to 0 if resampling made them; filtered back-projection is not what this is"
            " for",
        )
    if most == 0.0:
        raise InputError(f"{name} is 0 everywhere", "expected activity")


def _voxels(count: int, one: str = "", more: str = "") -> str:
    """Return ``1 voxel`` or ``7 voxels``, and the words that go with it."""
    return f"{count:,} voxel{'s' * (count > 1)} {one if count == 1 else more}".rstrip()
