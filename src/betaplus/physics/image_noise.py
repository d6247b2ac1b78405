r"""Noise as it stands in the voxels of an image: where tissue is, neighbourhoods, correlation.

The root of a chi-square that frames leave of a voxel, averaged over a neighbourhood, over the mean
of a chi variable,

.. math:: E[\chi_\nu] = \sqrt{2}\, \Gamma((\nu + 1) / 2) / \Gamma(\nu / 2),

is an SD of noise that the few voxels of another kind move little.

The filters of a reconstruction correlate noise. As white noise through a Gaussian of SD
:math:`\sigma` it has :math:`\rho(d) = \exp(-d^2 / 4 \sigma^2)` between voxels that are d apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from betaplus.physics.blur import GaussianBlur

__all__ = ["NoiseCorrelation", "chi_mean", "masked_mean", "not_air"]

_SMOOTH = 12.0  # mm: width of the filter before tissue is looked for
_THIN = 1e-3  # share of a neighbourhood inside the mask: below it there is none
_FAR = 6.0  # SD beyond which nothing counts for more
_NO_CORRELATION = 0.05
_FEW = 8  # pairs of voxels
_FOUR_PI = 4.0 * math.pi
_PER_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))


def masked_mean(
    x: np.ndarray, weight: np.ndarray, voxel: tuple[float, float, float], fwhm: float
) -> np.ndarray:
    """Return x through a Gaussian that takes nothing from outside the weights, float32.

    Args:
        x: Shape (X, Y, Z).
        weight: Of voxels, likewise; a mask, for one.
        voxel: Edges of a voxel [mm].
        fwhm: Full width at half maximum [mm]; 0 does nothing.
    """
    weight = np.asarray(weight, np.float32)
    inside = np.where(weight > 0.0, x, 0.0)
    if fwhm == 0.0:
        return inside.astype(np.float32)
    x_size, y_size, z_size = weight.shape
    blur = GaussianBlur((x_size, y_size, z_size), voxel, fwhm)
    share = blur.forward(weight)
    found = blur.forward(inside * weight)
    thin = share <= _THIN * max(float(weight.max(initial=0.0)), 1e-30)
    return np.where(thin, 0.0, found / np.where(thin, 1.0, share)).astype(np.float32)


def not_air(
    static: np.ndarray,
    mask: np.ndarray,
    voxel: tuple[float, float, float],
    level: Callable[[np.ndarray], float],
    share: float = 0.05,
) -> np.ndarray:
    """Return the voxels of a mask that are not air, shape (X, Y, Z) bool; the mask if none is.

    A mask of all voxels that are not 0 holds much air, whose noise is not that of tissue.

    Args:
        static: Uptake, shape (X, Y, Z): the sum of frames, for one.
        mask: Voxels wanted, likewise.
        voxel: Edges of a voxel [mm].
        level: Gives the level of an image from its values, whatever share of them is air.
        share: Of that level: below it a voxel is air.
    """
    mask = np.asarray(mask, dtype=bool)
    smooth = masked_mean(static, mask, voxel, _SMOOTH)
    if not (smooth[mask] > 0.0).any():
        return mask
    found = np.asarray(mask & (smooth > share * level(smooth[mask])))
    return found if found.any() else mask


def chi_mean(freedom: float) -> float:
    """Return the mean of a chi variable."""
    logs = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    return math.sqrt(2.0) * math.exp(logs)


@dataclass(frozen=True, kw_only=True)
class NoiseCorrelation:
    """How far noise is correlated, as if it were white noise through a Gaussian.

    Attributes:
        sigma: SD of that Gaussian along each axis [mm]; 0 is white noise.
        voxel: Edges of a voxel [mm].
    """

    sigma: tuple[float, float, float]
    voxel: tuple[float, float, float]

    @classmethod
    def of(
        cls,
        white: np.ndarray,
        noise: np.ndarray,
        tissue: np.ndarray,
        voxel: tuple[float, float, float],
    ) -> NoiseCorrelation:
        """Measure it in tissue.

        What is looked at is an image over its SD: it has a sign, so that an SD that is off
        somewhere does not pass for correlation. Of the two next voxels along an axis, the one is
        used where the correlation is nearer 1/2.

        Args:
            white: A combination of frames in which their signal cancels, shape (X, Y, Z).
            noise: Its SD, likewise.
            tissue: Voxels to look at, likewise, bool.
            voxel: Edges of a voxel [mm].
        """
        z = np.where(tissue, np.clip(white / np.maximum(noise, 1e-30), -_FAR, _FAR), 0.0)
        x, y, last = (_along(z, tissue, axis, edge) for axis, edge in enumerate(voxel))
        return cls(sigma=(x, y, last), voxel=voxel)

    @property
    def voxels(self) -> float:
        """Voxels that share one noise: the sum of its autocorrelation."""
        return self.lengths(0.0)[1]

    @property
    def length(self) -> float:
        """Edge of the cube that those fill [mm]."""
        return (math.prod(self.voxel) * self.voxels) ** (1.0 / 3.0)

    @property
    def fwhm(self) -> float:
        """Width of the Gaussian, mean of the axes, full width at half maximum [mm]."""
        return float(np.mean(self.sigma)) / _PER_FWHM

    def left(self, fwhm: float) -> float:
        """Return the share of the noise's variance that a Gaussian filter leaves.

        Args:
            fwhm: Of the filter, full width at half maximum [mm].
        """
        return self.voxels / self.lengths(fwhm * _PER_FWHM)[1]

    def lengths(self, more: float) -> tuple[list[float], float]:
        """Return lengths of correlation [voxels] and their product, after one more Gaussian.

        Args:
            more: Its SD [mm].
        """
        found = [
            max(math.sqrt(_FOUR_PI * (s * s + more * more)) / v, 1.0)
            for s, v in zip(self.sigma, self.voxel, strict=True)
        ]
        return found, math.prod(found)


def _along(z: np.ndarray, inside: np.ndarray, axis: int, edge: float) -> float:
    """Return the SD of the Gaussian along an axis [mm], 0 where noise is white."""
    best, least = 0.0, math.inf
    for lag in (1, 2):
        if inside.shape[axis] <= lag:
            continue
        near = tuple(slice(None, -lag) if a == axis else slice(None) for a in range(3))
        far = tuple(slice(lag, None) if a == axis else slice(None) for a in range(3))
        both = inside[near] & inside[far]
        if int(both.sum()) < _FEW:
            continue
        a, b = z[near][both].astype(np.float64), z[far][both].astype(np.float64)
        rho = float((a * b).mean() / math.sqrt((a * a).mean() * (b * b).mean() or 1.0))
        if rho >= _NO_CORRELATION and abs(rho - 0.5) < least:
            least = abs(rho - 0.5)
            best = 0.5 * lag * edge / math.sqrt(-math.log(min(rho, 0.999)))
    return best
