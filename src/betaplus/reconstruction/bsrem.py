"""Penalised maximum likelihood with the relative difference prior, by BSREM.

De Pierro and Yamagishi, IEEE Trans Med Imaging 2001, 20:280-288; Ahn and Fessler, IEEE Trans Med
Imaging 2003, 22:613-626; the prior of Nuyts et al., IEEE Trans Nucl Sci 2002, 49:56-60.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.progress import Progress
from betaplus.reconstruction.checks import check_count, check_range
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.method import Watch
from betaplus.reconstruction.relative_difference import relative_difference_prior
from betaplus.reconstruction.scales import first_image

__all__ = ["Bsrem"]

_FLOOR = 1e-4  # of the largest value: what a voxel counts as in the step, so that 0 can be left


class Bsrem:
    """Steps along the gradient of a subset, scaled by x / s, ever shorter."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How long and how smooth.

        Attributes:
            iterations: Passes through all data at most.
            subsets: Subsets.
            beta: Strength of the prior, relative to the mean sensitivity.
            gamma: How early edges are kept; 0 gives a quadratic over the sum.
            step: Length of the first steps; 1 is that of OSEM.
            decay: By which it shrinks: step / (1 + decay * pass).
            tolerance: End when a pass changes the image by less than this share; 0 never.
        """

        iterations: int = 20
        subsets: int = 21
        beta: float = 0.01
        gamma: float = 2.0
        step: float = 1.0
        decay: float = 0.1
        tolerance: float = 0.0

        def __post_init__(self) -> None:
            check_count("iterations", self.iterations)
            check_count("subsets", self.subsets)
            check_range("beta", self.beta, 0.0)
            check_range("gamma", self.gamma, 0.0)
            check_range("step", self.step, 1e-6, 10.0)
            check_range("decay", self.decay, 0.0)
            check_range("tolerance", self.tolerance, 0.0, 1.0)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def run(
        self, data: Data, start: np.ndarray | None, progress: Progress, watch: Watch | None = None
    ) -> np.ndarray:
        """Reconstruct; see `Method.run`."""
        s, x = self.settings, first_image(data, start)
        beta, prior = relative_difference_prior(data, x, s.beta, s.gamma)
        floor, whole = _FLOOR * float(x.max()), np.maximum(data.sensitivity, 1e-30)
        progress.start("BSREM", s.iterations * len(data.order))
        for iteration in range(s.iterations):
            before, step = x, s.step / (1.0 + s.decay * iteration)
            for n in data.order:
                gradient = data.back_ratio(x, n) - data.subset_sensitivity(n)
                gradient *= len(data.order)
                gradient -= np.float32(beta) * prior.gradient(x)
                x = np.maximum(x + step * np.maximum(x, floor) / whole * gradient, 0.0)
                x = (x * data.mask).astype(np.float32)
                progress.advance()
            if watch is not None:
                watch(iteration + 1, x)
            if np.linalg.norm(x - before) <= s.tolerance * np.linalg.norm(before):
                break
        progress.finish()
        return x
