"""Methods with a network, applied to a volume in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from betaplus.denoising.bundle import TrainedDenoiser, load_denoiser
from betaplus.denoising.mmse import Mmse, MmseSettings
from betaplus.denoising.volume import Volume

__all__ = ["apply_mmse", "judged_network"]


def judged_network(bundle: Path | None) -> TrainedDenoiser:
    """Return the network that is judged, that which is shipped if None.

    Threads work at tiles side by side, torch at each with one.
    """
    denoiser = load_denoiser(explicit=bundle, bf16=True)
    torch.set_num_threads(1)
    return denoiser


def apply_mmse(denoiser: TrainedDenoiser, volume: Volume, threads: int) -> np.ndarray:
    """Return what `mmse` makes of a volume, shape (X, Y, Z) [SUV]."""
    method = Mmse(MmseSettings(), denoiser)
    volume.prepare(learned=True)
    with ThreadPoolExecutor(threads) as pool:
        pieces = list(
            pool.map(lambda index: method.compute(volume, index), range(method.pieces(volume)))
        )
    return method.combine(volume, pieces).mean
