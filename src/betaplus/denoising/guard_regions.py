"""Scores of regions: whether the mean of a region was changed by more than its noise.

The noise of a region's mean is read from the residual itself: a Gaussian filter of width w averages
over a volume of (2 sqrt(pi) sigma)^3, and a region is given the SD of the filter that averages over
as much, interpolated between widths. Beyond the widest, it falls as of independent parts; what a
denoiser leaves of slow noise makes the true one smaller. Only regions larger than the smallest
filter are scored as they should: of thinner ones the SD is too large, and the score too low.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import InputError
from betaplus.denoising.guard import search_mask
from betaplus.denoising.residual import scores, whitened

__all__ = ["RegionScore", "score_regions"]

_WIDTHS = (9.0, 14.0, 21.0, 32.0)
_REACH = 30.0  # mm
_PER_WIDTH = 1.5  # reach at least
_PER_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))


@dataclass(frozen=True, kw_only=True)
class RegionScore:
    """A region before and after.

    Attributes:
        name: Of the region.
        voxels: In it.
        before: Its mean in the image [SUV].
        after: Its mean in the output [SUV].
        z: Mean of the whitened residual over its SD; above 0 where uptake was taken away.
        flagged: Whether |z| is beyond its limit and the mean changed by a share that matters.
    """

    name: str
    voxels: int
    before: float
    after: float
    z: float
    flagged: bool

    def as_dict(self) -> dict[str, object]:
        """Return what is put into records."""
        return asdict(self)


def score_regions(
    noisy: Tensor,
    output: Tensor,
    sd: Tensor,
    voxel: Sequence[float],
    labels: np.ndarray,
    names: Mapping[int, str],
    *,
    limit: float = 4.0,
    change: float = 0.01,
) -> list[RegionScore]:
    """Return the scores of regions, in the order of the names; regions without voxels are left out.

    Args:
        noisy: The image, shape (1, 1, X, Y, Z) [SUV].
        output: What came out, likewise.
        sd: Of the noise, likewise, up to a factor that changes slowly.
        voxel: Voxel edges [mm].
        labels: Region of each voxel, shape (X, Y, Z).
        names: Label to name.
        limit: |z| from which a region is flagged.
        change: Least change of the mean, over the mean of the image.

    Raises:
        InputError: If shapes differ.
    """
    if not noisy.shape[2:] == output.shape[2:] == sd.shape[2:] == np.shape(labels):
        raise InputError(
            f"labels {np.shape(labels)} for an image {tuple(noisy.shape[2:])}", "expected one grid"
        )
    mask = search_mask(output, voxel) & (sd > 0)
    residual = whitened(noisy, output, sd)
    found = {}
    places = {label: np.flatnonzero(np.asarray(labels) == label) for label in names}
    places = {label: torch.from_numpy(place) for label, place in places.items() if place.size}
    spread: dict[int, list[float]] = {label: [] for label in places}
    for width in _WIDTHS:
        reach = max(_REACH, _PER_WIDTH * width)
        scale = scores(residual, mask, voxel, width, reach)[1].flatten()
        for label, place in places.items():
            spread[label].append(float(scale[place].square().mean().sqrt()))
    volumes = [(2.0 * math.sqrt(math.pi) * width / _PER_FWHM) ** 3 for width in _WIDTHS]
    edge = float(np.prod(voxel))
    for label, place in places.items():
        before, after, mean = (
            float(x.flatten()[place].double().mean()) for x in (noisy, output, residual)
        )
        expected = _at_volume(volumes, spread[label], place.numel() * edge)
        z = mean / expected if expected > 0 else 0.0
        relevant = abs(before - after) > change * abs(before)
        found[label] = RegionScore(
            name=names[label],
            voxels=place.numel(),
            before=before,
            after=after,
            z=z,
            flagged=abs(z) > limit and relevant,
        )
    return list(found.values())


def _at_volume(volumes: Sequence[float], sds: Sequence[float], volume: float) -> float:
    """Return the SD of a mean over a volume [mm3], from those over some volumes."""
    if min(sds) <= 0:
        return 0.0
    if volume > volumes[-1]:
        return sds[-1] * math.sqrt(volumes[-1] / volume)
    return math.exp(float(np.interp(math.log(volume), np.log(volumes), np.log(sds))))
