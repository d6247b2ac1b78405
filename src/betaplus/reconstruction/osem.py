"""Expectation maximisation with ordered subsets.

Shepp and Vardi, IEEE Trans Med Imaging 1982, 1:113-122 (MLEM, one subset); Hudson and Larkin, IEEE
Trans Med Imaging 1994, 13:601-609 (OSEM).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.progress import Progress
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.em import em_update
from betaplus.reconstruction.checks import check_count, check_range
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.method import Watch, uniform_start

__all__ = ["Osem"]


class Osem:
    """x <- x / s_j A_j^T m y / ybar, subset by subset."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How long, and what is done afterwards.

        Attributes:
            iterations: Passes through all data at most.
            subsets: Subsets; 1 is MLEM.
            tolerance: End when a pass changes the image by less than this share (root of the sum
                of squares); 0 never.
            filter: Full width at half maximum of a Gaussian filter at the end [mm].
        """

        iterations: int = 3
        subsets: int = 21
        tolerance: float = 0.0
        filter: float = 0.0

        def __post_init__(self) -> None:
            check_count("iterations", self.iterations)
            check_count("subsets", self.subsets)
            check_range("tolerance", self.tolerance, 0.0, 1.0)
            check_range("filter", self.filter, 0.0, 100.0)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def run(
        self, data: Data, start: np.ndarray | None, progress: Progress, watch: Watch | None = None
    ) -> np.ndarray:
        """Reconstruct; see `Method.run`."""
        s, x = self.settings, uniform_start(data, start)
        progress.start("OSEM" if s.subsets > 1 else "MLEM", s.iterations * len(data.order))
        for iteration in range(s.iterations):
            before = x
            for n in data.order:
                x = em_update(x, data.back_ratio(x, n), data.subset_sensitivity(n))
                progress.advance()
            x *= data.mask
            if watch is not None:
                watch(iteration + 1, x)
            if np.linalg.norm(x - before) <= s.tolerance * np.linalg.norm(before):
                break
        progress.finish()
        if s.filter > 0.0:
            x = GaussianBlur(data.grid.shape, data.grid.voxel_size, s.filter).forward(x)
            x *= data.mask
        return x
