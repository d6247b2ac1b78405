"""A scan and a prior that are Gaussian, so that the posterior is in closed form."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from betaplus.patlak.noise_map import noise_map, typical_noise
from betaplus.patlak.problem import PatlakProblem

SHAPE = (8, 8, 8)
MEAN = (1.0, 0.6)  # of u_1 and u_2
SD = 0.5


def problem(seed: int = 0, noise: float = 0.3) -> PatlakProblem:
    """Return a scan of maps that the prior drew, with independent noise of SD `noise`."""
    rng = np.random.default_rng(seed)
    basis = np.stack([np.linspace(0.5, 1.0, 12), np.linspace(1.6, 1.0, 12)], 1)
    u = np.reshape(MEAN, (2, 1, 1, 1)) + SD * rng.standard_normal((2, *SHAPE))
    y = np.einsum("fk,kxyz->fxyz", basis, u) + noise * rng.standard_normal((12, *SHAPE))
    normal = basis.T @ basis
    h = np.einsum("fk,fxyz->kxyz", basis, y)
    fit = np.einsum("ij,jxyz->ixyz", np.linalg.inv(normal), h)
    misfit = ((y - np.einsum("fk,kxyz->fxyz", basis, fit)) ** 2).sum(0)
    return PatlakProblem(
        h=torch.from_numpy(h.astype(np.float32)),
        normal=torch.from_numpy(np.repeat(normal[:, :, None], SHAPE[2], 2)),
        misfit=torch.from_numpy(misfit.astype(np.float32)),
        noise=torch.from_numpy((noise * rng.standard_normal(SHAPE)).astype(np.float32)),
        freedom=torch.full((SHAPE[2],), 10),
        scale=torch.ones(2),
        voxel=(4.0, 4.0, 4.0),
        mask=torch.ones(SHAPE, dtype=torch.bool),
    )


def denoiser(maps: Tensor, sigma: float) -> Tensor:
    """Return the mean of maps given that they are seen with white noise."""
    mean = maps.new_tensor(MEAN).reshape(2, 1, 1, 1)
    return mean + SD**2 / (SD**2 + sigma**2) * (maps - mean)


def noise_of(scan: PatlakProblem) -> float:
    """Return the unit of the methods' noise levels."""
    return float(typical_noise(scan, noise_map(scan))[scan.mask].median())


def posterior(scan: PatlakProblem, rho: float) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and SD of u given the data, prior variance SD^2 + rho^2, (2, X, Y, Z) each."""
    inverse = np.linalg.inv(scan.normal.numpy()[:, :, 0])
    fit = scan.least_squares().numpy().reshape(2, -1)
    variance = noise_map(scan).double().numpy().ravel()
    prior = np.eye(2) / (SD**2 + rho**2)
    mean, sd = np.empty_like(fit), np.empty_like(fit)
    for v, s2 in enumerate(variance):
        data = np.linalg.inv(inverse) / s2
        covariance = np.linalg.inv(data + prior)
        mean[:, v] = covariance @ (data @ fit[:, v] + prior @ np.array(MEAN))
        sd[:, v] = np.sqrt(np.diag(covariance))
    return mean.reshape(2, *SHAPE), sd.reshape(2, *SHAPE)
