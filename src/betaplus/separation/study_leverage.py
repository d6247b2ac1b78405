"""How much of the noise of each frame a method takes up: 1 less what its residual has of it.

The pair that was found gets fresh noise and is separated again (the parametric bootstrap: Efron and
Tibshirani, 1993): voxels of a method that looks at each for itself, a block of one that looks at
neighbours. Of methods that smooth, and of networks of frames, nothing is said: 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from betaplus.core.seeds import generator
from betaplus.separation.method import SeparationMethod
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.study import Study
from betaplus.simulation.dual_study.noise import noise_fields

__all__ = ["leverage_of"]

_VOXELWISE = ("tissues", "linear", "compartment", "extrapolation")
_BLOCKWISE = ("tissues", "inn")
_SAMPLE = 1024  # voxels that are fitted again
_EDGE = 40  # of the block, likewise
_DRAW = 77


def leverage_of(
    study: Study, found: SeparatedImages, method: str, made: SeparationMethod, seed: int
) -> np.ndarray:
    """Return the share of each frame's noise that a method takes up, shape (T,).

    Args:
        study: The scan.
        found: The pair.
        method: Name of the method.
        made: The method itself.
        seed: Of the noise.
    """
    problem = study.problem
    settings: Any = made.settings  # type: ignore[attr-defined]
    if float(getattr(settings, "fwhm", 0.0)) or getattr(settings, "projection", False):
        return np.zeros(len(problem.weights))
    alone = method in _VOXELWISE and not float(getattr(settings, "neighbours", 0.0))
    if alone:
        return _of_voxels(study, found, made, seed)
    if method in _BLOCKWISE:
        return _of_block(study, found, made, seed)
    return np.zeros(len(problem.weights))


def _of_voxels(
    study: Study, found: SeparatedImages, made: SeparationMethod, seed: int
) -> np.ndarray:
    problem = study.problem
    inside = np.flatnonzero(study.tissue)
    rows = torch.from_numpy(inside[:: max(len(inside) // _SAMPLE, 1)])
    clean = _mixed(problem, found.x.flatten(1, 3)[:, rows])
    s = problem.noise.flatten()[rows]
    rng = generator(seed, 0, _DRAW)
    drawn = torch.from_numpy(rng.standard_normal(tuple(clean.shape), dtype=np.float32))
    shape = (len(rows), 1, 1)
    part = replace(
        problem,
        noise=s.reshape(shape),
        mask=torch.ones(shape, dtype=torch.bool),
        noise_fwhm=0.0,
    )
    return _taken(part, clean.reshape(*shape, -1), drawn.reshape(*shape, -1), made)


def _of_block(
    study: Study, found: SeparatedImages, made: SeparationMethod, seed: int
) -> np.ndarray:
    problem = study.problem
    middle = np.argwhere(study.tissue).mean(0)
    box = []
    for centre, length in zip(middle, problem.shape, strict=True):
        first = int(np.clip(round(centre - _EDGE / 2), 0, max(length - _EDGE, 0)))
        box.append(slice(first, min(first + _EDGE, length)))
    cut = tuple(box)
    part = replace(problem, noise=problem.noise[cut], mask=problem.mask[cut])
    clean = _mixed(problem, found.x[(slice(None), *cut)])
    shape, frames = clean.shape[:3], clean.shape[3]
    drawn = noise_fields(shape, problem.voxel, frames, problem.noise_fwhm, seed, 0, _DRAW)
    return _taken(part, clean, torch.from_numpy(drawn), made)


def _mixed(problem: SeparationProblem, pair: Tensor) -> Tensor:
    decay = torch.from_numpy(problem.decay.astype(np.float32))
    return decay[0] * pair[0] + decay[1] * pair[1]


def _taken(
    part: SeparationProblem, clean: Tensor, drawn: Tensor, made: SeparationMethod
) -> np.ndarray:
    """Return the leverage from a part of a scan with noise of variance 1 before its size."""
    weights = torch.from_numpy(np.sqrt(part.weights).astype(np.float32))
    sd = part.noise[..., None] / weights
    noisy = clean + sd * drawn
    again = made.fit(replace(part, mixture=noisy))
    left = (noisy - _mixed(part, again.x)) / sd.clamp_min(1e-20)
    inside = part.mask & (part.noise > 0)
    ratio = left[inside].square().mean(0).double().numpy()
    ratio = ratio / drawn[inside].square().mean(0).double().numpy().clip(1e-6)
    return np.asarray(np.clip(1.0 - ratio, 0.0, 1.0))
