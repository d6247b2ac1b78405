"""Images drawn from a prior alone, and how they compare with those it was to learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from betaplus.generative.denoiser import Denoised
    from betaplus.generative.image_prior import ImagePrior
    from betaplus.pipeline.benchmark.prior.cases import Case

__all__ = ["compare_samples", "draw_samples", "radial_spectrum"]

_STEPS = 40
_SIGMA_MIN = 0.01
_RENOISED = 3  # times
_SWITCH = 2.5  # noise level above which a coarse prior guides
_ROWS = {2: 8, 3: 2}
_BANDS = 6


def draw_samples(
    prior: ImagePrior, n: int, context: Tensor, seed: int = 0, coarse: ImagePrior | None = None
) -> Tensor:
    """Draw images by DPM-Solver++(2M) in 40 steps.

    Pure noise lacks what noise of the largest level does not hide, above all the mean of the
    images, which weighs as much as all their voxels together. So the estimate that the denoiser
    makes of noise is noised anew, three times, before the sampler starts from it.

    Args:
        prior: The prior.
        n: How many.
        context: What each is told, shape (n, 3) or (n, 0).
        seed: Of the noise.
        coarse: Prior of means over blocks, which guides where the noise is large.

    Returns:
        Shape (n, 1, edge, edge[, edge]), or (n, images, edge, edge, edge).
    """
    import torch

    from betaplus.generative.coarse_to_fine import CoarseToFine
    from betaplus.generative.samplers import dpm_solver
    from betaplus.generative.schedules import karras_levels

    levels = karras_levels(_STEPS, sigma_min=_SIGMA_MIN)
    rows, channels = _ROWS[prior.dimensions], prior.denoiser.size.outputs
    out = []
    for low in range(0, n, rows):
        told = context[low : low + rows] if context.shape[1] else None
        shape = (min(rows, n - low), channels, *[prior.edge] * prior.dimensions)
        generators = [torch.Generator().manual_seed(seed * 100_003 + low + i) for i in range(rows)]

        def noise(
            shape: tuple[int, ...] = shape, generators: list[Generator] = generators
        ) -> Tensor:
            drawn = [torch.randn(shape[1:], generator=g) for g in generators[: shape[0]]]
            return torch.stack(drawn)

        denoised = _told(prior, told)
        if coarse is not None:
            pool = round(coarse.voxel / prior.voxel)
            denoised = CoarseToFine(
                fine=denoised, coarse=_told(coarse, told), pool=pool, switch=_SWITCH
            )
        sigma = levels[0].float()
        start = sigma * noise()
        for _ in range(_RENOISED):
            start = denoised(start, sigma) + sigma * noise()
        out.append(dpm_solver(denoised, levels, [], start=start))
    return torch.cat(out)


def _told(prior: ImagePrior, told: Tensor | None) -> Denoised:
    import torch

    def denoised(x: Tensor, sigma: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=prior.bf16):
            return prior.denoiser(x, sigma, context=told)

    return denoised


def compare_samples(samples: Tensor, case: Case) -> dict[str, Any]:
    """Return mean, SD and spectrum of samples over those of images, and of halves of the images.

    The ratio of two halves of the images says how much of a difference is chance.
    """
    images = case.images.numpy()
    half = len(images) // 2
    return {
        "samples": len(samples),
        "images": len(images),
        "ratio": _ratios(samples.numpy(), images),
        "halves": _ratios(images[:half], images[half:]),
    }


def radial_spectrum(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean power of images in shells of frequency.

    Args:
        images: Shape (N, 1, X, Y[, Z]), edges equal.

    Returns:
        Frequency [cycles per voxel] and power of each shell, without that of frequency 0.
    """
    edge, axes = images.shape[-1], tuple(range(2, images.ndim))
    power = np.mean(np.abs(np.fft.fftn(images, axes=axes)) ** 2, axis=(0, 1))
    frequency = np.fft.fftfreq(edge)
    grid = np.meshgrid(*[frequency] * len(axes), indexing="ij")
    radius = np.sqrt(sum(g**2 for g in grid))
    shell = np.rint(radius * edge).astype(int)
    counted = shell.ravel() <= edge // 2
    n = np.bincount(shell.ravel()[counted])
    total = np.bincount(shell.ravel()[counted], power.ravel()[counted])
    return np.arange(1, len(n)) / edge, (total / n)[1:]


def _ratios(found: np.ndarray, expected: np.ndarray) -> dict[str, Any]:
    """Return mean, SD over all voxels, and power in bands of a factor of frequency, as ratios."""
    frequency, power = radial_spectrum(found)
    _, known = radial_spectrum(expected)
    edges = np.geomspace(frequency[0], frequency[-1] * 1.001, _BANDS + 1)
    band = np.digitize(frequency, edges) - 1
    bands = [
        float(power[band == i].sum() / known[band == i].sum())
        for i in range(_BANDS)
        if (band == i).any()
    ]
    return {
        "mean": float(found.mean() / expected.mean()),
        "sd": float(found.std() / expected.std()),
        "bands": bands,
    }
