"""Curves and stand-ins for networks, which need no trained weights."""

from __future__ import annotations

import dataclasses

import numpy as np
from tests.kinetics import brute_force as grid

from betaplus.core.seeds import generator
from betaplus.kinetics.amortised.condition import make_probes
from betaplus.kinetics.amortised.fitter import AmortisedFitter, Draws, Trust
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS
from betaplus.simulation.dynamic import frame_means

TASK = Task(
    curve=grid.CURVE,
    frames=grid.FRAMES,
    half_life=grid.HALF_LIFE,
    model="2TCM",
    prior=PRIORS["published"],
    delay=0.0,
)


def make_task(**changes) -> Task:
    return dataclasses.replace(TASK, **changes)


def curves_of(n: int, seed: int = 0, level: float = 5.0) -> np.ndarray:
    """Curves of the middle of the published prior, shape (n, T) [Bq/mL]."""
    rng = np.random.default_rng(seed)
    prior = PRIORS["published"]
    truth = {
        name: prior[name].at_probit(0.7 * rng.standard_normal(n))
        for name in ("K1", "k2", "k3", "k4", "VB")
    }
    clean = frame_means(grid.response(), truth, np.zeros(n))
    return np.stack([grid.noisy(curve, level, i) for i, curve in enumerate(clean)])


def gaussian_draws(task: Task, draws: int, shift: float = 0.0, scale: float = 1.0, density=True):
    """What a network that has learned nothing gives: the Gaussian of the lean pass."""

    def draw(condition, places, items):
        shape = (draws, len(places))
        normal = np.stack(
            [generator(task.seed, int(item), 99).standard_normal(shape) for item in items]
        )
        log_q = -0.5 * (normal**2 + np.log(2 * np.pi * scale**2)).sum(-1)
        return Draws(shift + scale * normal, log_q if density else None)

    return draw


def make_fitter(task: Task, draws=1000, trust=None, outside=(), **how) -> AmortisedFitter:
    return AmortisedFitter(
        task, gaussian_draws(task, draws, **how), make_probes(), trust or Trust(), outside
    )
