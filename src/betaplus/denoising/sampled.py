"""Draws from the posterior: what its methods share, `ddim` and `ddpm`.

Draws are made around the mean, that of `mmse`: it is computed once for a volume, shown to the
network and what samplers start from. Every step of a sampler blends the estimates of all tiles, and
the noise belongs to voxels, not to tiles, so that draws have no seams.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.draw_network import LEVELS
from betaplus.denoising.inputs import Shown
from betaplus.denoising.method import Denoised, check_share
from betaplus.denoising.tiles import even_tiles
from betaplus.denoising.volume import Volume
from betaplus.generative.keyed_noise import keyed_noises
from betaplus.generative.samplers import ancestral, ddim, dpm_solver
from betaplus.generative.schedules import cosine_levels, ddpm_levels, log_levels
from betaplus.generative.tiled_denoiser import TiledDenoiser
from betaplus.generative.tiling import fuse, plan_tiles

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
_PUBLISHED = 1000  # steps of the published sampler


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
        order: 1 for DDIM itself, on cosine levels; 2 solves its equation with DPM-Solver++(2M), on
            levels even in the logarithm: of the SD of draws DDIM loses 5 to 25 % in 20 steps,
            this 1 %.
        tile: Largest edge of tiles [voxels of the network].
        overlap: Of neighbouring tiles; a third of it is a halo on each side, likewise.
        high_band: Share of the noise that the network's grid cannot hold which is taken away.
    """

    samples: int = 1
    steps: int = 20
    order: int = 2
    tile: int = 96
    overlap: int = 24
    high_band: float = 1.0

    def __post_init__(self) -> None:
        check_number("samples", self.samples)
        check_number("steps", self.steps, least=2)
        check_number("order", self.order, most=2)
        check_share("high_band", self.high_band)


@dataclass(frozen=True, kw_only=True)
class DdpmSettings:
    """Settings of `ddpm`.

    Conditional and ancestral (Yu et al., EJNMMI 2025).

    Attributes:
        samples: Draws; what is returned is their mean.
        steps: Calls of the network a draw, spread over the 1000 that were published.
        tile: Largest edge of tiles [voxels of the network].
        overlap: Of neighbouring tiles; a third of it is a halo on each side, likewise.
        high_band: Share of the noise that the network's grid cannot hold which is taken away.
    """

    samples: int = 1
    steps: int = 1000
    tile: int = 96
    overlap: int = 24
    high_band: float = 1.0

    def __post_init__(self) -> None:
        check_number("samples", self.samples)
        check_number("steps", self.steps, least=2, most=_PUBLISHED)
        check_share("high_band", self.high_band)


def check_number(name: str, number: int, most: int = _MOST, least: int = 1) -> None:
    """Refuse a setting that is not from `least` to `most`.

    Raises:
        UsageError: If it is not.
    """
    if not least <= number <= most:
        raise UsageError(f"{name} is {number}", f"expected {least} to {most}")


class Sampled(ABC):
    """What the methods share. A piece is a draw.

    Args:
        settings: Of the method.
        denoiser: The network.
    """

    def __init__(self, settings: DrawSettings, denoiser: TrainedDenoiser) -> None:
        self.settings, self.denoiser = settings, denoiser
        self._shown: WeakKeyDictionary[Volume, Tensor] = WeakKeyDictionary()
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings, self.denoiser)

    def pieces(self, volume: Volume) -> int:
        """Return the number of draws."""
        return self.settings.samples

    def shared(self, volume: Volume) -> Volume:
        """Return the volume, of which every draw needs all."""
        return volume

    def part(self, volume: Volume, index: int) -> int:
        """Return the number of the draw."""
        return index

    def work(self, shared: Volume, part: int) -> np.ndarray:
        """Return a draw of z, shape (1, 1, x, y, z)."""
        return self.compute(shared, part)

    @abstractmethod
    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Return a draw of z, shape (1, 1, x, y, z)."""

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
        device, told = self.denoiser.device, volume.told

        def denoised(z: Tensor, sigma: Tensor, beside: Tensor) -> Tensor:
            mean, images = beside[:, :1], beside[:, 1:]
            tile = Shown(images=images, basis=images[:, :0], mean=mean).to(device)
            level = sigma.reshape(-1).float().clamp(*LEVELS)
            # Above the levels of training noise hides all of z but its mean, and what the rest is
            # scaled to is noise; below them the score stays, and with it less is taken.
            share = (sigma.reshape(-1).float() / level).to(z).reshape(-1, 1, 1, 1, 1)
            z = mean + (z - mean) / share.clamp(min=1.0)
            found = self.denoiser.estimate(z.to(device), level.to(device), tile, told.to(device))
            return z + share.clamp(max=1.0).square() * (found.cpu() - z)

        size, overlap, multiple = self._tiles(volume)
        return TiledDenoiser(
            denoised=denoised,
            tile=size,
            overlap=overlap,
            multiple=multiple,
            condition=self._beside(volume),
        )

    def mean(self, volume: Volume) -> Tensor:
        """Return the mean of z of the whole volume, shape (1, 1, x, y, z)."""
        return self._beside(volume)[:, :1]

    def start(self, volume: Volume, level: float | Tensor, noises: Iterator[Tensor]) -> Tensor:
        """Return where a draw starts: noise of a level around the mean."""
        return self.mean(volume) + float(level) * next(noises)

    def _beside(self, volume: Volume) -> Tensor:
        """Return the mean and the images that are shown, for all draws, shape (1, 20, x, y, z)."""
        with self._lock:
            if volume not in self._shown:
                shown, device, told = volume.shown, self.denoiser.device, volume.told
                plan = plan_tiles(tuple(volume.coarse.shape[2:]), *self._tiles(volume))

                def of_tile(index: int) -> Tensor:
                    parts = (plan.cut(x, index) for x in (shown.images, shown.basis))
                    tile = Shown(images=next(parts), basis=next(parts)).to(device)
                    return self.denoiser.mean(tile, told.to(device)).cpu()

                mean = fuse(plan, ((index, of_tile(index)) for index in range(len(plan))))
                self._shown[volume] = torch.cat([mean, shown.images], 1)
            return self._shown[volume]

    def _tiles(self, volume: Volume) -> tuple[tuple[int, ...], int, int]:
        """Return edges of tiles, their overlap, and what edges are multiples of."""
        multiple, s = self.denoiser.network.size.multiple, self.settings
        edges = even_tiles(volume.coarse.shape[2:], s.tile, s.overlap, multiple)
        return edges, s.overlap, multiple

    def noises(self, volume: Volume, index: int) -> Iterator[Tensor]:
        """Yield the noises of a draw, one a step, keyed by voxel, frame and draw."""
        shape = tuple(volume.coarse.shape[2:])
        return keyed_noises(volume.seed, index, (0, 0, 0), shape, items=(volume.frame,))


class Ddim(Sampled):
    """DDIM (Song et al., ICLR 2021) on cosine levels, or its equation solved to second order."""

    Settings = DdimSettings
    settings: DdimSettings

    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Return a draw of z, shape (1, 1, x, y, z)."""
        steps, network = self.settings.steps, self.tiled(volume)
        sampler, schedule = (
            (ddim, cosine_levels) if self.settings.order == 1 else (dpm_solver, log_levels)
        )
        levels = schedule(steps, LEVELS[0], LEVELS[1])
        start = self.start(volume, levels[0], self.noises(volume, index))
        return sampler(network, levels, (), start=start).numpy()


class Ddpm(Sampled):
    """Ancestral sampling (Ho et al., NeurIPS 2020) on the published linear schedule."""

    Settings = DdpmSettings
    settings: DdpmSettings

    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Return a draw of z, shape (1, 1, x, y, z)."""
        levels = ddpm_levels(self.settings.steps)
        noises = self.noises(volume, index)
        start = self.start(volume, levels[0], noises)
        return ancestral(self.tiled(volume), levels, noises, start=start).numpy()
