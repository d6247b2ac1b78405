"""Counts and a prior in one unit, and the state of a draw on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.generative.image_prior import ImagePrior
from betaplus.generative.keyed_noise import keyed_noise
from betaplus.physics.priors.relative_difference import RelativeDifference
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.method import uniform_start
from betaplus.reconstruction.osem_images import as_shown, osem_passes
from betaplus.reconstruction.scales import scales_of, smoothed
from betaplus.reconstruction.score.prior import Denoise, ScoreInputs, denoise_on

__all__ = ["DiffusionState", "ScoreProblem", "score_problem"]

_EPS = 1e-3  # of the first image's largest value: of the relative difference prior


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreProblem:
    """What all draws from the same counts share.

    Attributes:
        data: Counts in subsets.
        denoise: The prior, in units of `level`.
        first: A smoothed OSEM image, shape (X, Y, Z), in the image's unit.
        level: Value of the image that is 1 to the prior: one scale for the volume.
        sensitivity: Mean sensitivity, weighted by the first image.
        axial: The relative difference prior of neighbours along z, in the image's unit.
        seed: Of the run.
        item: Index of what is reconstructed.
        targets: Log-likelihood to reach at each step, or None.
        spread: Of the estimate of a prior that is shown OSEM, in units of the level, however noisy
            its image; infinite for one that is not.
    """

    data: Data
    denoise: Denoise
    first: np.ndarray
    level: float
    sensitivity: float
    axial: RelativeDifference
    seed: int = 0
    item: int = 0
    targets: np.ndarray | None = None
    spread: float = math.inf

    @property
    def counts(self) -> float:
        """Counts that a voxel of value `level` gives: its information is about that many."""
        return self.sensitivity * self.level

    def noise(self, draw: int, step: int) -> np.ndarray:
        """Return the standard normal noise of a step of a draw, which belongs to the voxel."""
        shape = self.data.grid.shape
        return keyed_noise(self.seed, draw, (0, 0, 0), shape, item=self.item, step=step)


@dataclass(frozen=True, eq=False, kw_only=True)
class DiffusionState:
    """A draw between two network calls: all that the rest of it depends on.

    Attributes:
        draw: Its index, which chooses its noise.
        step: Network calls that are done.
        subset: Subsets used so far; the next one is `order[subset % n]`.
        x: The noisy image, in the variable of the sampler.
        clean: The last estimate that the data agreed to, in the image's unit: the result when the
            last step is done.
    """

    draw: int
    step: int
    subset: int
    x: np.ndarray
    clean: np.ndarray

    @property
    def done(self) -> int:
        """Network calls that are done."""
        return self.step

    @property
    def estimate(self) -> np.ndarray:
        """The last estimate."""
        return self.clean

    def arrays(self) -> dict[str, np.ndarray]:
        """Return it as arrays."""
        numbers = np.array([self.draw, self.step, self.subset])
        return {"numbers": numbers, "x": self.x, "clean": self.clean}

    @staticmethod
    def of(arrays: Mapping[str, np.ndarray]) -> DiffusionState:
        """Return the state that was written as arrays."""
        draw, step, subset = map(int, arrays["numbers"])
        return DiffusionState(
            draw=draw, step=step, subset=subset, x=arrays["x"], clean=arrays["clean"]
        )


def score_problem(
    data: Data,
    inputs: ScoreInputs,
    start: np.ndarray | None,
    *,
    slices: str = "axial",
    passes: int = 1,
    smooth: float = 5.0,
    gamma: float = 2.0,
    targets: np.ndarray | None = None,
    sighted: bool = False,
) -> ScoreProblem:
    """Bring counts and a prior together.

    Args:
        data: Counts in subsets.
        inputs: The prior and the like.
        start: First image, or None for OSEM.
        slices: How a prior of slices is used.
        passes: Passes of OSEM for the first image.
        smooth: Full width at half maximum of its filter [mm].
        gamma: How early the axial prior keeps edges.
        targets: Log-likelihood to reach at each step, or None.
        sighted: Whether the prior may have been shown what the counts say.

    Raises:
        InputError: If the prior does not know voxels of that size.
        UsageError: If the prior is shown OSEM and may not be.
    """
    sees = _passes_shown(inputs, sighted)
    count = max(sees, passes if start is None else 0)
    osem = osem_passes(data, count) if count else []
    if start is None:
        first = smoothed(data, osem[passes - 1], smooth) * data.mask
        if not first.any():  # a subset without counts leaves nothing
            first = uniform_start(data, None)
    else:
        first = uniform_start(data, start)
    scales = scales_of(data, first)
    level = scales.level if inputs.level is None else inputs.level
    shown = as_shown(data, osem[:sees]) / np.float32(level) if sees else None
    axial = RelativeDifference(
        spacing=data.grid.voxel_size,
        eps=_EPS * scales.top,
        gamma=gamma,
        neighbours="axial",
        mask=data.mask,
        threads=inputs.threads,
    )
    return ScoreProblem(
        data=data,
        denoise=denoise_on(inputs.prior, data.grid, slices, inputs.threads, shown),
        first=first,
        level=level,
        sensitivity=scales.sensitivity,
        axial=axial,
        seed=inputs.seed,
        item=inputs.item,
        targets=targets,
        spread=math.inf if shown is None else inputs.prior.spread,  # type: ignore[union-attr]
    )


def _passes_shown(inputs: ScoreInputs, sighted: bool) -> int:
    """Return the passes of OSEM that a prior is shown."""
    prior = inputs.prior
    if not isinstance(prior, ImagePrior) or not prior.sees:
        return 0
    if not sighted:
        raise UsageError(
            f"{prior.bundle.path.name}, which is shown OSEM of the counts",
            "expected a prior that knows images alone, for this method",
        )
    return prior.sees - 1
