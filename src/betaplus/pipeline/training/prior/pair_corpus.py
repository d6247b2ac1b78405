"""Pairs of Patlak maps to learn from: frames of simulated people without noise, fitted.

What the Patlak model makes of the late frames is learned, not the rate constants that made them: in
liver, say, where k4 matters, the two differ. Maps are parts of the last frame, u_1 = Ki a_L / c and
u_2 = V0 b_L / c [SUV], as `betaplus.patlak.problem` has them. They are at the resolution of the
label map: batches blur them.

So that a prior is not surer of an organ's kinetics than is known of a patient, each region's rate
constants are those of a person of `simulation.dynamic_study` and once more times exp(0.15 n), n
standard normal, each on its own (nominal); there are more lesions than in most patients, from 6 to
40 mm.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from betaplus.core.seeds import generator
from betaplus.pipeline.training.corpus import corpus_file
from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["FINER", "kind_of", "simulate_pair", "simulate_pairs", "voxel_of"]

FINER = 0.75
"""Edge of a voxel of a head among bodies over that of the bodies."""

_DRAW = 33_000
_HEADS = 4  # among bodies, one person in so many is a head
_SPREAD = 0.15  # of the logarithm of each rate constant, beside that among people; nominal
_LESIONS = {"body": (10, 15), "brain": (2, 6)}
_DIAMETER = (6.0, 40.0)  # mm
_ANOTHER = 1_000_000  # from a person's kinetics to those of the same anatomy painted again


def kind_of(plan: PriorPlan, person: int) -> str:
    """Return ``body`` or ``brain``: what is simulated of a person."""
    if plan.anatomy == "both":
        return "brain" if person % _HEADS == _HEADS - 1 else "body"
    return plan.anatomy


def voxel_of(plan: PriorPlan, person: int) -> float:
    """Return the edge of a person's voxels [mm]."""
    finer = plan.anatomy == "both" and kind_of(plan, person) == "brain"
    return plan.voxel * (FINER if finer else 1.0)


def simulate_pair(plan: PriorPlan, person: int, paint: int, seed: int) -> np.ndarray:
    """Return u_1 and u_2 of a simulated person, shape (2, X, Y, Z) float32 [SUV]."""
    return next(_pairs(plan, person, [paint], seed))


def simulate_pairs(job: tuple[Path, int, PriorPlan, int]) -> None:
    """Write the pairs of a person.

    Args:
        job: Folder, number of the person, plan, seed of the run.
    """
    from betaplus.generative.atomic import beside

    folder, person, plan, seed = job
    for paint, pair in enumerate(_pairs(plan, person, range(plan.paints), seed)):
        with (
            beside(corpus_file(folder, person, paint)) as temporary,
            temporary.open("wb") as handle,
        ):
            np.save(handle, pair.astype(np.float16))


def _pairs(plan: PriorPlan, number: int, paints: Sequence[int], seed: int) -> Iterator[np.ndarray]:
    from betaplus.simulation.dynamic_study.kinetics import organ_kinetics
    from betaplus.simulation.dynamic_study.person import draw_person
    from betaplus.simulation.dynamic_study.protocol import DYNAMIC
    from betaplus.simulation.dynamic_study.tissue import draw_tissue, noise_free_frames
    from betaplus.simulation.dynamic_study.truth import patlak_basis, patlak_fit

    kind = kind_of(plan, number)
    drawn = draw_person(kind, number, voxel=voxel_of(plan, number))
    shape, late = drawn.phantom.labels.shape, DYNAMIC.late()
    for paint in paints:
        rng = generator(seed, item=number, draw=_DRAW + paint)
        regions = organ_kinetics(drawn.phantom.names.values(), number + _ANOTHER * paint)
        person = dataclasses.replace(drawn, regions=_varied(regions, rng))
        low, high = _LESIONS[kind]
        tissue = draw_tissue(
            person, (0, 0, 0), shape, item=paint, lesions=int(rng.integers(low, high + 1)),
            diameter=_DIAMETER,
        )  # fmt: skip
        frames = noise_free_frames(person, tissue, late)
        basis = patlak_basis(person.blood, late.timing(0), person.half_life, person.per_suv)
        maps = patlak_fit(frames, np.repeat(basis[None], shape[2], axis=0))
        yield np.stack(maps) * basis[-1].astype(np.float32)[:, None, None, None]


def _varied(
    regions: Mapping[str, Mapping[str, float]], rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Return kinetics of every region, each value times exp(0.15 n); what is 0 stays 0."""
    return {
        name: {p: v * float(np.exp(_SPREAD * rng.standard_normal())) for p, v in values.items()}
        for name, values in sorted(regions.items())
    }
