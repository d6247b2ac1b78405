r"""From an image to the grid of the network and back, as a correction.

The output is out = y + R^-1 c with c = f(R y) - R y, the correction that a network f makes on a
grid. Its voxels are those of the network's training where the image's are finer, and the image's
own where they are coarser, since interpolated noise is unlike any other. What the network leaves
alone is left alone to the last bit, whatever the grids, and nothing that the grid cannot hold is
lost. The noise that the grid cannot hold, where the image's voxels are finer, is taken out apart
(`shrink_high_band`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from betaplus.core.errors import InputError
from betaplus.denoising.local_scale import local_scale
from betaplus.denoising.separable import along_axes, cubic_matrix, gaussian_matrix

__all__ = ["Resampler", "check_voxels", "shrink_high_band"]

_LEAST_VOXELS = 8
_LARGEST_EDGE = 8.0
_LARGEST_RATIO = 4.0
_WIDE = 30.0  # mm, of the neighbourhood whose noise is taken as one
_NARROW = 2.5  # mm, of that in which signal is looked for
_NOISE, _SIGNAL = 1.6, 4.0  # times the noise's energy: all of it goes, none goes; nominal


def check_voxels(voxel: Sequence[float], shape: Sequence[int]) -> None:
    """Refuse images that a grid of isotropic voxels does not stand for.

    Args:
        voxel: Edges [mm].
        shape: Of the volume.

    Raises:
        InputError: If an axis has fewer than 8 voxels, an edge is above 8 mm, or edges differ by
            more than 4 times.
    """
    size = " x ".join(f"{v:.3g}" for v in voxel)
    if len(shape) != 3 or len(voxel) != 3 or min(shape) < _LEAST_VOXELS:
        raise InputError(
            f"a volume of {' x '.join(map(str, shape))} voxels",
            f"the denoiser needs three axes of at least {_LEAST_VOXELS}",
        )
    if not all(math.isfinite(v) and v > 0 for v in voxel):
        raise InputError(f"voxels of {size} mm", "expected edges above 0")
    if max(voxel) > _LARGEST_EDGE:
        raise InputError(
            f"voxels of {size} mm",
            f"the denoiser needs edges of at most {_LARGEST_EDGE:g} mm",
            "use --method gaussian",
        )
    if max(voxel) > _LARGEST_RATIO * min(voxel):
        raise InputError(
            f"voxels of {size} mm",
            f"the denoiser needs edges that differ by at most {_LARGEST_RATIO:g} times",
            "resample the image",
        )


class Resampler:
    """Between the voxels of an image and those of a grid with the same field of view.

    Attributes:
        shape: Of the image.
        voxel: Its voxel edges [mm].
        grid_voxel: Edges of the grid's voxels [mm].
        grid_shape: Of the grid: as many voxels as cover the image, around the same middle.

    Args:
        shape: Of the image.
        voxel: Its voxel edges [mm].
        grid_voxel: Edge of the grid's voxels at least [mm].
    """

    def __init__(self, shape: Sequence[int], voxel: Sequence[float], grid_voxel: float) -> None:
        self.shape, self.voxel = tuple(shape), tuple(float(v) for v in voxel)
        self.grid_voxel = tuple(max(v, float(grid_voxel)) for v in self.voxel)
        self.grid_shape = tuple(
            max(1, math.ceil(n * v / w - 1e-3))
            for n, v, w in zip(self.shape, self.voxel, self.grid_voxel, strict=True)
        )
        axes = list(zip(self.shape, self.voxel, self.grid_shape, self.grid_voxel, strict=True))
        self._down = [cubic_matrix(n, v, m, w) for n, v, m, w in axes]
        self._up = [cubic_matrix(m, w, n, v) for n, v, m, w in axes]

    def grid_affine(self, affine: np.ndarray) -> np.ndarray:
        """Return the affine of the grid, shape (4, 4) [mm].

        Args:
            affine: Of the image.
        """
        step = np.array(self.grid_voxel) / np.array(self.voxel)
        first = (np.array(self.shape) - 1) / 2 - step * (np.array(self.grid_shape) - 1) / 2
        to_image = np.diag([*step, 1.0])
        to_image[:3, 3] = first
        return np.asarray(affine, np.float64) @ to_image

    def down(self, volume: Tensor) -> Tensor:
        """Return R y: volumes (B, 1, X, Y, Z) of the image's voxels on the grid, float32."""
        return along_axes(volume, self._down)

    def up(self, correction: Tensor) -> Tensor:
        """Return R^-1 c: corrections (B, 1, X, Y, Z) of the grid on the image's voxels, float32.

        It interpolates; a correction that is 0 everywhere stays so exactly.
        """
        return along_axes(correction, self._up)

    def high_band(self, volume: Tensor) -> Tensor:
        """Return what the grid cannot hold of volumes (B, 1, X, Y, Z); 0 where grids are one."""
        return volume - self.up(self.down(volume))


def shrink_high_band(
    high: Tensor, sd: Tensor, voxel: Sequence[float], *, strength: float = 1.0
) -> Tensor:
    """Return the noise of a high band, to be taken from the image; exactly 0 at strength 0.

    Its local energy is compared with that of noise (an empirical Wiener filter): where there is no
    more than noise has all of it goes, and where there is much more nothing does.

    Args:
        high: `Resampler.high_band`, shape (1, 1, X, Y, Z) [SUV].
        sd: Of the image's noise up to a factor, likewise [SUV]; 0 where nothing is to be done.
        voxel: Voxel edges [mm].
        strength: Share of the noise that goes.
    """
    if strength == 0.0:
        return torch.zeros_like(high)
    mask = sd > 0
    whitened = torch.where(mask, high / sd.clamp_min(1e-12), 0.0)
    pools = [max(1, min(n, round(_NARROW / v))) for n, v in zip(high.shape[2:], voxel, strict=True)]
    energy = functional.avg_pool3d(
        whitened.square(), pools, pools, ceil_mode=True, count_include_pad=False
    )
    near = [
        gaussian_matrix(n, _NARROW / (p * v), zeros=False)
        for n, p, v in zip(energy.shape[2:], pools, voxel, strict=True)
    ]
    level = local_scale(whitened, mask, voxel, _WIDE, energy.shape[2:])
    energy = along_axes(energy, near) / level.square().clamp_min(1e-20)
    removed = ((_SIGNAL - energy) / (_SIGNAL - _NOISE)).clamp_(0.0, 1.0) * strength
    removed = functional.interpolate(removed, tuple(high.shape[2:]), mode="trilinear")
    return removed.mul_(high).mul_(mask)
