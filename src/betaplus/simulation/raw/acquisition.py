"""An object in a scanner: from its activity to mean counts.

The activity is blurred by the scanner's resolution and projected on a grid finer than that of any
reconstruction, so that images are not recovered with the very model that made the data.
"""

from __future__ import annotations

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.physics.attenuation import attenuation_factors
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.projector.projector import Projector
from betaplus.simulation.raw.counts import RawCounts, split_budget
from betaplus.simulation.raw.efficiencies import SPREAD, crystal_efficiencies, line_efficiencies
from betaplus.simulation.raw.randoms import randoms_shape
from betaplus.simulation.raw.scatter import scatter_shape

__all__ = ["Acquisition", "simulate_counts"]


class Acquisition:
    """A scanner with an attenuating object in it.

    Args:
        scanner: The scanner.
        grid: Grid of activity and attenuation.
        mu: Attenuation coefficients, shape (X, Y, Z) [1/mm].
        crystals: Efficiency of each crystal, shape (detectors, rings).
        resolution: Full width at half maximum [mm]; the scanner's if None.
        threads: Threads; the cores available if None. Results do not depend on it.

    Attributes:
        attenuation: Share of photon pairs that leaves, shape (view, radial, plane), float32.
        efficiency: Of each line, pairs of rings included, likewise.
    """

    def __init__(
        self,
        scanner: Scanner,
        grid: ImageGrid,
        mu: np.ndarray,
        crystals: np.ndarray,
        *,
        resolution: float | None = None,
        threads: int | None = None,
    ) -> None:
        self.scanner, self.grid, self.threads = scanner, grid, threads
        fwhm = scanner.resolution if resolution is None else resolution
        self._blur = GaussianBlur(grid.shape, grid.voxel_size, fwhm)
        self._projector = Projector(scanner, grid, threads=threads)
        self.attenuation = attenuation_factors(scanner, grid, mu, threads)
        self.efficiency = line_efficiencies(scanner, crystals, threads)

    def weights(self) -> np.ndarray:
        """Return the trues that each voxel adds, for one unit in it and a sensitivity of 1.

        Shape (X, Y, Z), float32: the sum of this times an activity is the sum of its trues.
        """
        flat = Projector(self.scanner.replace(tof_bins=1), self.grid, threads=self.threads)
        return self._blur.adjoint(flat.adjoint(self.attenuation * self.efficiency))

    def means(
        self,
        activity: np.ndarray,
        *,
        sensitivity: float,
        scatter_over_trues: float,
        randoms: float,
    ) -> RawCounts:
        """Return the mean counts of a frame.

        Args:
            activity: Shape (X, Y, Z), in any unit.
            sensitivity: Trues for one unit on 1 mm of a line with an efficiency of 1.
            scatter_over_trues: Ratio of the sums.
            randoms: Their sum.
        """
        trues = self._projector.forward(self._blur.forward(activity))
        trues *= _spread(self.attenuation, trues)
        trues *= np.float32(sensitivity)
        scatter = scatter_shape(self.scanner, trues, self.threads)
        for part in (trues, scatter):
            part *= _spread(self.efficiency, part)
        _scale(scatter, scatter_over_trues * float(trues.sum(dtype=np.float64)))
        signal = np.empty(self.scanner.shape[:3], dtype=np.float32)
        for view in range(self.scanner.views):
            both = trues[view] + scatter[view]
            signal[view] = both.sum(-1) if self.scanner.tof else both
        accidental = randoms_shape(self.scanner, signal, self.threads)
        _scale(accidental, randoms)
        return RawCounts(
            scanner=self.scanner,
            trues=trues,
            scatter=scatter,
            randoms=accidental,
            attenuation=self.attenuation,
            efficiency=self.efficiency,
            sensitivity=sensitivity,
        )


def simulate_counts(
    scanner: Scanner,
    grid: ImageGrid,
    activity: np.ndarray,
    mu: np.ndarray,
    *,
    counts: float,
    scatter: float = 0.35,
    randoms: float = 0.4,
    spread: float = SPREAD,
    resolution: float | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> RawCounts:
    """Return the mean counts of an object that is asked to give a number of prompts.

    Args:
        scanner: The scanner.
        grid: Grid of activity and attenuation; finer than what it is to be reconstructed on.
        activity: Shape (X, Y, Z), in any unit.
        mu: Attenuation coefficients, shape (X, Y, Z) [1/mm].
        counts: Mean number of all prompts.
        scatter: Scatter fraction: scatter over trues and scatter.
        randoms: Randoms over all prompts.
        spread: Standard deviation of the logarithm of a crystal's efficiency.
        resolution: Full width at half maximum [mm]; the scanner's if None.
        seed: Chooses the efficiencies.
        threads: Threads; the cores available if None. Results do not depend on it.

    Raises:
        UsageError: If a number is out of its range, or no activity is in sight.
    """
    from betaplus.core.errors import UsageError

    budget = split_budget(counts, scatter=scatter, randoms=randoms)
    crystals = crystal_efficiencies(scanner, seed, spread)
    scan = Acquisition(scanner, grid, mu, crystals, resolution=resolution, threads=threads)
    seen = float(np.sum(scan.weights() * activity, dtype=np.float64))
    if not seen > 0.0:
        raise UsageError("no activity that the scanner sees", "expected some in its field of view")
    return scan.means(
        activity,
        sensitivity=budget.trues / seen,
        scatter_over_trues=budget.scatter_over_trues,
        randoms=budget.randoms,
    )


def _spread(factors: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return factors (view, radial, plane) in the shape of counts."""
    return factors if like.ndim == 3 else factors[..., None]


def _scale(part: np.ndarray, total: float) -> None:
    """Scale to a sum, in place; what is 0 stays 0."""
    found = float(part.sum(dtype=np.float64))
    part *= np.float32(total / found) if found > 0.0 else np.float32(0.0)
