"""Particles of one curve: rejection, and sequential Monte Carlo that goes on from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from betaplus.kinetics.abc.proposal import Proposal
from betaplus.kinetics.abc.regression import adjusted
from betaplus.kinetics.abc.simulator import Simulator
from betaplus.kinetics.abc.statistics import fit_statistics
from betaplus.kinetics.prior import Distribution

__all__ = ["Effort", "Particles", "sample"]

_DRAWN = 4  # noise-free curves per noisy one, after the first round
_FAR = 25.0  # noise variances by which a noise-free curve may fit worse than the nearest


class Effort(NamedTuple):
    """How a curve is sampled."""

    simulations: tuple[int, ...]  # of each round; the first takes its parameters from the table
    accepted: tuple[int, ...]
    distance: str
    adjust: str
    bandwidth: float


class Particles(NamedTuple):
    """What was accepted."""

    v: np.ndarray  # (n, D) coordinates, adjusted
    simulated: np.ndarray  # (n, D) as they were simulated
    statistics: np.ndarray  # (n, D) of their simulations
    weight: np.ndarray  # (n,) normalised
    tolerance: float
    frame_weights: np.ndarray  # (T,) by the variance of curves near the data


class _Round(NamedTuple):
    """Simulations of a round."""

    v: np.ndarray  # (n, D)
    log_weight: np.ndarray  # (n,) prior over proposal
    clean: np.ndarray  # (n, T)
    noisy: np.ndarray  # (n, T)


def sample(
    simulator: Simulator,
    y: np.ndarray,
    frame_weights: np.ndarray,
    table: tuple[np.ndarray, np.ndarray],
    levels: Distribution,
    effort: Effort,
    generator: np.random.Generator,
) -> Particles:
    """Return the particles of one curve.

    The first round simulates noise on the nearest curves of the table. Each further one perturbs
    the particles of the one before, simulates, and weights what it accepts by prior over proposal
    (Beaumont, Cornuet, Marin and Robert, Biometrika 2009); the tolerance is the distance of the
    last particle accepted, and falls as proposals improve (Del Moral, Doucet and Jasra, Stat.
    Comput. 2012).

    Args:
        simulator: The forward model.
        y: The curve, shape (T,) [table units].
        frame_weights: Weights of its frames, shape (T,).
        table: Coordinates (m, free) and noise-free curves (m, T) of the nearest of the table.
        levels: Prior of the noise level.
        effort: How much to do.
        generator: Random numbers of the curve.
    """
    near, clean = table
    v = np.empty((len(near), simulator.dimension))
    v[:, : simulator.free] = near
    v[:, simulator.free :] = generator.standard_normal(v[:, simulator.free :].shape)

    def accept(turn: int, v: np.ndarray, log_weight: np.ndarray, clean: np.ndarray) -> Particles:
        normal = generator.standard_normal(clean.shape, dtype=np.float32)
        noisy = simulator.noisy(clean, simulator.level(levels, v), normal)
        simulations = _Round(v, log_weight, clean, noisy)
        return _accept(simulator, simulations, y, frame_weights, effort, effort.accepted[turn])

    particles = accept(0, v, np.zeros(len(v)), clean)
    for turn, n in enumerate(effort.simulations[1:], 1):
        frame_weights = particles.frame_weights
        proposal = Proposal(particles.simulated, particles.weight, effort.bandwidth, generator)
        far = _FAR * float(particles.weight @ simulator.level(levels, particles.v) ** 2)
        v, clean = _promising(simulator, proposal, n, y, frame_weights, far, generator)
        log_weight = -0.5 * (v * v).sum(axis=1) - proposal.log_density(v)
        particles = accept(turn, v, log_weight, clean)
    return particles


def _promising(
    simulator: Simulator,
    proposal: Proposal,
    n: int,
    y: np.ndarray,
    frame_weights: np.ndarray,
    far: float,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw points and return n whose noise-free curves are not far off, with these curves.

    Noise would hardly ever bring back the others (early rejection, as in Prangle's lazy ABC, Stat.
    Comput. 2016). Where more are near than wanted, chance decides among them.
    """
    v = proposal.draw(_DRAWN * n, generator)
    _, clean = simulator.curves(v)
    squares = (clean - y.astype(np.float32)) ** 2 @ frame_weights.astype(np.float32)
    excess = np.maximum(squares - squares.min() - far, 0.0)
    kept = np.sort(np.lexsort((generator.random(len(v)), excess))[:n])
    return v[kept], clean[kept]


def _accept(
    simulator: Simulator,
    simulations: _Round,
    y: np.ndarray,
    frame_weights: np.ndarray,
    effort: Effort,
    accepted: int,
) -> Particles:
    """Keep the nearest simulations and adjust them.

    Statistics and the weights of frames are fitted twice: to all simulations, and to the nearer
    half of them.
    """
    v = simulations.v
    e, clean = simulations.noisy - y, simulations.clean - y
    log_variance = np.log(simulator.variance(simulations.clean)).astype(np.float64)
    near = np.arange(len(v))
    for _ in range(2):
        statistics = fit_statistics(
            e[near],
            clean[near],
            log_variance[near],
            v[near],
            np.sqrt(frame_weights),
            free=simulator.free,
        )
        s = statistics(e)
        by_curve = effort.distance == "curve"
        squares = e * e @ frame_weights if by_curve else (s * s).sum(axis=1)
        kept = np.sort(np.argpartition(squares, accepted - 1)[:accepted])
        half = max(accepted, len(v) // 2)
        near = np.sort(np.argpartition(squares, half - 1)[:half])
        frame_weights = 1.0 / simulator.variance(simulations.clean[kept].mean(axis=0))
    v, s, squares = v[kept], s[kept], squares[kept]
    weight = np.exp(simulations.log_weight[kept] - simulations.log_weight[kept].max())
    top = squares.max()
    weight *= np.maximum(1.0 - squares / (top * (1.0 + 1e-9)), 0.0)  # Epanechnikov's kernel
    weight /= weight.sum()
    moved = v
    if effort.adjust != "none":
        moved = adjusted(v, s, weight, rescale=effort.adjust == "rescaled")
    return Particles(moved, v, s, weight, float(np.sqrt(top)), frame_weights)
