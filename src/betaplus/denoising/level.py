"""The noise of an image in a few numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from betaplus.denoising.noise import NoiseMaps

__all__ = ["NoiseLevel", "noise_level"]

_BODY = 0.1  # of the 95th percentile of local means: below it an image is air
_SAMPLE = 1_000_003  # voxels looked at


@dataclass(frozen=True, kw_only=True)
class NoiseLevel:
    """SD of the noise where the uptake is 1 SUV, on the voxels of the network [SUV].

    Attributes:
        typical: Median over the body.
        low: 5th percentile.
        high: 95th percentile.
        relative: Median SD over the local mean.
    """

    typical: float
    low: float
    high: float
    relative: float

    def as_dict(self) -> dict[str, float]:
        """Return the fields, for records."""
        return asdict(self)


def noise_level(noise: NoiseMaps) -> NoiseLevel:
    """Return the level of the noise of an image, shape (1, 1, X, Y, Z)."""
    step = noise.mean.numel() // _SAMPLE + 1
    mean, scale, level, sd = (
        part.flatten()[::step].numpy() for part in (noise.mean, noise.scale, noise.level, noise.sd)
    )
    body = mean > _BODY * np.quantile(mean, 0.95)
    if not body.any():
        body = np.ones_like(body)
    low, typical, high = (float(q) for q in np.quantile(level[body], (0.05, 0.5, 0.95)))
    relative = float(np.median(sd[body] / scale[body]))
    return NoiseLevel(typical=typical, low=low, high=high, relative=relative)
