"""`mmse`: the mean of the clean image given the noisy one, in one call of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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
        return self.work(self.shared(volume), self.part(volume, index))

    def shared(self, volume: Volume) -> Tensor:
        """Return what the network is told."""
        return volume.told

    def part(self, volume: Volume, index: int) -> Shown:
        """Return what the network sees of a tile, in memory of its own."""
        shown, plan = volume.shown, self._plan(volume)
        images, basis = (plan.cut(x, index).contiguous() for x in (shown.images, shown.basis))
        return Shown(images=images, basis=basis)

    def work(self, shared: Tensor, part: Shown) -> np.ndarray:
        """Return z on a tile, from what the network is told and what it sees."""
        device = self.denoiser.device
        return self.denoiser.mean(part.to(device), shared.to(device)).cpu().numpy()

    def combine(self, volume: Volume, pieces: Sequence[np.ndarray]) -> Denoised:
        """Return the denoised volume."""
        tiles = ((i, torch.from_numpy(tile)) for i, tile in enumerate(pieces))
        z = fuse(self._plan(volume), tiles)
        if self.settings.kept:
            change, sd = z * volume.noise.sd, volume.noise.sd
            given = kept_means(
                -change, volume.coarse + change, volume.resampler.grid_voxel, volume.threads
            )
            z = z + self.settings.kept * given / sd
        return Denoised(mean=volume.corrected(z))

    def _plan(self, volume: Volume) -> TilePlan:
        shape, s = tuple(volume.coarse.shape[2:]), self.settings
        multiple = self.denoiser.network.size.multiple
        tile = even_tiles(shape, s.tile, s.overlap, multiple)
        return plan_tiles(shape, tile, s.overlap, multiple)
