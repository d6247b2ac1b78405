"""Simulated studies as problems, and the coefficients that are true of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from betaplus.separation.basis import CurveSpace, draw_curves, draw_kinetics, space_of_curves
from betaplus.separation.canonical import canonical
from betaplus.separation.problem import SeparationProblem
from betaplus.simulation.dual_study import DualStudy

__all__ = [
    "Curves",
    "Kinetics",
    "prior_curves",
    "study_problem",
    "true_coefficients",
    "true_images",
    "with_noise",
]

Kinetics = tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]
"""K1, k2, k3, k4, VB of voxels of a tracer's prior, for each tracer."""

Curves = tuple[np.ndarray, np.ndarray]
"""Frame means of such voxels, shape (voxels, frames seen), for each tracer [Bq/mL]."""


def study_problem(
    study: DualStudy,
    *,
    dose: float = 1.0,
    draw: int = 0,
    population: bool = False,
    sizes: tuple[int, int] = (4, 4),
    subjects: int = 60,
    seed: int = 0,
    curves: Curves | None = None,
) -> SeparationProblem:
    """Return the problem that a study poses, with canonical spaces of curves.

    Args:
        study: The study.
        dose: Share of its counts.
        draw: Number of the noise.
        population: Leave the blood out, as where none was measured.
        sizes: Directions of the spaces.
        subjects: People whose curves make them, none of them the one in the study.
        seed: Chooses these people.
        curves: Theirs, of `prior_curves`, where they were drawn before.
    """
    sd, weights = study.separable_noise(dose)
    level = float(study.clean[study.head].mean(axis=0, dtype=np.float64).max())
    profiles, mixing = study.protocol.tracers, study.protocol.mixing

    if curves is None:
        first, second = (draw_kinetics(p, i, subjects, seed) for i, p in enumerate(profiles))
        curves = prior_curves(study, (first, second), population, seed)

    def space(i: int) -> CurveSpace:
        made = space_of_curves(curves[i], mixing, i, weights=weights, size=sizes[i], scale=level)
        return canonical(made, study.frames, study.protocol.injections[i])

    return SeparationProblem(
        mixture=torch.from_numpy((study.mixture(dose, draw) / level).astype(np.float32)),
        scale=level,
        decay=study.decay,
        frames=study.frames,
        weights=weights,
        noise=torch.from_numpy((sd / level).astype(np.float32)),
        noise_fwhm=study.protocol.noise_fwhm,
        voxel=study.voxel,
        mask=torch.from_numpy(study.head),
        tracers=(profiles[0].tracer, profiles[1].tracer),
        injections=study.protocol.injections,
        blood=(None, None) if population else study.blood,
        arrivals=study.arrivals,
        spaces=(space(0), space(1)),
    )


def prior_curves(
    study: DualStudy, kinetics: Kinetics, population: bool = False, seed: int = 0
) -> Curves:
    """Return the curves from which the spaces of a study are made.

    Args:
        study: The study.
        kinetics: Of `draw_kinetics`, for each tracer.
        population: Leave the blood out.
        seed: Chooses blood in its place.
    """

    def one(i: int) -> np.ndarray:
        if not population:  # the study's table is of the blood and the arrival that are known
            return study.tables[i].frame_means(kinetics[i]).astype(np.float64)
        profile, mixing = study.protocol.tracers[i], study.protocol.mixing
        return draw_curves(profile, mixing, i, seed=seed, kinetics=kinetics[i])

    return one(0), one(1)


def with_noise(
    problem: SeparationProblem, study: DualStudy, dose: float, draw: int
) -> SeparationProblem:
    """Return the problem of a study with other noise."""
    sd, _ = study.separable_noise(dose)
    noise, mixture = sd / problem.scale, study.mixture(dose, draw) / problem.scale
    return dataclasses.replace(
        problem,
        mixture=torch.from_numpy(mixture.astype(np.float32)),
        noise=torch.from_numpy(noise.astype(np.float32)),
    )


def true_images(study: DualStudy, problem: SeparationProblem) -> Tensor:
    """Return the true images of both tracers, shape (2, X, Y, Z, T) [scale of the problem]."""
    return torch.from_numpy(study.x / np.float32(problem.scale))


def true_coefficients(problem: SeparationProblem, x: Tensor) -> Tensor:
    """Return the coefficients nearest to images, shape (K1 + K2, X, Y, Z); 0 outside the mask.

    Frames count as they do for the spaces of curves.

    Args:
        problem: With spaces.
        x: Shape (2, X, Y, Z, T) [scale].
    """
    parts = []
    for i, space in enumerate(problem.spaces or ()):
        root = np.sqrt(problem.weights) * problem.decay[i]
        nearest = np.linalg.pinv(root[:, None] * space.basis) * root
        off = x[i] - torch.as_tensor(space.mean, dtype=x.dtype)
        parts.append((off @ torch.as_tensor(nearest.T, dtype=x.dtype)).movedim(-1, 0))
    return torch.cat(parts) * problem.mask
