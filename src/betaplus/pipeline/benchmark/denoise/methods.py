"""Every method on one image, as the smaller parts of the benchmark compare them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.volume import Volume
from betaplus.pipeline.benchmark.denoise.baselines import Baselines, tune_baselines, tuning_case
from betaplus.pipeline.benchmark.denoise.cases import FIRST_TUNING, Group
from betaplus.pipeline.benchmark.denoise.learned import apply_mmse
from betaplus.pipeline.benchmark.denoise.trunk import make_trunk

__all__ = ["METHODS", "apply_methods", "filters_of"]

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


def filters_of(
    group: Group, doses: Sequence[float], voxel: float, grid: float, threads: int = 1
) -> dict[float, Baselines]:
    """Return dose to filters tuned on the trunk of a body that nothing else uses.

    Args:
        group: Scanner and tracer.
        doses: Fractions of the counts.
        voxel: Edge of the trunk's voxels [mm].
        grid: Of the network's [mm].
        threads: To use.
    """
    scan = make_trunk(group, FIRST_TUNING, voxel)
    found = {}
    for dose in doses:
        volume = Volume(data=scan.noisy(dose), voxel=scan.voxel, grid_voxel=grid)
        found[dose] = tune_baselines([tuning_case(scan, volume)], threads)
    return found
