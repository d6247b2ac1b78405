r"""Affine-invariant ensemble sampler, many targets at a time.

The stretch move of Goodman and Weare, "Ensemble samplers with affine invariance", Commun. Appl.
Math. Comput. Sci. 2010, 5:65-80: walker :math:`X_k` goes to :math:`X_j + Z (X_k - X_j)` for a
walker :math:`X_j` of the other half of its ensemble, with :math:`g(z) \propto 1/\sqrt z` on
:math:`[1/a, a]`, and the step is taken with probability :math:`\min(1, Z^{d-1} p'/p)`. Between
separate modes, which stretches rarely cross, jumps by the difference of two walkers of the other
half are mixed in (ter Braak, Stat. Comput. 2006, 16:239-249, with gamma = 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["EnsembleRun", "LogDensity", "sample_ensemble"]

LogDensity = Callable[[np.ndarray], np.ndarray]
"""Points (B, n, d) of B targets to log densities (B, n); -inf outside the support."""

_STRETCH = 2.0


@dataclass(frozen=True, eq=False)
class EnsembleRun:
    """What a run leaves.

    Attributes:
        chain: Kept steps, shape (B, E, W, N, d).
        last: Final positions, shape (B, E, W, d), to go on from.
        acceptance: Share of accepted moves, shape (B,).
    """

    chain: np.ndarray
    last: np.ndarray
    acceptance: np.ndarray


def sample_ensemble(
    log_density: LogDensity,
    start: np.ndarray,
    steps: int,
    rng: np.random.Generator,
    *,
    thin: int = 1,
    jumps: float = 0.0,
) -> EnsembleRun:
    """Sample B targets with E independent ensembles of W walkers each.

    Args:
        log_density: Log density of every target, up to constants.
        start: Positions inside the support, shape (B, E, W, d); W even and at least 2 d.
        steps: Moves of every walker.
        rng: Source of the moves.
        thin: Keep every `thin`-th step.
        jumps: Share of steps that are jumps in place of stretches.

    Raises:
        ValueError: If the walkers are too few or odd in number, or start outside the support.
    """
    n_batch, n_ensembles, n_walkers, d = start.shape
    if n_walkers % 2 or n_walkers < 2 * d:
        raise ValueError(f"{n_walkers} walkers in {d} dimensions: expected an even number >= 2 d")
    half = n_walkers // 2
    position = np.array(start, dtype=np.float64)
    value = log_density(position.reshape(n_batch, -1, d)).reshape(n_batch, n_ensembles, n_walkers)
    if not np.isfinite(value).all():
        raise ValueError("walkers start outside the support")
    kept = np.empty((steps // thin, *position.shape))
    accepted = np.zeros(n_batch)
    shape = (n_batch, n_ensembles, half)
    for step in range(steps):
        propose = _jump if rng.random() < jumps else _stretch
        for side in (0, 1):
            moved = slice(side * half, (side + 1) * half)
            other = position[:, :, (1 - side) * half : (2 - side) * half]
            proposal, log_ratio = propose(position[:, :, moved], other, rng)
            new = log_density(proposal.reshape(n_batch, -1, d)).reshape(shape)
            taken = -rng.standard_exponential(shape) < log_ratio + new - value[:, :, moved]
            position[:, :, moved] = np.where(taken[..., None], proposal, position[:, :, moved])
            value[:, :, moved] = np.where(taken, new, value[:, :, moved])
            accepted += taken.sum(axis=(1, 2))
        if (step + 1) % thin == 0:
            kept[(step + 1) // thin - 1] = position
    chain = np.moveaxis(kept, 0, 3)
    rate = accepted / max(steps * n_ensembles * n_walkers, 1)
    return EnsembleRun(chain, position, rate)


def _stretch(
    walkers: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | float]:
    shape, half, d = walkers.shape[:-1], other.shape[2], walkers.shape[-1]
    anchor = np.take_along_axis(other, rng.integers(half, size=shape)[..., None], axis=2)
    low, high = _STRETCH**-0.5, _STRETCH**0.5
    z = (low + (high - low) * rng.random(shape)) ** 2
    return anchor + z[..., None] * (walkers - anchor), (d - 1) * np.log(z)


def _jump(
    walkers: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | float]:
    shape, half = walkers.shape[:-1], other.shape[2]
    first = rng.integers(half, size=shape)
    second = (first + rng.integers(1, half, size=shape)) % half
    to = np.take_along_axis(other, first[..., None], axis=2)
    return walkers + to - np.take_along_axis(other, second[..., None], axis=2), 0.0
