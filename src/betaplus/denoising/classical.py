"""`gaussian` and `nlm`: filters matched to the noise, without a network.

The SD of noise that they are told is measured on the grid that networks work on, and brought to the
voxels of the image by `Volume.sd`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from betaplus.denoising.gaussian import GaussianSettings, gaussian
from betaplus.denoising.method import Denoised
from betaplus.denoising.nlm import NlmSettings, matched, nlm
from betaplus.denoising.volume import Volume
from betaplus.simulation.fields import sigma_of_fwhm

__all__ = ["GRID", "Gaussian", "Nlm"]

GRID = 3.0
"""Edge of the voxels on which noise is measured where no network says [mm]."""

_SLAB = 32  # voxels along the last axis
_TRUNCATE = 4.0  # standard deviations: where filters end


class Gaussian:
    """The Gaussian filter. The volume is one piece.

    Args:
        settings: Its settings.
    """

    Settings = GaussianSettings

    def __init__(self, settings: GaussianSettings) -> None:
        self.settings = settings

    def pieces(self, volume: Volume) -> int:
        """Return 1."""
        return 1

    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Return the filtered volume."""
        return self.work(self.shared(volume), self.part(volume, index))

    def shared(self, volume: Volume) -> tuple[float, float, float]:
        """Return the edges of voxels."""
        return volume.voxel

    def part(self, volume: Volume, index: int) -> tuple[np.ndarray, np.ndarray | float]:
        """Return the volume and its noise, where that matters."""
        return volume.data, volume.sd if self.settings.fwhm is None else 0.0

    def work(
        self, shared: tuple[float, float, float], part: tuple[np.ndarray, np.ndarray | float]
    ) -> np.ndarray:
        """Return the filtered volume."""
        data, sd = part
        return gaussian(data, sd, shared, self.settings)

    def combine(self, volume: Volume, pieces: Sequence[np.ndarray]) -> Denoised:
        """Return the denoised volume."""
        return Denoised(mean=pieces[0])


class Slab(NamedTuple):
    """Planes of a volume and what is looked at around them.

    Attributes:
        data: Shape (X, Y, planes) float32 [SUV].
        sd: Of the noise, likewise.
        voxel: Edges [mm].
        wanted: The planes themselves.
    """

    data: np.ndarray
    sd: np.ndarray
    voxel: tuple[float, float, float]
    wanted: slice


class Nlm:
    """Non-local means. A piece is a slab of planes.

    Args:
        settings: Its settings.
    """

    Settings = NlmSettings

    def __init__(self, settings: NlmSettings) -> None:
        self.settings = settings

    def pieces(self, volume: Volume) -> int:
        """Return the number of slabs."""
        return int(-(-volume.data.shape[2] // _SLAB))

    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Return a denoised slab, shape (X, Y, planes)."""
        return self.work(self.shared(volume), self.part(volume, index))

    def shared(self, volume: Volume) -> NlmSettings:
        """Return the settings, with one width for all slabs."""
        return matched(self.settings, volume.data, volume.sd, volume.voxel)

    def part(self, volume: Volume, index: int) -> Slab:
        """Return a slab with what is looked at around it."""
        planes, edge, s = volume.data.shape[2], volume.voxel[2], self.shared(volume)
        first, last = index * _SLAB, min((index + 1) * _SLAB, planes)
        # What a voxel looks at: the search, the guide's filter there, a patch of 3 voxels or more.
        assert s.fwhm is not None
        reach = (s.reach * s.search + _TRUNCATE * sigma_of_fwhm(s.guide)) * s.fwhm + s.patch
        halo = math.ceil(reach / edge) + 2
        low, high = max(first - halo, 0), min(last + halo, planes)
        data, sd = (np.ascontiguousarray(x[..., low:high]) for x in (volume.data, volume.sd))
        return Slab(data, sd, volume.voxel, slice(first - low, last - low))

    def work(self, shared: NlmSettings, part: Slab) -> np.ndarray:
        """Return a denoised slab, shape (X, Y, planes)."""
        mask = np.zeros(part.data.shape, bool)
        mask[..., part.wanted] = True
        return nlm(part.data, part.sd, part.voxel, shared, mask=mask)[..., part.wanted]

    def combine(self, volume: Volume, pieces: Sequence[np.ndarray]) -> Denoised:
        """Return the denoised volume."""
        return Denoised(mean=np.concatenate(list(pieces), axis=2))
