"""What every reconstruction asks of its data, and sinograms that answer.

The model of the counts is ybar = m (A G x) + b, with attenuation and efficiency in m, a blur G for
the resolution, and randoms and scatter in b; the log-likelihood is sum y ln ybar - ybar.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Protocol

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.grid import ImageGrid
from betaplus.core.raw import Sinogram
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.em import poisson_log_likelihood, ratio
from betaplus.physics.projector.projector import Projector
from betaplus.reconstruction.subsets import herman_meyer, subset_views

__all__ = ["Data", "SinogramData", "field_of_view"]


class Data(Protocol):
    """Counts in subsets, with their model."""

    grid: ImageGrid
    order: list[int]
    """Subsets in the order of their use."""

    @property
    def mask(self) -> np.ndarray:
        """Voxels that may hold activity, shape (X, Y, Z), bool."""

    @property
    def sensitivity(self) -> np.ndarray:
        """G^T A^T m of all subsets, shape (X, Y, Z); 0 outside the mask."""

    def subset_sensitivity(self, subset: int) -> np.ndarray:
        """Return that of one subset."""

    def back_ratio(self, x: np.ndarray, subset: int) -> np.ndarray:
        """Return G^T A^T m y / ybar of a subset at an image x; 0 outside the mask."""

    def log_likelihood(self, x: np.ndarray) -> float:
        """Return sum y ln ybar - ybar over all data."""

    def scaled(self, x: np.ndarray) -> tuple[float, float]:
        """Return how the log-likelihood changes as an image is scaled, and how that falls.

        They are x^T g and x^T H x, with its gradient g and its curvature H at x.
        """

    @property
    def level(self) -> float:
        """Value of a uniform image in the mask that explains the counts."""

    def alone(self, threads: int) -> Data:
        """Return the same data for one of several threads, with some threads of its own."""


def field_of_view(grid: ImageGrid, radius: float) -> np.ndarray:
    """Return the voxels within a radius of the axis [mm], shape (X, Y, Z), bool."""
    across = np.hypot(grid.axis(0)[:, None], grid.axis(1)[None]) <= radius
    return np.repeat(across[..., None], grid.shape[2], axis=2)


class SinogramData:
    """A sinogram in subsets of views.

    Args:
        sinogram: Counts and their model.
        grid: The image grid.
        subsets: Number of subsets.
        psf: Resolution, full width at half maximum [mm]; 0 leaves it out.
        mask: Voxels that may hold activity, shape (X, Y, Z), or None.
        threads: Threads; the cores available if None.

    Raises:
        InputError: If counts, factors or additive terms are what none can be.
    """

    def __init__(
        self,
        sinogram: Sinogram,
        grid: ImageGrid,
        *,
        subsets: int = 1,
        psf: float = 0.0,
        mask: np.ndarray | None = None,
        threads: int | None = None,
    ) -> None:
        _check(sinogram)
        self.sinogram, self.grid = sinogram, grid
        self.views = subset_views(sinogram.scanner.views, subsets)
        self.order = herman_meyer(subsets)
        self.blur = GaussianBlur(grid.shape, grid.voxel_size, psf)
        lines = (sinogram.multiplicative > 0.0).any(-1)
        self._whole = Projector(sinogram.scanner, grid, lines=lines, threads=threads)
        self._parts = [self._whole.subset(views) for views in self.views]
        self._seen = field_of_view(grid, sinogram.scanner.fov_radius)
        if mask is not None:
            self._seen = self._seen & np.asarray(mask, dtype=bool)
        self._sensitivities: dict[int, np.ndarray] = {}
        self._scratch = np.empty(0, dtype=np.float32)

    def with_counts(self, sinogram: Sinogram) -> SinogramData:
        """Return the same for another frame, whose multiplicative factors are these.

        Raises:
            InputError: If counts or additive terms are what none can be.
        """
        _check(sinogram)
        other = copy.copy(self)
        other.sinogram = sinogram
        other.__dict__.pop("level", None)
        return other

    def alone(self, threads: int) -> SinogramData:
        """Return the same data for one of several threads, with some threads of its own."""
        _ = self.mask, self.level  # computed once, for all
        other = copy.copy(self)
        other._parts = [part.with_threads(threads) for part in self._parts]
        other._scratch = np.empty(0, dtype=np.float32)
        return other

    @cached_property
    def sensitivity(self) -> np.ndarray:
        """G^T A^T m of all subsets, shape (X, Y, Z); 0 outside the mask."""
        out = np.zeros(self.grid.shape, dtype=np.float32)
        for n in range(len(self.views)):
            out += self.subset_sensitivity(n)
        return out

    @cached_property
    def mask(self) -> np.ndarray:
        """Voxels that some line crosses and that may hold activity."""
        return self._seen & (self.sensitivity > 1e-6 * self.sensitivity.max())

    @cached_property
    def level(self) -> float:
        """Value of a uniform image in the mask that explains the counts."""
        counts = self.sinogram.prompts.sum(dtype=np.float64)
        trues = counts - self.sinogram.additive.sum(dtype=np.float64)
        total = self.sensitivity[self.mask].sum(dtype=np.float64)
        if not total > 0.0:
            raise InputError(
                "the sensitivity is 0 in all of the image", "expected lines that cross it"
            )
        return float(max(trues, 0.01 * counts, 1.0) / total)

    def subset_sensitivity(self, subset: int) -> np.ndarray:
        """Return G^T A^T m of one subset."""
        if subset not in self._sensitivities:
            factors = self.sinogram.multiplicative[self.views[subset]]
            self._sensitivities[subset] = self._back(self._spread(factors), subset)
        return self._sensitivities[subset]

    def expected(self, x: np.ndarray, subset: int) -> np.ndarray:
        """Return the mean counts of a subset, shape (view, radial, plane[, TOF]).

        The next call may write over them.
        """
        views = self.views[subset]
        shape = self._parts[subset].out_shape
        if self._scratch.shape != shape:
            self._scratch = np.empty(shape, dtype=np.float32)
        out = self._parts[subset].forward(self.blur.forward(x), self._scratch)
        out *= self._spread(self.sinogram.multiplicative[views])
        out += self.sinogram.additive[views]
        return out

    def back_ratio(self, x: np.ndarray, subset: int) -> np.ndarray:
        """Return G^T A^T m y / ybar of a subset at an image x; 0 outside the mask."""
        views, expected = self.views[subset], self.expected(x, subset)
        out = ratio(self.sinogram.prompts[views], expected, out=expected)
        out *= self._spread(self.sinogram.multiplicative[views])
        return self._back(out, subset)

    def log_likelihood(self, x: np.ndarray) -> float:
        """Return sum y ln ybar - ybar over all data."""
        return sum(
            poisson_log_likelihood(self.sinogram.prompts[views], self.expected(x, n))
            for n, views in enumerate(self.views)
        )

    def scaled(self, x: np.ndarray) -> tuple[float, float]:
        """Return how the log-likelihood changes as an image is scaled, and how that falls."""
        first, second = -float(np.sum(self.sensitivity * x, dtype=np.float64)), 0.0
        for n, views in enumerate(self.views):
            expected, counts = self.expected(x, n), self.sinogram.prompts[views]
            seen = (counts > 0.0) & (expected > 0.0)
            y, mean = counts[seen].astype(np.float64), expected[seen].astype(np.float64)
            share = 1.0 - self.sinogram.additive[views][seen] / mean
            first, second = first + float(y @ share), second + float(y @ np.square(share))
        return first, second

    def _spread(self, factors: np.ndarray) -> np.ndarray:
        """Return factors (view, radial, plane) in the shape that counts have."""
        if not self.sinogram.scanner.tof:
            return factors
        return np.broadcast_to(factors[..., None], (*factors.shape, self.sinogram.scanner.tof_bins))

    def _back(self, y: np.ndarray, subset: int) -> np.ndarray:
        out = self.blur.adjoint(self._parts[subset].adjoint(y))
        out *= self._seen
        return out


def _check(sinogram: Sinogram) -> None:
    for name in ("prompts", "multiplicative", "additive"):
        array = getattr(sinogram, name)
        low = float(array.min(initial=0.0))  # NaN where anything is
        if not low >= 0.0 or not np.isfinite(array.max(initial=0.0)):
            what = "negative values" if low < 0.0 else "values that are not numbers"
            raise InputError(f"{name} with {what}", "expected numbers from 0")
    if not (sinogram.multiplicative > 0.0).any():
        raise InputError("multiplicative factors that are all 0", "expected some above 0")
