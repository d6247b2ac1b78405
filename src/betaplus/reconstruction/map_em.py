"""Penalised maximum likelihood with the patch prior, by EM surrogates.

Wang and Qi, IEEE Trans Med Imaging 2012, 31:2194-2204; De Pierro, IEEE Trans Med Imaging 1995,
14:132-137. With one subset the objective L - beta U never decreases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.progress import Progress
from betaplus.physics.em import em_update, map_em_update
from betaplus.physics.priors.patch import PatchPrior
from betaplus.physics.threads import available_cores
from betaplus.reconstruction.checks import check_count, check_range
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.method import Watch
from betaplus.reconstruction.scales import first_image, scales_of

__all__ = ["MapEm"]


class MapEm:
    """EM updates pulled to what the neighbours' patches say."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How long and how smooth.

        Attributes:
            iterations: Passes through all data at most.
            subsets: Subsets; with 1 the objective never decreases.
            beta: Strength of the prior, relative to the mean sensitivity.
            delta: Difference above which edges are kept, relative to the image's level.
            neighbourhood: Edge of the neighbourhood [voxels].
            patch: Edge of a patch [voxels].
            tolerance: End when a pass changes the image by less than this share; 0 never.
        """

        iterations: int = 6
        subsets: int = 21
        beta: float = 0.003
        delta: float = 0.05
        neighbourhood: int = 3
        patch: int = 3
        tolerance: float = 0.0

        def __post_init__(self) -> None:
            check_count("iterations", self.iterations)
            check_count("subsets", self.subsets)
            check_range("beta", self.beta, 0.0)
            check_range("delta", self.delta, 1e-9)
            check_range("tolerance", self.tolerance, 0.0, 1.0)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def run(
        self, data: Data, start: np.ndarray | None, progress: Progress, watch: Watch | None = None
    ) -> np.ndarray:
        """Reconstruct; see `Method.run`."""
        s, x = self.settings, first_image(data, start)
        beta, prior = self.prior(data, x)
        progress.start("MAP-EM", s.iterations * len(data.order))
        for iteration in range(s.iterations):
            before = x
            for n in data.order:
                em = em_update(x, data.back_ratio(x, n), data.subset_sensitivity(n))
                regular, weight = prior.surrogate(x)
                x = map_em_update(em, data.sensitivity, weight, regular, beta)
                x *= data.mask
                progress.advance()
            if watch is not None:
                watch(iteration + 1, x)
            if np.linalg.norm(x - before) <= s.tolerance * np.linalg.norm(before):
                break
        progress.finish()
        return x

    def prior(self, data: Data, image: np.ndarray) -> tuple[float, PatchPrior]:
        """Return beta and the prior in the units of some data."""
        s, scales = self.settings, scales_of(data, image)
        prior = PatchPrior(
            delta=s.delta * scales.level,
            neighbourhood=s.neighbourhood,
            patch=s.patch,
            mask=data.mask,
            threads=available_cores(),
        )
        return s.beta * scales.sensitivity, prior
