"""How far an image is from its reference: normalised root mean squared error, PSNR and bias.

All are taken over the voxels of a mask. With image x, reference r and n voxels in the mask:

- NRMSE = 100 |x - r| / |r| [%], with Euclidean norms,
- PSNR = 20 log10(peak / RMSE) [dB], where the peak is the largest r in the mask,
- bias = 100 (mean x - mean r) / mean r [%].
"""

from __future__ import annotations

import math

import numpy as np

from betaplus.evaluation.images.masking import inside

__all__ = ["mean_bias", "nrmse", "peak", "psnr"]


def nrmse(image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Return 100 |x - r| / |r| over the mask [%]; NaN where the reference is 0 throughout.

    Args:
        image: The image, shape (X, Y, Z).
        reference: What it should be, likewise.
        mask: Voxels to count, likewise; all if None.

    Raises:
        InputError: If shapes differ, the mask is empty, or a voxel in it is no finite number.
    """
    x, r = inside(mask, image=image, reference=reference)
    norm = math.sqrt(float(r @ r))
    difference = x - r
    return 100.0 * math.sqrt(float(difference @ difference)) / norm if norm else math.nan


def peak(reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Return the largest voxel of the reference in the mask, in its unit.

    Raises:
        InputError: As `nrmse`.
    """
    return float(inside(mask, reference=reference)[0].max())


def psnr(
    image: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    top: float | None = None,
) -> float:
    """Return the peak signal-to-noise ratio 20 log10(peak / RMSE) over the mask [dB].

    Args:
        image: The image, shape (X, Y, Z).
        reference: What it should be, likewise.
        mask: Voxels to count, likewise; all if None.
        top: The peak; the largest voxel of the reference in the mask if None.

    Returns:
        Infinity where the two are equal, NaN where the peak is not above 0.

    Raises:
        InputError: As `nrmse`.
    """
    x, r = inside(mask, image=image, reference=reference)
    top = float(r.max()) if top is None else top
    rmse = math.sqrt(float(np.mean((x - r) ** 2)))
    if not top > 0:
        return math.nan
    return 20.0 * math.log10(top / rmse) if rmse else math.inf


def mean_bias(image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Return 100 (mean x - mean r) / mean r over the mask [%]; NaN where mean r is 0.

    Raises:
        InputError: As `nrmse`.
    """
    x, r = inside(mask, image=image, reference=reference)
    mean = float(r.mean())
    return 100.0 * (float(x.mean()) - mean) / mean if mean else math.nan
