"""The mean image: what of the activity the reconstruction has recovered so far.

After n sub-iterations from a uniform image, expectation maximisation has recovered the share
1 - (1 - q H(f))^n of a frequency (see `spectrum`): all of it in hot places, less of what is fine or
cold. q varies slowly compared with that, so the activity is filtered for some q, and each voxel
takes its own between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from betaplus.physics.blur import GaussianBlur
from betaplus.simulation.surrogate.spectrum import back_projected, frequencies
from betaplus.simulation.surrogate.style import ScanStyle

__all__ = ["mean_image"]

_SMOOTH = 30.0  # width over which q is averaged [mm]
_MOST = 2.0  # times the activity there, or around
_LEVELS = 6
_MARGIN = 16  # voxels reflected beyond each border


def mean_image(
    activity: np.ndarray,
    rate: np.ndarray,
    voxel: Sequence[float],
    style: ScanStyle,
) -> np.ndarray:
    """Return the image without noise before the filter, shape (X, Y, Z) float32 [SUV].

    Args:
        activity: Noise-free, shape (X, Y, Z) [SUV].
        rate: w / a, q of an SUV of 1, shape (X, Y, Z) [1/mm].
        voxel: Voxel edges [mm].
        style: Of the scan.
    """
    shape = activity.shape
    sharp = GaussianBlur(shape, tuple(voxel), style.resolution).forward(activity)
    around = GaussianBlur(shape, tuple(voxel), _SMOOTH).forward(activity)
    q = around * rate
    seen = q[activity > 0]
    if not seen.size:
        return sharp
    levels = np.geomspace(*np.maximum(np.quantile(seen, (0.01, 0.99)), 1e-9), _LEVELS)
    margins = [min(_MARGIN, n) for n in shape]
    padded = [fft.next_fast_len(n + 2 * m, real=True) for n, m in zip(shape, margins, strict=True)]
    width = [(m, p - n - m) for n, m, p in zip(shape, margins, padded, strict=True)]
    spectrum = fft.rfftn(np.pad(sharp, width, mode="symmetric"))
    h = back_projected(frequencies(padded, voxel), voxel, style)
    inner = tuple(slice(m, m + n) for n, m in zip(shape, margins, strict=True))
    step = np.log(levels[1] / levels[0])
    at = np.log(np.maximum(q, levels[0]) / levels[0]) / max(step, 1e-9)
    at = np.minimum(at, _LEVELS - 1.0).astype(np.float32)
    out = np.zeros(shape, np.float32)
    for n, level in enumerate(levels):
        share = np.maximum(1.0 - np.abs(at - n), 0.0)
        left = (1.0 - np.minimum(level * h, 1.0)) ** style.updates
        recovered = fft.irfftn(spectrum * (1.0 - left).astype(np.float32), s=padded)[inner]
        out += share * recovered
    # Expectation maximisation clears the air around a body sooner than linear theory.
    return np.clip(out, 0.0, np.maximum(_MOST * sharp, _MOST * around))
