"""Simulated studies as problems, and the coefficients that are true of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from betaplus.separation.basis import CurveSpace
from betaplus.separation.canonical import canonical
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.tissue_curves import (
    CurveSource,
    TissueCurves,
    curves_of,
    tissue_curves,
)
from betaplus.separation.tissue_kinetics import Kinetics, TissueKinetics, draw_tissues
from betaplus.simulation.dual_study import DualStudy

__all__ = [
    "prior_curves",
    "study_problem",
    "true_coefficients",
    "true_images",
    "with_noise",
]


def study_problem(
    study: DualStudy,
    *,
    dose: float = 1.0,
    draw: int = 0,
    population: bool = False,
    sizes: tuple[int, int] = (6, 6),
    subjects: int = 60,
    seed: int = 0,
    curves: TissueCurves | None = None,
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
        curves = prior_curves(study, draw_tissues(profiles, subjects, seed), population, seed)
    tissues = curves.scaled((1.0 / level, 1.0 / level))

    def space(i: int) -> CurveSpace:
        made = tissues.space(mixing, i, weights=weights, size=sizes[i])
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
        tissues=tissues,
    )


def prior_curves(
    study: DualStudy, kinetics: TissueKinetics, population: bool = False, seed: int = 0
) -> TissueCurves:
    """Return the curves of people from which the spaces and tissues of a study are made [Bq/mL].

    Args:
        study: The study.
        kinetics: Of these people.
        population: Leave the blood out.
        seed: Chooses blood in its place.
    """
    tracers, mixing = study.protocol.tracers, study.protocol.mixing
    if population:
        return tissue_curves(tracers, mixing, seed=seed, kinetics=kinetics)

    def made(i: int, values: Kinetics) -> np.ndarray:
        # the study's table is of the blood and the arrival that are known
        return study.tables[i].frame_means(values).astype(np.float64)

    source = CurveSource(kinetics=kinetics, tables=study.tables, seen=mixing.seen)
    return dataclasses.replace(curves_of(kinetics, mixing, made), source=source)


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
