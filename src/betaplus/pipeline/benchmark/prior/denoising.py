"""How much white noise a denoiser takes away, beside a Gaussian filter of the best width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.pipeline.benchmark.prior.cases import Case

if TYPE_CHECKING:
    from torch import Tensor

    from betaplus.generative.image_prior import ImagePrior

__all__ = ["Denoising", "compare_errors", "estimate", "measure_denoising", "noisy_images"]

_WIDTHS = (*np.arange(0.2, 2.0, 0.1), *np.arange(2.0, 8.1, 0.25))
"""Standard deviations of the filters that are tried [voxels]."""

_ROWS = {2: 8, 3: 2}
_SOME = 0.1  # of the median uptake: images with less are air


@dataclass(frozen=True, kw_only=True)
class Denoising:
    """Errors at a noise level, over all voxels of the images.

    Attributes:
        case: Images.
        sigma: Noise level, in the prior's unit.
        gaussian: Root mean square error of the best Gaussian filter, chosen on these very images.
        width: Its standard deviation [voxels].
        rmse: Of each denoiser, by name.
        median: Median over the images of each denoiser's gain over the filter that is best for
            that image alone [dB]: hot organs in a few images do not decide it.
    """

    case: str
    sigma: float
    gaussian: float
    width: float
    rmse: Mapping[str, float]
    median: Mapping[str, float]

    def gain(self, name: str) -> float:
        """Return by how much a denoiser is better than the filter [dB]."""
        return float(20.0 * np.log10(self.gaussian / self.rmse[name]))

    def as_dict(self) -> dict[str, Any]:
        """Return the figures with the gains."""
        return {**asdict(self), "gain": {name: self.gain(name) for name in self.rmse}}


def measure_denoising(
    case: Case, priors: Mapping[str, ImagePrior], sigma: float, seed: int = 0
) -> Denoising:
    """Return the errors of denoisers and of the best filter on the same noisy images.

    Args:
        case: Clean images.
        priors: Denoisers by name.
        sigma: Noise level, in the prior's unit.
        seed: Of the noise.
    """
    noisy = noisy_images(case, sigma, seed)
    found = {name: estimate(prior, noisy, sigma, case) for name, prior in priors.items()}
    return compare_errors(case, noisy, found, sigma)


def compare_errors(
    case: Case, noisy: Tensor, estimates: Mapping[str, Tensor], sigma: float
) -> Denoising:
    """Return the errors of estimates, and of the filter that is best for these images.

    Args:
        case: Clean images.
        noisy: The same with noise.
        estimates: What denoisers made of them, by name.
        sigma: Noise level, in the prior's unit.
    """
    from scipy.ndimage import gaussian_filter

    rough = noisy.numpy()
    axes = (0.0, 0.0, *[1.0] * (rough.ndim - 2))
    filtered = {
        float(width): _errors(gaussian_filter(rough, [width * a for a in axes]), case)
        for width in _WIDTHS
    }
    width = min(filtered, key=lambda w: filtered[w].sum())
    found = {name: _errors(made.numpy(), case) for name, made in estimates.items()}
    own = np.min(list(filtered.values()), axis=0)
    uptake = case.images.mean(dim=tuple(range(1, case.images.ndim))).numpy()
    shown = uptake > _SOME * np.median(uptake)
    voxels = float(case.there.sum())
    return Denoising(
        case=case.name,
        sigma=sigma,
        gaussian=float(np.sqrt(filtered[width].sum() / voxels)),
        width=width,
        rmse={name: float(np.sqrt(errors.sum() / voxels)) for name, errors in found.items()},
        median={
            name: float(np.median(10.0 * np.log10(own[shown] / errors[shown])))
            for name, errors in found.items()
        },
    )


def noisy_images(case: Case, sigma: float, seed: int = 0) -> Tensor:
    """Return the images with white noise of a level; where no image is there is noise too."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return case.images + sigma * torch.randn(case.images.shape, generator=generator)


def estimate(prior: ImagePrior, noisy: Tensor, sigma: float, case: Case) -> Tensor:
    """Return a prior's estimate of the clean images."""
    import torch

    rows = _ROWS[prior.dimensions]
    context = case.context if case.context.shape[1] else None
    parts = [slice(low, low + rows) for low in range(0, len(noisy), rows)]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=prior.bf16):
        found = [
            prior.denoiser(noisy[p], sigma, context=None if context is None else context[p])
            for p in parts
        ]
    return torch.cat(found)


def _errors(found: np.ndarray, case: Case) -> np.ndarray:
    """Return the sum of squared errors of each image, where there is one, shape (N,)."""
    squares = np.square(found - case.images.numpy(), dtype=np.float64)
    return np.sum(squares * (case.there.numpy() > 0.0), axis=tuple(range(1, squares.ndim)))
