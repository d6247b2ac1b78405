"""Boxes of simulated scans to learn from, kept on disk as float16.

A box has four channels: the image without noise before the post-filter [SUV], the relative SD of
its noise at full dose, and two draws of that noise with SD 1. Dose and post-filter are chosen when
it is used (`batches`), so that one box is seen at all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from betaplus.core.seeds import generator
from betaplus.pipeline.training.corpus import corpus_file, simulate_people
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.denoiser.styles import random_style

if TYPE_CHECKING:
    from betaplus.simulation.static import StaticScan

__all__ = ["draw_box", "make_boxes"]

_DRAW = 47
_AT_LESIONS = 0.35  # share of boxes around a lesion, where there are some
_SHIFT = 0.25  # of a box: how far its middle may be from what it was chosen for
_BODY = 1e-3  # 1/mm: what attenuates is body


def make_boxes(
    folder: Path, plan: DenoiserPlan, people: Sequence[int], seed: int, workers: int
) -> Iterator[int]:
    """Simulate the boxes of people that are not there yet; yields how many people are done.

    Args:
        folder: Where boxes are.
        plan: The denoiser.
        people: Numbers of the anatomies.
        seed: Of the run.
        workers: Processes.
    """
    return simulate_people(folder, people, plan.paints, _simulate_person, (plan, seed), workers)


def _simulate_person(job: tuple[Path, int, DenoiserPlan, int]) -> None:
    from betaplus.generative.atomic import beside
    from betaplus.simulation.static import draw_static, make_anatomy

    folder, person, plan, seed = job
    phantom = make_anatomy("body", person, voxel=plan.voxel)
    for paint in range(plan.paints):
        rng = generator(seed, item=person, draw=_DRAW + paint)
        tracer = plan.tracers[int(rng.integers(len(plan.tracers)))]
        scan = draw_static(phantom, tracer, int(rng.integers(2**31)))
        boxes = np.stack([draw_box(scan, plan, rng)[0] for _ in range(plan.boxes)])
        with (
            beside(corpus_file(folder, person, paint)) as temporary,
            temporary.open("wb") as handle,
        ):
            np.save(handle, boxes)


def draw_box(
    scan: StaticScan, plan: DenoiserPlan, rng: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    """Draw a part of a scan in a scanner at random; return the box and its first voxel.

    Args:
        scan: The scan.
        plan: The denoiser.
        rng: Chooses them.
    """
    from betaplus.simulation.surrogate.information import measure_information
    from betaplus.simulation.surrogate.surrogate import Surrogate

    style, voxel = random_style(rng), scan.phantom.voxel_size
    known = measure_information(scan.activity, scan.mu, voxel, style)
    low = _place(scan, plan, rng)
    box = tuple(slice(start, start + plan.box) for start in low)
    seen = Surrogate(
        scan.activity[box], scan.mu[box], voxel, style, information=known,
        low=[start * edge for start, edge in zip(low, voxel, strict=True)],
    )  # fmt: skip
    draws = [seen.noise(seed=int(rng.integers(2**31))) for _ in range(2)]
    sd = np.minimum(seen.linear_sd, 100.0)
    out = np.zeros((4, *[plan.box] * 3), np.float16)
    out[(slice(None), *(slice(n) for n in sd.shape))] = np.stack([seen.mean, sd, *draws])
    return out, low


def _place(scan: StaticScan, plan: DenoiserPlan, rng: np.random.Generator) -> list[int]:
    """Return the first voxel of a box around a lesion or a place in the body."""
    shape = np.array(scan.activity.shape)
    if scan.lesions and rng.random() < _AT_LESIONS:
        lesion = scan.lesions[int(rng.integers(len(scan.lesions)))]
        middle = np.linalg.solve(scan.phantom.affine, [*lesion.centre, 1.0])[:3]
    else:
        inside = np.flatnonzero(scan.mu > _BODY)
        middle = np.array(np.unravel_index(rng.choice(inside), shape), dtype=float)
    middle = middle + rng.uniform(-_SHIFT, _SHIFT, 3) * plan.box
    low = np.rint(middle - plan.box / 2).astype(int)
    return [int(v) for v in np.clip(low, 0, np.maximum(shape - plan.box, 0))]
