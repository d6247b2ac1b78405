"""The voxels of an image, frame by frame, and whether they can be denoised.

OSEM has no value below 0, but resampling, registration and corrections leave a few. Methods see 0
there; what was below 0 is added to what they return, smoothed, so that no local mean changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.io.nifti import LazyNifti

__all__ = ["add_below", "check_values", "split_below", "volumes"]

_MOST_BELOW = 0.01  # of the activity: resampled OSEM has less, filtered back-projection more
_HEAD = 260.0  # mm: a head is smaller along every axis, a trunk is not
_SEEN = 0.05  # of the largest value: what is activity
_FWHM = 8.0  # mm, of the filter on what is below 0
_FWHM_PER_SD = 2.0 * math.sqrt(2.0 * math.log(2.0))


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


def split_below(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a frame with 0 for what is below 0, and that; None where nothing is.

    Args:
        frame: Shape (X, Y, Z) float32.
    """
    if not frame.size or frame.min() >= 0:
        return frame, None
    return np.maximum(frame, 0.0), np.minimum(frame, 0.0)


def add_below(
    mean: np.ndarray, below: np.ndarray | None, voxel: Sequence[float], mask: np.ndarray | None
) -> np.ndarray:
    """Return what a method made of a frame together with what it was not shown.

    Args:
        mean: Shape (X, Y, Z) float32.
        below: From `split_below`; its sum is kept by a Gaussian filter of 8 mm.
        voxel: Voxel edges [mm].
        mask: Voxels that count, shape (X, Y, Z), or None for all.
    """
    if below is None:
        return mean
    from scipy.ndimage import gaussian_filter

    sd = [_FWHM / _FWHM_PER_SD / edge for edge in voxel]
    added = gaussian_filter(below, sd, mode="reflect")
    return mean + (added if mask is None else np.where(mask, added, np.float32(0.0)))


def check_values(image: PetImage, learned: bool = False) -> tuple[str, ...]:
    """Refuse an image with voxels that no OSEM reconstruction has; return what is to be remarked.

    Voxels below 0 are taken where together they are at most 1 % of the activity.

    Args:
        image: The image; all voxels are read, once.
        learned: Whether a network trained on bodies is to work on it, which blurs a head alone.

    Raises:
        InputError: If voxels are NaN or infinite, more is below 0, or all are 0; it says how many.
    """
    name = image.source.name if image.source else "the image"
    strange = negative = 0
    least = most = below = above = 0.0
    peaks = [np.zeros(n) for n in image.shape[:3]]
    for _, frame in volumes(image):
        fine = np.isfinite(frame)
        if not fine.all():
            strange += int(frame.size - np.count_nonzero(fine))
            frame = frame[fine]
        elif learned:
            for axis, peak in enumerate(peaks):
                others = tuple(a for a in range(3) if a != axis)
                np.maximum(peak, frame.max(others), out=peak)
        if frame.size:
            negative += int(np.count_nonzero(frame < 0))
            least, most = min(least, float(frame.min())), max(most, float(frame.max()))
            below -= float(np.minimum(frame, 0.0).sum(dtype=np.float64))
            above += float(np.maximum(frame, 0.0).sum(dtype=np.float64))
    if strange:
        raise InputError(
            f"{name} has {_voxels(strange, 'that is', 'that are')} NaN or infinite",
            "expected numbers",
            "set them to 0 where nothing was measured",
        )
    if negative and below > _MOST_BELOW * above:
        held = f", {100 * below / above:.3g} % of its activity" if above else ""
        raise InputError(
            f"{name} has {_voxels(negative)} below 0, the least {least:.3g} {image.unit}{held}",
            f"expected an image of OSEM, at most {100 * _MOST_BELOW:g} % below 0",
            "reconstruct it by OSEM; filtered back-projection is not what this is for",
        )
    if most == 0.0:
        raise InputError(f"{name} is 0 everywhere", "expected activity")
    remarks = _head_remarks(peaks, image.voxel_size) if learned else ()
    if not negative:
        return remarks
    share = f"{100 * below / above:.2g} % of the activity"
    return (
        *remarks,
        f"{_voxels(negative)} below 0, the least {least:.3g} {image.unit}, {share}: taken as 0, and"
        f" added to the result after a filter of {_FWHM:g} mm",
    )


def _head_remarks(peaks: Sequence[np.ndarray], voxel: Sequence[float]) -> tuple[str, ...]:
    """Return a warning where the activity is as small as that of a head."""
    longest = 0.0
    for peak, edge in zip(peaks, voxel, strict=True):
        seen = np.flatnonzero(peak > _SEEN * peak.max())
        longest = max(longest, float(edge * (seen[-1] - seen[0] + 1)) if seen.size else 0.0)
    if longest >= _HEAD:
        return ()
    return (
        f"the activity is {longest / 10:.0f} cm long, less than {_HEAD / 10:.0f} cm, as that of a"
        " head alone, whose edges the network takes for noise: see that the difference shows no"
        " anatomy, or take --method nlm",
    )


def _voxels(count: int, one: str = "", more: str = "") -> str:
    """Return ``1 voxel`` or ``7 voxels``, and the words that go with it."""
    return f"{count:,} voxel{'s' * (count > 1)} {one if count == 1 else more}".rstrip()
