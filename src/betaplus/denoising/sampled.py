"""Draws from the posterior: what its methods share, `ddim` and `ddpm`.

Every step of a sampler blends the estimates of all tiles, and the noise belongs to voxels, not to
tiles, so that draws have no seams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.inputs import BASIS, Shown
from betaplus.denoising.method import Denoised, check_share
from betaplus.denoising.network import LEVELS
from betaplus.denoising.tiles import even_tiles
from betaplus.denoising.volume import Volume
from betaplus.generative.keyed_noise import keyed_noises
from betaplus.generative.samplers import ancestral, ddim
from betaplus.generative.schedules import cosine_levels, ddpm_levels
from betaplus.generative.tiled_denoiser import TiledDenoiser

__all__ = [
    "Ddim",
    "DdimSettings",
    "Ddpm",
    "DdpmSettings",
    "DrawSettings",
    "Sampled",
    "check_number",
]

_MOST = 10_000


class DrawSettings(Protocol):
    """What the settings of all methods that draw have, see `DdimSettings`."""

    samples: int
    tile: int
    overlap: int
    high_band: float


@dataclass(frozen=True, kw_only=True)
class DdimSettings:
    """Settings of `ddim`.

    Attributes:
        samples: Draws; what is returned is their mean.
        steps: Calls of the network a draw.
        tile: Largest edge of tiles [voxels of the network].
        overlap: Of neighbouring tiles; a third of it is a halo on each side, likewise.
        high_band: Share of the noise that the network's grid cannot hold which is taken away.
    """

    samples: int = 1
    steps: int = 20
    tile: int = 96
    overlap: int = 24
    high_band: float = 1.0

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, kw_only=True)
class DdpmSettings(DdimSettings):
    """Settings of `ddpm`: those of `ddim`, with the steps that were published.

    Conditional and ancestral (Yu et al., EJNMMI 2025).
    """

    steps: int = 1000


def check_number(name: str, number: int, most: int = _MOST) -> None:
    """Refuse a setting that is not from 1 to `most`.

    Raises:
        UsageError: If it is not.
    """
    if not 1 <= number <= most:
        raise UsageError(f"{name} is {number}", f"expected 1 to {most}")


def _check(settings: DdimSettings | DdpmSettings) -> None:
    check_number("samples", settings.samples)
    check_number("steps", settings.steps)
    check_share("high_band", settings.high_band)


class Sampled:
    """What the methods share. A piece is a draw.

    Args:
        settings: Of the method.
        denoiser: The network.
    """

    def __init__(self, settings: DrawSettings, denoiser: TrainedDenoiser) -> None:
        self.settings, self.denoiser = settings, denoiser

    def pieces(self, volume: Volume) -> int:
        """Return the number of draws."""
        return self.settings.samples

    def combine(self, volume: Volume, pieces: Sequence[np.ndarray]) -> Denoised:
        """Return mean and SD of the draws."""
        mean = total = None
        for n, z in enumerate(pieces, 1):
            draw = volume.corrected(torch.from_numpy(z)).astype(np.float64)
            if mean is None or total is None:
                mean, total = draw, np.zeros_like(draw)
                continue
            step = draw - mean
            mean += step / n
            total += step * (draw - mean)
        if mean is None or total is None:
            raise ValueError("no draws")
        std = np.sqrt(total / (len(pieces) - 1)).astype(np.float32) if len(pieces) > 1 else None
        return Denoised(mean=mean.astype(np.float32), std=std)

    def tiled(self, volume: Volume) -> TiledDenoiser:
        """Return the denoiser of z of the whole volume."""
        shown, device, told = volume.shown, self.denoiser.device, volume.told

        def denoised(z: Tensor, sigma: Tensor, beside: Tensor) -> Tensor:
            tile = Shown(images=beside[:, :-BASIS], basis=beside[:, -BASIS:]).to(device)
            level = sigma.reshape(-1).float().to(device)
            return self.denoiser.estimate(z.to(device), level, tile, told.to(device)).cpu()

        multiple, s = self.denoiser.network.size.multiple, self.settings
        tile = even_tiles(volume.coarse.shape[2:], s.tile, s.overlap, multiple)
        return TiledDenoiser(
            denoised=denoised,
            tile=(tile[0], tile[1], tile[2]),
            overlap=s.overlap,
            multiple=multiple,
            condition=torch.cat([shown.images, shown.basis], 1),
        )

    def noises(self, volume: Volume, index: int) -> Iterator[Tensor]:
        """Yield the noises of a draw, one a step, keyed by voxel, frame and draw."""
        shape = tuple(volume.coarse.shape[2:])
        return keyed_noises(volume.seed, index, (0, 0, 0), shape, items=(volume.frame,))


class Ddim(Sampled):
    """DDIM (Song et al., ICLR 2021) on cosine levels."""

    Settings = DdimSettings
    settings: DdimSettings

    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Return a draw of z, shape (1, 1, x, y, z)."""
        levels = cosine_levels(self.settings.steps, LEVELS[0], LEVELS[1])
        noises = self.noises(volume, index)
        return ddim(self.tiled(volume), levels, noises).numpy()


class Ddpm(Sampled):
    """Ancestral sampling (Ho et al., NeurIPS 2020) on the published linear schedule."""

    Settings = DdpmSettings
    settings: DdpmSettings

    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Return a draw of z, shape (1, 1, x, y, z)."""
        levels = ddpm_levels(self.settings.steps)
        levels = levels[levels <= LEVELS[1]]  # above it noise hides all of z
        noises = self.noises(volume, index)
        return ancestral(self.tiled(volume), levels, noises).numpy()
