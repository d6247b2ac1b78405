"""`mmse`: the mean of the clean image given the noisy one, in one call of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.inputs import Shown
from betaplus.denoising.kept_means import kept_means
from betaplus.denoising.method import Denoised, check_share
from betaplus.denoising.tiles import even_tiles
from betaplus.denoising.volume import Volume
from betaplus.generative.tiling import TilePlan, fuse, plan_tiles

__all__ = ["Mmse", "MmseSettings"]


@dataclass(frozen=True, kw_only=True)
class MmseSettings:
    """Settings of `mmse`.

    Attributes:
        tile: Largest edge of tiles [voxels of the network].
        overlap: Of neighbouring tiles; a third of it is a halo on each side, likewise.
        high_band: Share of the noise that the network's grid cannot hold which is taken away.
        kept: Share of what was taken from whole tissues that is given back, see `kept_means`.
    """

    tile: int = 96
    overlap: int = 24
    high_band: float = 1.0
    kept: float = 1.0

    def __post_init__(self) -> None:
        check_share("high_band", self.high_band)
        check_share("kept", self.kept)


class Mmse:
    """The method. A piece is a tile.

    Args:
        settings: Its settings.
        denoiser: The network.
    """

    Settings = MmseSettings

    def __init__(self, settings: MmseSettings, denoiser: TrainedDenoiser) -> None:
        self.settings, self.denoiser = settings, denoiser

    def pieces(self, volume: Volume) -> int:
        """Return the number of tiles."""
        return len(self._plan(volume))

    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Return z on a tile, shape (1, 1, *tile) float32."""
        device, shown, plan = self.denoiser.device, volume.shown, self._plan(volume)
        tile = Shown(images=plan.cut(shown.images, index), basis=plan.cut(shown.basis, index))
        return self.denoiser.mean(tile.to(device), volume.told.to(device)).cpu().numpy()

    def combine(self, volume: Volume, pieces: Sequence[np.ndarray]) -> Denoised:
        """Return the denoised volume."""
        tiles = ((i, torch.from_numpy(tile)) for i, tile in enumerate(pieces))
        z = fuse(self._plan(volume), tiles)
        if self.settings.kept:
            change, sd = z * volume.noise.sd, volume.noise.sd
            given = kept_means(-change, volume.coarse + change, volume.resampler.grid_voxel)
            z = z + self.settings.kept * given / sd
        return Denoised(mean=volume.corrected(z))

    def _plan(self, volume: Volume) -> TilePlan:
        shape, s = tuple(volume.coarse.shape[2:]), self.settings
        multiple = self.denoiser.network.size.multiple
        tile = even_tiles(shape, s.tile, s.overlap, multiple)
        return plan_tiles(shape, tile, s.overlap, multiple)
