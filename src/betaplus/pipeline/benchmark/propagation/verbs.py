"""Frames to Ki as the verb `patlak` does it, which reads the noise from the frames themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from betaplus.core.image import PetImage
from betaplus.generative.image_prior import uptake_level
from betaplus.patlak.gibbs import Gibbs
from betaplus.patlak.linear import Wls
from betaplus.patlak.noise_map import noise_correlation, noise_map
from betaplus.patlak.orientation import RasAxes
from betaplus.patlak.region_noise import mean_noise
from betaplus.patlak.study import Study as PatlakStudy
from betaplus.patlak.study import make_study
from betaplus.pipeline.benchmark.propagation.estimate import Estimate
from betaplus.pipeline.benchmark.propagation.heads import Study
from betaplus.pipeline.benchmark.propagation.posterior import Denoise
from betaplus.reconstruction.count_model import model_of
from betaplus.reconstruction.frames import FrameReconstructor

__all__ = ["osem", "patlak_gibbs", "patlak_study", "patlak_wls", "smooth_level"]

_SMOOTH = 1.5  # voxels: SD of the filter before the level of an image is taken


def smooth_level(values: np.ndarray, mask: np.ndarray) -> float:
    """Return the uptake level of an image, smoothed, of the voxels of a mask, shape (n,)."""
    image = np.zeros(mask.shape)
    image[mask] = values
    share = gaussian_filter(mask.astype(np.float64), _SMOOTH)
    return uptake_level((gaussian_filter(image, _SMOOTH) / np.maximum(share, 1e-6))[mask])


def osem(study: Study) -> np.ndarray:
    """Return frames by the verb `reconstruct`, without a filter, shape (T, n) [Bq/mL]."""
    volume = study.mask[..., None]
    frames = FrameReconstructor(
        study.scan, model_of(study.scan), study.grid, method="osem", mask=volume, threads=1,
        settings={"iterations": 10, "subsets": 6, "filter": 0.0},
    )  # fmt: skip
    return np.stack([frames.frame(f)[volume] for f in range(len(study.prompts))])


def patlak_study(study: Study, frames: np.ndarray) -> PatlakStudy:
    """Return what `patlak` makes of frames, shape (T, n) [Bq/mL], and the blood of a study."""
    data = np.zeros((*study.grid.shape, len(frames)), np.float32)
    data[study.mask, 0] = frames.T
    image = PetImage(
        data=data, affine=study.grid.affine, unit="Bq/mL", frames=study.scan.frames,
        tracer=study.tracer, decay_corrected_to=0.0, injection=0.0,
    )  # fmt: skip
    volume = study.mask[..., None]
    return make_study(image, study.curve, mask=volume, t_star=0.0, delay=study.delay)


def patlak_wls(study: Study, ready: PatlakStudy) -> Estimate:
    """Return weighted least squares: the SD map for voxels, that of the table for regions."""
    problem, volume = ready.problem, torch.from_numpy(study.mask[..., None])
    maps = Wls().fit(problem)
    assert maps.std is not None
    variance = noise_map(problem)
    weights = []
    for row in study.regions:
        weights.append(np.zeros(problem.shape))
        weights[-1][volume.numpy()] = row
    correlation = noise_correlation(problem, variance)
    sd = mean_noise(problem, variance.numpy(), correlation, weights)[:, 0]
    scale = float(problem.scale[0])
    ki, std = (scale * part[0][volume].double().numpy() for part in (maps.u, maps.std))
    return Estimate(ki, std, study.regions @ ki, scale * sd)


def patlak_gibbs(study: Study, ready: PatlakStudy, denoise: Denoise) -> Estimate:
    """Return what draws of the method ``gibbs`` say, with its defaults."""
    problem, volume = ready.problem, torch.from_numpy(study.mask[..., None])
    level = smooth_level(problem.least_squares().sum(0)[volume].double().numpy(), study.mask)
    axes = RasAxes(study.grid.affine, problem)
    maps = axes.back(Gibbs(prior=_of_maps(denoise, level)).fit(axes.turn(problem)))
    assert maps.draws is not None
    ki = maps.draws[:, 0][:, volume].double().numpy()
    return Estimate.of_draws(ki * float(problem.scale[0]), study.regions)


def _of_maps(denoise: Denoise, level: float) -> Callable[[Tensor, float], Tensor]:
    """Return a denoiser of u in RAS axes, shape (2, X, Y, 1)."""

    def both(maps: Tensor, sigma: float) -> Tensor:
        images = maps[..., 0].flip(1, 2) / level
        return denoise(images, sigma / level).flip(1, 2)[..., None] * level

    return both
