r"""Noise of the frames of a mixture: how large it is, and a draw of it.

The variance of a frame is that of `betaplus.simulation.noise`, whose :math:`l^2 (C + c_0) / D`
counts decays in D minutes of an image that is not decay-corrected, so that both tracers enter with
what is left of them; part of the activity C is that of the voxel and part the mean of the head,

.. math:: v_f = \frac{l^2}{n} \frac{s\,m_f + (1 - s)\,h\,\bar m_f + c_0}{D_f} ,

with m the mixture, :math:`\bar m` its mean over the head, h the share of a voxel that is head, at
the scanner's resolution, and n the share of counts that is kept. Noise of frames is independent; in
space it is white noise through a Gaussian.

How large l is and which s is right was looked up in the calibrated surrogate of scanners: in heads
with FDG, frames of 5 minutes and voxels of 2.5 mm, the SD goes with the activity to the power .70
(Quadra, l = 9, noise 2.9 mm wide) and .78 (uEXPLORER, l = 7, 3.4 mm), so that s = 1 (a power of
.5) is nearer than any smaller s. Smoothed on to 5 mm, l is about 4; a scanner of 26 cm, with less
than half of the coincidences in its middle, has 6 to 7 (nominal).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.core.seeds import generator
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.simulation.dual_study.protocol import DualProtocol
from betaplus.simulation.dual_study.smoothing import Smoothing

__all__ = ["noise_fields", "noise_variance"]

_DRAW = 1_000_000


def noise_variance(
    protocol: DualProtocol, mixture: np.ndarray, mean: np.ndarray, head: np.ndarray, floor: float
) -> np.ndarray:
    """Return the variance at full counts, shape (X, Y, Z, T) float32 [(Bq/mL)^2].

    Args:
        protocol: Level, frames, and how much of the activity is the voxel's own.
        mixture: Without noise, shape (X, Y, Z, T) [Bq/mL].
        mean: Of the mixture over the head, shape (T,) [Bq/mL].
        head: Share of each voxel that is head, shape (X, Y, Z).
        floor: c0 [Bq/mL].
    """
    gain = protocol.level**2 * SECONDS_PER_MINUTE / protocol.frames.duration
    out = mixture * (protocol.local * gain).astype(np.float32)
    out += head[..., None] * ((1.0 - protocol.local) * gain * mean).astype(np.float32)
    out += (gain * floor).astype(np.float32)
    return np.asarray(out)


def noise_fields(
    shape: Sequence[int],
    voxel: Sequence[float],
    frames: int,
    fwhm: float,
    seed: int,
    item: int,
    draw: int,
) -> np.ndarray:
    """Return correlated noise of variance 1 in every voxel, shape (X, Y, Z, T) float32.

    Args:
        shape: X, Y, Z.
        voxel: Edges of a voxel [mm].
        frames: T.
        fwhm: Width of the kernel [mm].
        seed: Of the person.
        item: Number of the scan.
        draw: Number of the draw.
    """
    smooth = Smoothing(shape, voxel, fwhm, unit_variance=True)
    size = [n + 2 * m for n, m in zip(shape, smooth.margin, strict=True)]
    rng = generator(seed, item, _DRAW + draw)
    return smooth(rng.standard_normal((*size, frames), dtype=np.float32))
