"""A noisy volume as methods get it, and the way back from a correction to the volume."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from betaplus.denoising.inputs import Shown, context_of, show
from betaplus.denoising.local_scale import local_scale
from betaplus.denoising.noise import NoiseMaps, measure_noise
from betaplus.denoising.resample import Resampler, shrink_high_band

__all__ = ["Volume"]

_LEAST_SD = 1e-6  # SUV
_NEAR = 30.0  # mm, of the neighbourhood whose noise is taken as one


@dataclass(frozen=True, eq=False, kw_only=True)
class Volume:
    """A volume to denoise.

    Attributes:
        data: Shape (X, Y, Z) float32 [SUV].
        voxel: Voxel edges [mm].
        grid_voxel: Edge of the voxels that networks work on, at least [mm].
        dose: Fraction of the counts of a usual scan; None where it is not known.
        seed: Of what is drawn.
        frame: Number of the frame.
        high_band: Share of the noise that the grid cannot hold which is taken away.
        threads: For what is computed once for all pieces; bits do not depend on it.
    """

    data: np.ndarray
    voxel: tuple[float, float, float]
    grid_voxel: float
    dose: float | None = None
    seed: int = 0
    frame: int = 0
    high_band: float = 1.0
    threads: int = 1

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what was derived from the attributes: it is larger than they are."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"threads": 1}

    @cached_property
    def image(self) -> Tensor:
        """The volume, shape (1, 1, X, Y, Z)."""
        return torch.from_numpy(np.ascontiguousarray(self.data, dtype=np.float32))[None, None]

    @cached_property
    def resampler(self) -> Resampler:
        """Between the volume and the grid of the network."""
        return Resampler(self.data.shape, self.voxel, self.grid_voxel)

    @cached_property
    def coarse(self) -> Tensor:
        """The volume on the grid of the network."""
        return self.resampler.down(self.image)

    @cached_property
    def noise(self) -> NoiseMaps:
        """Noise of `coarse`."""
        return measure_noise(self.coarse)

    @cached_property
    def shown(self) -> Shown:
        """What networks see."""
        return show(self.coarse, self.noise, self.threads)

    @cached_property
    def told(self) -> Tensor:
        """What networks are told."""
        return context_of([self.dose], [self.resampler.grid_voxel])

    @cached_property
    def beyond(self) -> Tensor:
        """What of the noise the grid cannot hold and is taken away, (1, 1, X, Y, Z) [SUV]."""
        if self.high_band == 0.0:
            return torch.zeros(())
        high = self.resampler.high_band(self.image)
        if not high.any():
            return torch.zeros(())
        return shrink_high_band(high, self._up_sd, self.voxel, strength=self.high_band)

    def prepare(self, learned: bool) -> None:
        """Compute what pieces share, before threads ask for it at a time.

        Args:
            learned: Whether they are a network's.
        """
        _ = self.shown if learned else self.sd

    @cached_property
    def _up_sd(self) -> Tensor:
        return self.resampler.up(self.noise.sd).clamp_min(_LEAST_SD)

    @cached_property
    def sd(self) -> np.ndarray:
        """SD of the noise of the volume's own voxels, shape (X, Y, Z) float32 [SUV].

        That of the grid, and of what the grid cannot hold.
        """
        whitened = self.resampler.high_band(self.image) / self._up_sd
        beyond = local_scale(whitened, self.image > 0, self.voxel, _NEAR)
        return (self._up_sd * (1.0 + beyond.square()).sqrt())[0, 0].numpy()

    def corrected(self, z: Tensor) -> np.ndarray:
        """Return the volume with a correction, shape (X, Y, Z) float32 [SUV].

        Args:
            z: Correction in units of the noise, shape (1, 1, x, y, z) on the grid.
        """
        correction = self.resampler.up(z * self.noise.sd)
        return (self.image + correction - self.beyond)[0, 0].numpy()
