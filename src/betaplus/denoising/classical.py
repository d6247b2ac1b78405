"""`gaussian` and `nlm`: filters matched to the noise, without a network.

The SD of noise that they are told is measured on the grid that networks work on, and brought to the
voxels of the image by `Volume.sd`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from betaplus.denoising.gaussian import GaussianSettings, gaussian, matched_fwhm
from betaplus.denoising.method import Denoised
from betaplus.denoising.nlm import NlmSettings, nlm
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
        sd = volume.sd if self.settings.fwhm is None else 0.0
        return gaussian(volume.data, sd, volume.voxel, self.settings)

    def combine(self, volume: Volume, pieces: Sequence[np.ndarray]) -> Denoised:
        """Return the denoised volume."""
        return Denoised(mean=pieces[0])


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
        planes, edge, s = volume.data.shape[2], volume.voxel[2], self.settings
        first, last = index * _SLAB, min((index + 1) * _SLAB, planes)
        fwhm = s.fwhm
        if fwhm is None:  # one for all slabs
            fwhm = matched_fwhm(volume.data, volume.sd, volume.voxel)
        # What a voxel looks at: the search, the guide's filter there, a patch of 3 voxels or more.
        reach = (s.reach * s.search + _TRUNCATE * sigma_of_fwhm(s.guide)) * fwhm + s.patch
        halo = math.ceil(reach / edge) + 2
        low, high = max(first - halo, 0), min(last + halo, planes)
        mask = np.zeros((*volume.data.shape[:2], high - low), bool)
        mask[..., first - low : last - low] = True
        near = (..., slice(low, high))
        settings = dataclasses.replace(s, fwhm=fwhm)
        found = nlm(volume.data[near], volume.sd[near], volume.voxel, settings, mask=mask)
        return found[..., first - low : last - low]

    def combine(self, volume: Volume, pieces: Sequence[np.ndarray]) -> Denoised:
        """Return the denoised volume."""
        return Denoised(mean=np.concatenate(list(pieces), axis=2))
