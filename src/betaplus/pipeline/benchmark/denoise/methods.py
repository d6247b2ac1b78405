"""Every method on one image, as the smaller parts of the benchmark compare them."""

from __future__ import annotations

import numpy as np

from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.volume import Volume
from betaplus.pipeline.benchmark.denoise.baselines import Baselines
from betaplus.pipeline.benchmark.denoise.learned import apply_mmse

__all__ = ["METHODS", "apply_methods"]

METHODS = ("noisy", "gaussian", "nlm", "mmse")


def apply_methods(
    image: np.ndarray,
    voxel: tuple[float, float, float],
    denoiser: TrainedDenoiser,
    filters: Baselines,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Return method of `METHODS` to what it makes of an image, each (X, Y, Z) [SUV].

    Args:
        image: Noisy, shape (X, Y, Z) [SUV].
        voxel: Voxel edges [mm].
        denoiser: The network.
        filters: For the image's dose.
        threads: To use.
    """
    volume = Volume(data=image, voxel=voxel, grid_voxel=denoiser.voxel)
    return {
        "noisy": image,
        **filters.apply(volume, threads),
        "mmse": apply_mmse(denoiser, volume, threads),
    }
