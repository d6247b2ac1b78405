"""A simulated scan of two tracers as a problem, with everything about it known."""

from __future__ import annotations

import numpy as np
import torch

from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.physics.dual.mixing import Mixing
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.tissue_curves import tissue_curves
from betaplus.simulation.dual import DualScan

__all__ = ["problem_of", "true_pair"]

_FLOOR = 0.02  # of the mean mixture of the head: activity that noise is taken to be of at least


def problem_of(
    scan: DualScan,
    *,
    noise_fwhm: float = 5.0,
    directions: int = 6,
    population: bool = False,
    seed: int = 0,
) -> SeparationProblem:
    """Return the problem that a simulated scan poses.

    The noise of a frame is that which the simulation gave it, but as s(v)^2 / w_f: w from the mean
    of the head, s from the voxel's noise-free mixture. Spaces of curves are of other people than
    the one in the scan.

    Args:
        scan: The scan.
        noise_fwhm: Width of the kernel that its noise was correlated by [mm].
        directions: Of the spaces of curves.
        population: Leave the blood out, as where none was measured.
        seed: Of the spaces.
    """
    mask = scan.phantom.labels > 0
    tracers = (scan.parts[0].profile.tracer, scan.parts[1].profile.tracer)
    injections = (scan.parts[0].injection, scan.parts[1].injection)
    mixing = Mixing(scan.frames, tracers, injections)
    clean = scan.mixture[mask].astype(np.float64)
    mean = clean.mean(0)
    level = mean.max()
    activity = mean + _FLOOR * level
    minutes = scan.frames.duration / SECONDS_PER_MINUTE
    precision = minutes / activity
    weights = precision / precision.mean()
    # l^2 (m + floor) / D against s^2 / w, the same on the mean over frames of their ratio
    ratio = ((np.maximum(clean, 0.0) + _FLOOR * level) / activity).mean(1)
    noise = np.zeros(mask.shape, np.float32)
    noise[mask] = scan.noise * np.sqrt(ratio / precision.mean()) / level
    blood = (None, None) if population else (scan.parts[0].blood, scan.parts[1].blood)
    one, two = scan.parts
    tissues = tissue_curves(
        (one.profile, two.profile),
        mixing,
        blood=blood,
        arrivals=(None, None) if population else (one.delay, two.delay),
        seed=seed + 1,
    ).scaled((1.0 / level, 1.0 / level))
    spaces = [tissues.space(mixing, i, weights=weights, size=directions) for i in (0, 1)]
    return SeparationProblem(
        mixture=torch.from_numpy((scan.image / level).astype(np.float32)),
        scale=float(level),
        decay=mixing.decay,
        frames=scan.frames,
        weights=weights,
        noise=torch.from_numpy(noise),
        noise_fwhm=noise_fwhm,
        voxel=(scan.phantom.voxel,) * 3,
        mask=torch.from_numpy(mask),
        tracers=tracers,
        injections=injections,
        blood=blood,
        arrivals=(scan.parts[0].delay, scan.parts[1].delay),
        spaces=(spaces[0], spaces[1]),
        tissues=tissues,
    )


def true_pair(scan: DualScan, problem: SeparationProblem) -> torch.Tensor:
    """Return the true images of both tracers, shape (2, X, Y, Z, T) [scale of the problem]."""
    pair = np.stack([part.clean for part in scan.parts]) / np.float32(problem.scale)
    return torch.from_numpy(pair.astype(np.float32))
