"""`inn-published`: the network of Sun et al. (DTS-INN, IEEE TRPMS 2024) on every axial slice."""

from __future__ import annotations

from dataclasses import dataclass

from betaplus.core.progress import Progress
from betaplus.separation.bundle import TrainedSeparation
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.sequences import separate_slices

__all__ = ["InnPublished"]


class InnPublished:
    """The method.

    Args:
        settings: It has none.
        trained: The network (`betaplus.separation.published`).
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """Nothing to set."""

    def __init__(self, settings: Settings | None, trained: TrainedSeparation) -> None:
        self.settings, self.trained = settings or self.Settings(), trained

    def fit(
        self,
        problem: SeparationProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> SeparatedImages:
        """Return the images; nothing is random.

        Raises:
            InputError: If the scan has other frames than the network was trained on.
        """
        return separate_slices(problem, self.trained, threads=threads, progress=progress)
