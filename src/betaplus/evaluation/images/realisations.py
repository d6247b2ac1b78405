"""Bias and variance over realisations of one measurement.

Over R realisations x_1 ... x_R of a reference r, voxel by voxel: the mean m, the variance s^2 with
R - 1, and the squared bias (m - r)^2 - s^2 / R. Without the last term the noise that is left in a
mean of R images would count as bias. Over a mask:

- bias = 100 sqrt(sum of squared biases) / |r| [%],
- SD = 100 sqrt(sum of variances) / |r| [%],

so that bias^2 + SD^2 is the mean squared NRMSE of the realisations, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.evaluation.images.masking import inside

__all__ = ["BiasVariance", "Realisations", "bias_variance"]


@dataclass(frozen=True)
class BiasVariance:
    """Bias and SD over a mask, in percent of the norm of the reference.

    Attributes:
        realisations: R.
        voxels: Voxels in the mask.
        bias: Corrected for R; 0 where noise explains more than was found, NaN where the reference
            is 0 throughout.
        bias_uncorrected: From the mean of the realisations as it is.
        sd: Of one realisation.
        squared_bias: Square of the corrected bias, which noise may take below 0 [%^2].
    """

    realisations: int
    voxels: int
    bias: float
    bias_uncorrected: float
    sd: float
    squared_bias: float


class Realisations:
    """Running mean and variance of realisations (Welford), which are seen one at a time.

    Attributes:
        count: Realisations so far.
        mean: Their mean, float64 in the shape of the images.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: np.ndarray = np.zeros(())
        self._squares: np.ndarray = np.zeros(())

    def add(self, image: np.ndarray) -> None:
        """Take in one realisation, shape (X, Y, Z) or any other, always the same.

        Raises:
            InputError: If its shape is not that of those before.
        """
        values = np.asarray(image, dtype=np.float64)
        if self.count == 0:
            self.mean, self._squares = np.zeros(values.shape), np.zeros(values.shape)
        if values.shape != self.mean.shape:
            raise InputError(
                f"a realisation of shape {values.shape} after {self.mean.shape}",
                "expected one grid",
            )
        self.count += 1
        step = values - self.mean
        self.mean += step / self.count
        self._squares += step * (values - self.mean)

    def variance(self) -> np.ndarray:
        """Return the variance of one realisation at each voxel, with R - 1.

        Raises:
            InputError: If there are fewer than two.
        """
        if self.count < 2:
            raise InputError(f"{self.count} realisation", "expected two or more")
        return self._squares / (self.count - 1)

    def against(self, reference: np.ndarray, mask: np.ndarray | None = None) -> BiasVariance:
        """Return bias and SD over a mask.

        Args:
            reference: What the realisations estimate, in their shape.
            mask: Voxels to count, likewise; all if None.

        Raises:
            InputError: If there are fewer than two realisations, shapes differ, the mask is empty
                or a voxel in it is no finite number.
        """
        variance = self.variance()
        m, s2, r = inside(mask, mean=self.mean, variance=variance, reference=reference)
        norm = float(r @ r)
        if not norm:
            return BiasVariance(self.count, r.size, *(math.nan,) * 4)
        raw = float((m - r) @ (m - r)) / norm
        spread = float(s2.sum()) / norm
        squared = raw - spread / self.count
        return BiasVariance(
            realisations=self.count,
            voxels=r.size,
            bias=100.0 * math.sqrt(max(squared, 0.0)),
            bias_uncorrected=100.0 * math.sqrt(raw),
            sd=100.0 * math.sqrt(spread),
            squared_bias=1e4 * squared,
        )


def bias_variance(
    images: Iterable[np.ndarray], reference: np.ndarray, mask: np.ndarray | None = None
) -> BiasVariance:
    """Return bias and SD of realisations; see `Realisations.against`.

    Args:
        images: R >= 2 realisations, each of shape (X, Y, Z).
        reference: What they estimate, likewise.
        mask: Voxels to count, likewise; all if None.

    Raises:
        InputError: As `Realisations.add` and `Realisations.against`.
    """
    running = Realisations()
    for image in images:
        running.add(image)
    return running.against(reference, mask)
