"""Volumes to learn from: simulated people.

A volume of static images is in the plan's unit and voxels, RAS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from betaplus.core.seeds import generator
from betaplus.pipeline.training.corpus import corpus_file, simulate_people
from betaplus.pipeline.training.prior.counted_heads import counted_head
from betaplus.pipeline.training.prior.pair_corpus import simulate_pairs
from betaplus.pipeline.training.prior.plan import PriorPlan
from betaplus.pipeline.training.prior.seen_heads import simulate_seen

__all__ = ["block_means", "make_corpus", "simulate_volume"]

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
    job = simulate_seen if plan.sees else job
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

    counted = bool(generator(seed, item=person, draw=_DRAW - 1).random() < plan.counted)
    activity = (counted_head if counted else _painted)(plan, person)
    for paint in paints:
        rng = generator(seed, item=person, draw=_DRAW + paint)
        tracer = plan.tracers[int(rng.integers(len(plan.tracers)))]
        image = block_means(activity(tracer, int(rng.integers(2**31))), plan.averaged)
        width = np.exp(rng.uniform(np.log(plan.sharpest), np.log(plan.bluntest)))
        image = gaussian_filter(image, sigma_of_fwhm(width) / plan.voxel, mode="constant")
        yield image / uptake_level(image) if plan.unit == "uptake" else image


def block_means(image: np.ndarray, edge: int) -> np.ndarray:
    """Return means over blocks, shape (X / edge, Y / edge, Z / edge); what is over is left out."""
    if edge == 1:
        return image
    kept = [n // edge for n in image.shape]
    blocks = image[tuple(slice(n * edge) for n in kept)]
    split = [part for n in kept for part in (n, edge)]
    return np.asarray(blocks.reshape(split).mean(axis=(1, 3, 5)), dtype=image.dtype)


def _painted(plan: PriorPlan, person: int) -> Callable[[str, int], np.ndarray]:
    """Return what draws a person's scans: uptakes as tables have them, organ by organ."""
    from betaplus.simulation.static import draw_static, make_anatomy

    voxel = plan.voxel / plan.averaged
    phantom = make_anatomy(plan.anatomy, person, voxel=voxel, finer=plan.finer)
    return lambda tracer, seed: draw_static(phantom, tracer, seed).activity


def _simulate_person(job: tuple[Path, int, PriorPlan, int]) -> None:
    from betaplus.generative.atomic import beside

    folder, person, plan, seed = job
    for paint, image in enumerate(_volumes(plan, person, range(plan.paints), seed)):
        with (
            beside(corpus_file(folder, person, paint)) as temporary,
            temporary.open("wb") as handle,
        ):
            np.save(handle, image.astype(np.float16))
