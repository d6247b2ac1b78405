"""A denoiser of whole images made of two: one of averaged images where the noise is large.

Noise that hides everything but the rough shape leaves a network of fine images little to learn
from, step for step. Means over blocks of f voxels an edge have f^(d/2) times less noise, and are
small images: a network of those learns the rough shape many times faster (cf. the cascades of Ho et
al., JMLR 23:47, 2022). Its estimate is interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from betaplus.generative.denoiser import Denoised

__all__ = ["CoarseToFine"]

_MODES = {2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True, eq=False, kw_only=True)
class CoarseToFine:
    """A `Denoised` for images (B, C, X, Y) and volumes (B, C, X, Y, Z).

    Attributes:
        fine: Denoiser for noise up to `switch`.
        coarse: Denoiser of means over blocks, for more.
        pool: Edge of the blocks [voxels].
        switch: The noise level.
    """

    fine: Denoised
    coarse: Denoised
    pool: int
    switch: float

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the clean estimate of x, of its shape.

        Args:
            x: Edges are multiples of `pool`.
            sigma: Noise level, one for all.
        """
        if float(sigma) <= self.switch:
            return self.fine(x, sigma)
        axes = x.ndim - 2
        average = functional.avg_pool2d if axes == 2 else functional.avg_pool3d
        rough = self.coarse(average(x, self.pool), sigma / self.pool ** (axes / 2))
        return functional.interpolate(rough.float(), scale_factor=self.pool, mode=_MODES[axes])
