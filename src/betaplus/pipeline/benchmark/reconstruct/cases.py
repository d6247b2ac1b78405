"""Simulated heads to reconstruct, and methods with the settings that are tried."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.progress import Silent
from betaplus.core.raw import Sinogram
from betaplus.evaluation.images import nrmse, psnr, ssim
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.randoms import randoms_from_delayeds
from betaplus.pipeline.benchmark.reconstruct.candidates import Candidate
from betaplus.pipeline.benchmark.reconstruct.lesions import add_balls, coarse_balls
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.method import SCORE_METHODS, find_any
from betaplus.simulation.raw.acquisition import simulate_counts
from betaplus.simulation.raw.activity import draw_subject
from betaplus.simulation.raw.attenuation import mu_map
from betaplus.simulation.raw.counts import RawCounts
from betaplus.simulation.raw.draws import draw
from betaplus.simulation.raw.head import average, finer, make_head
from betaplus.simulation.raw.plan import make_plan

__all__ = ["Case", "Trial", "make_case", "measures", "trials"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A head in a scanner.

    Attributes:
        grid: The grid of images.
        truth: The image that was simulated, on that grid, shape (X, Y, Z) [counts].
        mask: Voxels of the head.
        means: Mean counts.
        seed: Of head, person and counts.
        labels: Of tissues, on the grid of half the edges that counts were simulated on; None where
            they are not kept.
        balls: Lesions in it, as `lesions.coarse_balls` labels them; None without.
    """

    grid: ImageGrid
    truth: np.ndarray
    mask: np.ndarray
    means: RawCounts
    seed: int
    labels: np.ndarray | None = None
    balls: np.ndarray | None = None

    def data(self, subsets: int, realisation: int = 0) -> SinogramData:
        """Return a draw of the counts; randoms are estimated from its delayeds."""
        scanner = self.means.scanner
        prompts, delayeds = draw(self.means, self.seed, realisation=realisation)
        randoms = randoms_from_delayeds(delayeds.astype(np.float32), scanner)
        sinogram = Sinogram(
            scanner=scanner,
            prompts=prompts.astype(np.float32),
            multiplicative=self.means.attenuation * self.means.efficiency,
            additive=self.means.scatter + randoms,
        )
        return SinogramData(sinogram, self.grid, subsets=subsets, psf=scanner.resolution)


def make_case(size: str, fraction: float, seed: int, *, lesions: float = 0.0) -> Case:
    """Return the head of a seed at a fraction of the counts.

    Args:
        size: ``small`` (teaching scanner) or ``full`` (mMR).
        fraction: Of the counts of a full scan; its randoms share stays.
        seed: Of head, person, efficiencies and counts.
        lesions: Activity of hot balls in its white matter over that of white matter; 0 for none.
    """
    plan = make_plan(size=size, seed=seed)
    fine = finer(plan.grid)
    head = make_head(fine, seed)
    activity = draw_subject(plan.profile, plan.frames, seed).image(head, 0)
    balls = None
    if lesions:
        activity, fine_balls = add_balls(head, activity, multiple=lesions)
        balls = coarse_balls(fine_balls)
    budget = plan.budget
    total = budget.trues * (1.0 + budget.scatter_over_trues) + budget.randoms
    means = simulate_counts(
        plan.scanner, fine, activity, mu_map(head.labels), counts=fraction * total, seed=seed
    )
    truth = average(activity) * np.float32(means.sensitivity)
    return Case(
        grid=plan.grid, truth=truth, mask=truth > 0.0, means=means, seed=seed, labels=head.labels,
        balls=balls,
    )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Trial:
    """One image of a candidate.

    Attributes:
        settings: Of the method.
        passes: Through the data.
        filter: Full width at half maximum of the filter [mm].
        image: Shape (X, Y, Z).
    """

    settings: dict[str, Any]
    passes: int
    filter: float
    image: np.ndarray

    @property
    def key(self) -> tuple[Any, ...]:
        """What is tuned."""
        return (*self.settings.items(), ("passes", self.passes), ("filter", self.filter))


def trials(
    candidate: Candidate,
    data: SinogramData,
    *,
    settings: Mapping[str, Any] | None = None,
    passes: int | None = None,
    filters: tuple[float, ...] | None = None,
    seed: int = 0,
) -> Iterator[Trial]:
    """Yield the images of all combinations, or of one; pass by pass, or the last alone.

    Args:
        candidate: The method.
        data: Counts.
        settings: The only combination.
        passes: The only number of passes.
        filters: The only filters.
        seed: Of draws, where the method makes some.
    """
    kind = find_any(candidate.method)
    values = itertools.product(*candidate.tried.values())
    combinations: list[dict[str, Any]] = [
        dict(zip(candidate.tried, v, strict=True)) for v in values
    ]
    for combination in [dict(settings)] if settings is not None else combinations:
        fixed = {**candidate.fixed, "subsets": len(data.order), **combination}
        seen: list[tuple[int, np.ndarray]] = []
        if candidate.method in SCORE_METHODS:
            from betaplus.reconstruction.score.prior import ScoreInputs

            inputs = ScoreInputs(prior=candidate.load_prior(), seed=seed)
            seen.append((0, kind(kind.Settings(**fixed), inputs).run(data, None, Silent())))
        else:
            method = kind(kind.Settings(iterations=passes or candidate.passes, **fixed))
            method.run(data, None, Silent(), lambda n, x, seen=seen: seen.append((n, x.copy())))
        for n, image in seen if passes is None else seen[-1:]:
            for width in filters or candidate.filters:
                blur = GaussianBlur(data.grid.shape, data.grid.voxel_size, width)
                yield Trial(settings=combination, passes=n, filter=width, image=blur.forward(image))


def measures(image: np.ndarray, case: Case) -> dict[str, float]:
    """Return NRMSE [%], PSNR [dB] and SSIM of an image, in the head."""
    return {
        "NRMSE": nrmse(image, case.truth, case.mask),
        "PSNR": psnr(image, case.truth, case.mask),
        "SSIM": ssim(image, case.truth, case.mask),
    }
