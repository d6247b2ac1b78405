"""Methods with a network, applied to a volume in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.mmse import Mmse, MmseSettings
from betaplus.denoising.volume import Volume

__all__ = ["apply_mmse"]


def apply_mmse(denoiser: TrainedDenoiser, volume: Volume, threads: int) -> np.ndarray:
    """Return what `mmse` makes of a volume, shape (X, Y, Z) [SUV]."""
    method = Mmse(MmseSettings(), denoiser)
    volume.prepare(learned=True)
    with ThreadPoolExecutor(threads) as pool:
        pieces = list(
            pool.map(lambda index: method.compute(volume, index), range(method.pieces(volume)))
        )
    return method.combine(volume, pieces).mean
