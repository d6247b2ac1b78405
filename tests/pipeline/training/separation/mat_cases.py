"""Small folders in the published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

FRAMES = 5


def write_sequences(
    folder: Path, count: int = 3, frames: int = FRAMES, pair: tuple[str, str] = ("fmz", "fdg")
) -> Path:
    """Write slices of two tracers, one of which goes up and one down, and their noisy mixture."""
    rng = np.random.default_rng(0)
    time = np.linspace(0.0, 1.0, frames)
    for name in ("hybrid", *pair):
        (folder / name).mkdir(parents=True)
    for k in range(count):
        where = rng.random((2, 14, 11, 1)) > 0.5
        one, two = where[0] * np.exp(-time), where[1] * time
        mixed = one + two + 0.01 * rng.standard_normal(one.shape)
        for name, data in zip(("hybrid", *pair), (mixed, one, two), strict=True):
            savemat(folder / name / f"slice{k:03d}.mat", {"data": data})
    return folder
