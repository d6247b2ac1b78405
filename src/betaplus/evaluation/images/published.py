"""Scores as others have published them, to compare with their tables and with nothing else.

The evaluation script of Yu et al. (Eur J Nucl Med Mol Imaging 2025, doi 10.1007/s00259-025-07122-4;
`evaluation/get_ssim_psnr.py` of their repository) takes the whole volume with its air, both images
clipped to SUV 0-16:

- PSNR = 10 log10(peak^2 / MSE) with the peak of the reference as it was before it was clipped. A
  bladder of SUV 60 adds 20 log10(60 / 16) = 11.5 dB, and the air around the body some more;
- SSIM with L = 16, windows of 7 x 7 x 7 voxels of equal weight, variances and covariance with
  n - 1, and the mean over all windows that lie within the volume.

`body_scores` is what this project reports: in the body, nothing clipped, with its peak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.evaluation.images.errors import nrmse, peak, psnr
from betaplus.evaluation.images.ssim import ssim

__all__ = ["PUBLISHED_CLIP", "BodyScores", "PublishedScores", "body_scores", "published_scores"]

PUBLISHED_CLIP = 16.0
"""SUV above which the published script clips."""

_WINDOW = 7
_K1, _K2 = 0.01, 0.03


@dataclass(frozen=True, kw_only=True)
class PublishedScores:
    """Scores by the published script.

    Attributes:
        psnr: [dB]; 100 where the images are equal.
        ssim: Structural similarity.
        peak: Of the reference before it was clipped [SUV].
    """

    psnr: float
    ssim: float
    peak: float


@dataclass(frozen=True, kw_only=True)
class BodyScores:
    """Scores in the body.

    Attributes:
        psnr: [dB].
        ssim: Structural similarity, of the range 0 to `peak`.
        nrmse: [%].
        peak: Of the reference in the body [SUV], or the one given.
    """

    psnr: float
    ssim: float
    nrmse: float
    peak: float


def published_scores(image: np.ndarray, reference: np.ndarray) -> PublishedScores:
    """Return PSNR and SSIM by the published script.

    Args:
        image: Shape (X, Y, Z), at least 7 voxels an axis [SUV].
        reference: What it should be, likewise.

    Raises:
        InputError: If shapes differ, are too small, or a voxel is no finite number.
    """
    if np.shape(image) != np.shape(reference):
        raise InputError(
            f"image {np.shape(image)} and reference {np.shape(reference)}", "expected one grid"
        )
    if min(np.shape(image)) < _WINDOW:
        raise InputError(f"image of shape {np.shape(image)}", f"expected {_WINDOW} voxels an axis")
    if not (np.isfinite(image).all() and np.isfinite(reference).all()):
        raise InputError("a voxel of image or reference is not finite", "expected numbers")
    top = float(np.max(reference))
    x, r = (np.clip(np.asarray(v, np.float64), 0.0, PUBLISHED_CLIP) for v in (image, reference))
    error = float(np.mean((x - r) ** 2))
    return PublishedScores(
        psnr=10.0 * math.log10(top**2 / error) if error and top else 100.0 if top else math.nan,
        ssim=_flat_ssim(x, r),
        peak=top,
    )


def body_scores(
    image: np.ndarray, reference: np.ndarray, body: np.ndarray, *, top: float | None = None
) -> BodyScores:
    """Return PSNR, SSIM and NRMSE in the body, with the peak that they are relative to.

    Args:
        image: Shape (X, Y, Z) [SUV].
        reference: What it should be, likewise.
        body: Voxels of the body, likewise.
        top: The peak [SUV]; the largest voxel of the reference in the body if None.

    Raises:
        InputError: As `betaplus.evaluation.images.errors.nrmse`.
    """
    top = peak(reference, body) if top is None else float(top)
    return BodyScores(
        psnr=psnr(image, reference, body, top=top),
        ssim=ssim(image, reference, body, data_range=top),
        nrmse=nrmse(image, reference, body),
        peak=top,
    )


def _flat_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Mean SSIM over windows of equal weight that lie within the volume."""
    from scipy.ndimage import uniform_filter

    size = _WINDOW**x.ndim
    unbiased = size / (size - 1)
    c1, c2 = (_K1 * PUBLISHED_CLIP) ** 2, (_K2 * PUBLISHED_CLIP) ** 2
    inner = tuple(slice(_WINDOW // 2, n - _WINDOW // 2) for n in x.shape)

    def local(values: np.ndarray) -> np.ndarray:
        return uniform_filter(values, _WINDOW)[inner]

    mx, my = local(x), local(y)
    power, product = mx * mx + my * my, mx * my
    spread = unbiased * (local(x * x) + local(y * y) - power)
    shared = unbiased * (local(x * y) - product)
    found = (2 * product + c1) * (2 * shared + c2) / ((power + c1) * (spread + c2))
    return float(found.mean())
