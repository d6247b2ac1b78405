"""Volumes to learn from: simulated people.

A volume of static images is in the plan's unit and voxels, RAS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from betaplus.core.seeds import generator
from betaplus.pipeline.training.corpus import corpus_file, simulate_people
from betaplus.pipeline.training.prior.pair_corpus import simulate_pairs
from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["make_corpus", "simulate_volume"]

_DRAW = 31


def make_corpus(
    folder: Path, plan: PriorPlan, people: Sequence[int], seed: int, workers: int
) -> Iterator[int]:
    """Simulate the volumes of people that are not there yet; yields how many people are done.

    Args:
        folder: Where volumes are.
        plan: The prior.
        people: Numbers of the anatomies.
        seed: Of the run.
        workers: Processes.
    """
    job = simulate_pairs if plan.maps == "patlak" else _simulate_person
    return simulate_people(folder, people, plan.paints, job, (plan, seed), workers)


def simulate_volume(plan: PriorPlan, person: int, paint: int, seed: int) -> np.ndarray:
    """Return one simulated volume in the plan's unit, shape (X, Y, Z) float32."""
    return next(_volumes(plan, person, [paint], seed))


def _volumes(
    plan: PriorPlan, person: int, paints: Sequence[int], seed: int
) -> Iterator[np.ndarray]:
    from scipy.ndimage import gaussian_filter

    from betaplus.generative.image_prior import uptake_level
    from betaplus.simulation.fields import sigma_of_fwhm
    from betaplus.simulation.static import draw_static, make_anatomy

    phantom = make_anatomy(plan.anatomy, person, voxel=plan.voxel, finer=plan.finer)
    for paint in paints:
        rng = generator(seed, item=person, draw=_DRAW + paint)
        tracer = plan.tracers[int(rng.integers(len(plan.tracers)))]
        scan = draw_static(phantom, tracer, int(rng.integers(2**31)))
        width = np.exp(rng.uniform(np.log(plan.sharpest), np.log(plan.bluntest)))
        sigma = [sigma_of_fwhm(width) / v for v in phantom.voxel_size]
        image = gaussian_filter(scan.activity, sigma, mode="constant")
        yield image / uptake_level(image) if plan.unit == "uptake" else image


def _simulate_person(job: tuple[Path, int, PriorPlan, int]) -> None:
    from betaplus.generative.atomic import beside

    folder, person, plan, seed = job
    for paint, image in enumerate(_volumes(plan, person, range(plan.paints), seed)):
        with (
            beside(corpus_file(folder, person, paint)) as temporary,
            temporary.open("wb") as handle,
        ):
            np.save(handle, image.astype(np.float16))
