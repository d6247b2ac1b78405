"""Whether the standard deviation image of an image says how wrong it is.

- Coverage: the share of voxels whose interval image +- z SD holds the reference, with the normal
  z of a central interval. Voxels of an image are correlated: there is no simple standard error.
- z-scores: (image - reference) / SD, with mean 0 and SD 1 for an honest SD.
- Sparsification (Ilg et al., ECCV 2018): voxels are removed in the order of their SD, largest
  first, and the RMSE of those left is followed; the oracle removes the largest errors first. Both
  are divided by the RMSE of all. The sparsification error is the difference of the two curves, and
  AUSE the area beneath it over the share removed: 0 where SD and error rank voxels alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from betaplus.core.errors import InputError
from betaplus.evaluation.coverage import INTERVALS
from betaplus.evaluation.images.masking import inside

__all__ = [
    "Sparsification",
    "VoxelScores",
    "normal_coverage",
    "sparsification",
    "voxel_scores",
]

_STEPS = 100


@dataclass(frozen=True)
class VoxelScores:
    """Moments of z = (image - reference) / SD over voxels.

    Attributes:
        mean: Mean of z.
        sd: SD of z.
        count: Voxels with an SD above 0; the others are left out.
    """

    mean: float
    sd: float
    count: int


@dataclass(frozen=True, eq=False)
class Sparsification:
    """Error of the voxels that are left, in units of the error of all.

    Attributes:
        removed: Share of voxels removed, shape (F,), from 0 to 1.
        curve: RMSE of the rest where the largest SDs went first, shape (F,); 0 when none is left.
        oracle: The same where the largest errors went first.
        ause: Area between the two.
    """

    removed: np.ndarray
    curve: np.ndarray
    oracle: np.ndarray
    ause: float

    @property
    def error(self) -> np.ndarray:
        """The sparsification error, shape (F,)."""
        return self.curve - self.oracle


def normal_coverage(
    image: np.ndarray,
    std: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray | None = None,
    intervals: Sequence[float] = INTERVALS,
) -> np.ndarray:
    """Return the share of voxels whose interval holds the reference, shape (I,).

    Limits belong to the interval; where the SD is 0 that holds the reference only if it is met.

    Args:
        image: The image, shape (X, Y, Z).
        std: Its standard deviation, likewise.
        reference: What it should be, likewise.
        mask: Voxels to count, likewise; all if None.
        intervals: Nominal probabilities of central intervals, shape (I,).

    Raises:
        InputError: If shapes differ, the mask is empty, a voxel in it is no finite number, or an
            SD is below 0.
    """
    difference, sd = _pair(image, std, reference, mask)
    far = np.abs(difference)
    z = [NormalDist().inv_cdf((1 + float(p)) / 2) for p in intervals]
    return np.array([np.mean(far <= limit * sd) for limit in z])


def voxel_scores(
    image: np.ndarray, std: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None
) -> VoxelScores:
    """Return mean and SD of z over the voxels of the mask whose SD is above 0.

    Args:
        image: The image, shape (X, Y, Z).
        std: Its standard deviation, likewise.
        reference: What it should be, likewise.
        mask: Voxels to count, likewise; all if None.

    Raises:
        InputError: As `normal_coverage`.
    """
    difference, sd = _pair(image, std, reference, mask)
    known = sd > 0
    if not known.any():
        return VoxelScores(math.nan, math.nan, 0)
    z = difference[known] / sd[known]
    return VoxelScores(float(z.mean()), float(z.std()), int(known.sum()))


def sparsification(
    image: np.ndarray, std: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None
) -> Sparsification:
    """Return the sparsification curve of an SD image, that of the oracle, and AUSE.

    Voxels of equal SD are removed in random order, on average: each counts with the mean squared
    error of its equals.

    Args:
        image: The image, shape (X, Y, Z).
        std: Its standard deviation, likewise.
        reference: What it should be, likewise.
        mask: Voxels to count, likewise; all if None.

    Returns:
        At shares from 0 to 1 in steps of 1 %; curves are NaN where there is no error at all.

    Raises:
        InputError: As `normal_coverage`.
    """
    difference, sd = _pair(image, std, reference, mask)
    square = difference**2
    removed = np.linspace(0.0, 1.0, _STEPS + 1)
    # In whole percents, so that what is kept does not hang on rounding.
    kept = np.array([-(-(_STEPS - i) * square.size // _STEPS) for i in range(_STEPS + 1)])
    _, group, size = np.unique(sd, return_inverse=True, return_counts=True)
    expected = (np.bincount(group, square) / size)[group]
    curve = _remaining(expected[np.argsort(group, kind="stable")], kept)
    oracle = _remaining(np.sort(square), kept)
    ause = float(np.trapezoid(curve - oracle, removed))
    return Sparsification(removed, curve, oracle, ause)


def _remaining(square: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Relative RMSE of the first `kept` of sorted squared errors, 0 for none."""
    total = np.concatenate([[0.0], np.cumsum(square)])
    whole = total[-1] / square.size
    if not whole:
        return np.full(kept.size, math.nan)
    return np.sqrt(total[kept] / np.maximum(kept, 1) / whole)


def _pair(
    image: np.ndarray, std: np.ndarray, reference: np.ndarray, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    x, sd, r = inside(mask, **{"image": image, "standard deviation": std, "reference": reference})
    if (sd < 0).any():
        raise InputError(f"a standard deviation is {sd.min():.3g}", "expected 0 or above")
    return x - r, sd
