"""Heads in a scanner to learn from: OSEM of a draw of the counts, beside the truth.

Half of the scans of a head have about 1 % of the counts of a full scan, half from .07 to 130 %; the
first activity is FDG's, every further one that of a tracer drawn from the plan's. Every third head
lies anywhere along the scanner's axis, the others as in the benchmark.

Up to `plan.lesions` balls are hotter or colder than what is around them, so that what no head has
is not taken for noise: of radii and intensities that leave out those that the benchmark asks for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.seeds import generator
from betaplus.pipeline.training.corpus import corpus_file
from betaplus.pipeline.training.prior.counted_heads import profile_of
from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["FRACTIONS", "LESIONS", "SUBSETS", "simulate_seen"]

FRACTIONS = ((0.005, 0.02), (0.0007, 1.3))
"""Ends of the shares of a full scan's counts, of each activity's first scan and of its second."""

LESIONS = ((2.0, 3.5), (7.0, 14.0)), ((0.0, 0.6), (1.3, 1.8), (2.2, 2.8), (3.3, 4.5), (5.6, 9.0))
"""Radii [mm], and activities over those around them: ranges of each, as likely as each other."""

SUBSETS = {"small": 18, "full": 21}

_APART = 3  # heads
_AWAY = (-90.0, 75.0)  # mm: of the scanner's middle from where it usually is in the head
_DRAW = 35_000
_BRIGHTEST = 6e4  # of a half-precision number


def simulate_seen(job: tuple[Path, int, PriorPlan, int]) -> None:
    """Write the scans of a head: OSEM as a prior is shown it, then the truth, (sees + 1, X, Y, Z).

    RAS; the unit is the level that `scales_of` finds.

    Args:
        job: Folder, number of the head, plan, seed of the run.
    """
    from betaplus.generative.atomic import beside

    folder, person, plan, seed = job
    for scan, images in enumerate(_scans(plan, person, seed)):
        with (
            beside(corpus_file(folder, person, scan)) as temporary,
            temporary.open("wb") as handle,
        ):
            np.save(handle, images.clip(0.0, _BRIGHTEST).astype(np.float16))


def _middle(person: int, seed: int) -> tuple[float, float, float]:
    """Return where the scanner's middle is in a head [mm]."""
    away = generator(seed, item=person, draw=_DRAW - 1).uniform(*_AWAY)
    return 0.0, 0.0, float(away) if person % _APART == _APART - 1 else 0.0


def add_lesions(
    activity: np.ndarray, grid: ImageGrid, most: int, rng: np.random.Generator
) -> np.ndarray:
    """Return an activity with up to `most` balls in what has uptake, shape (X, Y, Z).

    Args:
        activity: Shape (X, Y, Z), in any unit.
        grid: Its grid.
        most: Balls at most; none is as likely as any other number.
        rng: What draws them.
    """
    out = activity.copy()
    places = np.argwhere(activity > 0.5 * activity[activity > 0.0].mean())
    for _ in range(int(rng.integers(most + 1))):
        radii, multiples = (some[int(rng.integers(len(some)))] for some in LESIONS)
        radius, multiple = float(rng.uniform(*radii)), float(rng.uniform(*multiples))
        centre = places[int(rng.integers(len(places)))]
        reach = [int(np.ceil(radius / edge)) for edge in grid.voxel_size]
        box = tuple(
            slice(max(c - r, 0), min(c + r + 1, n))
            for c, r, n in zip(centre.tolist(), reach, activity.shape, strict=True)
        )
        steps = np.ogrid[box]
        distance = sum(
            ((step - c) * edge) ** 2
            for step, c, edge in zip(steps, centre.tolist(), grid.voxel_size, strict=True)
        )
        inside = (distance <= radius**2) & (activity[box] > 0.0)
        if inside.any():
            out[box][inside] = multiple * activity[box][inside].mean()
    return out


def _scans(plan: PriorPlan, person: int, seed: int) -> Iterator[np.ndarray]:
    from betaplus.core.raw import Sinogram
    from betaplus.physics.randoms import randoms_from_delayeds
    from betaplus.reconstruction.data import SinogramData
    from betaplus.reconstruction.osem_images import osem_images
    from betaplus.reconstruction.scales import scales_of
    from betaplus.simulation.raw.acquisition import Acquisition
    from betaplus.simulation.raw.activity import draw_subject
    from betaplus.simulation.raw.attenuation import mu_map
    from betaplus.simulation.raw.draws import draw
    from betaplus.simulation.raw.efficiencies import SPREAD, crystal_efficiencies
    from betaplus.simulation.raw.head import average, finer, make_head
    from betaplus.simulation.raw.plan import make_plan

    wanted = make_plan(size=plan.scanner, seed=person)
    scanner, grid, budget = wanted.scanner, finer(wanted.grid), wanted.budget
    head = make_head(dataclasses.replace(grid, centre=_middle(person, seed)), person, threads=1)
    crystals = crystal_efficiencies(scanner, person, SPREAD)
    taken = Acquisition(scanner, grid, mu_map(head.labels), crystals, threads=1)
    weights = taken.weights()
    for scan in range(plan.paints):
        rng = generator(seed, item=person, draw=_DRAW + scan)
        first, which = scan < len(FRACTIONS), int(rng.integers(len(plan.tracers)))
        if scan % len(FRACTIONS) == 0:
            profile = profile_of("FDG" if first else plan.tracers[which])
            painted = draw_subject(profile, wanted.frames, int(rng.integers(2**31)))
            activity = add_lesions(painted.image(head, 0), grid, plan.lesions, rng)
            full = taken.means(
                activity,
                sensitivity=budget.trues / float(np.sum(weights * activity, dtype=np.float64)),
                scatter_over_trues=budget.scatter_over_trues,
                randoms=budget.randoms,
            )
        low, high = np.log(FRACTIONS[scan % len(FRACTIONS)])
        share = np.float32(np.exp(rng.uniform(low, high)))
        means = dataclasses.replace(
            full, trues=share * full.trues, scatter=share * full.scatter,
            randoms=share * full.randoms, sensitivity=float(share) * full.sensitivity,
        )  # fmt: skip
        prompts, delayeds = draw(means, person, realisation=scan, threads=1)
        randoms = randoms_from_delayeds(delayeds.astype(np.float32), scanner)
        sinogram = Sinogram(
            scanner=scanner,
            prompts=prompts.astype(np.float32),
            multiplicative=means.attenuation * means.efficiency,
            additive=means.scatter + randoms,
        )
        data = SinogramData(
            sinogram, wanted.grid, subsets=SUBSETS[plan.scanner], psf=scanner.resolution, threads=1
        )
        shown = osem_images(data, plan.sees - 1)
        truth = average(activity) * np.float32(means.sensitivity)
        level = np.float32(scales_of(data, shown[0]).level)
        yield np.concatenate([shown, truth[None]])[:, ::-1, ::-1, ::-1] / level
