"""What a network is told of a curve: frames as tokens, the lean pass as features.

Everything is free of the dose: activities are divided by the time average of the input function.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from betaplus.kinetics.amortised.lean import LeanPass
from betaplus.kinetics.exact.density import PLACES
from betaplus.kinetics.exact.pilot import Pilot
from betaplus.kinetics.method import Task
from betaplus.physics.response import InputResponse

__all__ = ["FEATURES", "PROBES", "TOKEN", "Condition", "Describer", "make_probes"]

TOKEN = 7
"""Numbers per frame: mid-time, duration, curve, its SD, plasma, its running integral, residual."""

PROBES = 128
FEATURES = PROBES + 6 + 6 + 21 + 3
"""Numbers per curve: probes, free places, mean, factor, half-life, frames, effective sample size"""

_REACH = 1.5  # of the probes along the axes


class Condition(NamedTuple):
    """Of n curves."""

    tokens: np.ndarray  # (n, frame, TOKEN) float32
    features: np.ndarray  # (n, FEATURES) float32
    free: np.ndarray  # (n, 6) float32, 1 where a parameter is free


def make_probes() -> np.ndarray:
    """Return the whitened points at which networks see the density, shape (PROBES, 6)."""
    axes = np.concatenate([_REACH * np.eye(len(PLACES)), -_REACH * np.eye(len(PLACES))])
    rng = np.random.Generator(np.random.Philox(20250913))
    return np.concatenate([axes, rng.standard_normal((PROBES - len(axes), len(PLACES)))])


class Describer:
    """Conditions of the curves of one task."""

    def __init__(self, task: Task, lean: LeanPass) -> None:
        frames = task.frames
        response = InputResponse(task.curve, frames, task.half_life, dispersion=task.dispersion)
        minutes = frames.duration / 60.0
        plasma = np.maximum(response.plasma_mean().numpy(), 0.0)
        average = float((plasma * minutes).sum() / minutes.sum())
        self._lean, self._frames = lean, len(frames)
        self._scale = lean.problem.target.table.scale / average
        self._shared = np.stack(
            [
                np.log1p(frames.mid / 60.0),
                np.log(minutes),
                np.arcsinh(plasma / average),
                np.log1p(np.cumsum(plasma * minutes) / average),
            ],
            axis=-1,
        )
        self._study = np.array([np.log(task.half_life / 60.0) - 4.0, np.log(len(frames)) - 3.5])

    def __call__(self, padded: np.ndarray, pilot: Pilot) -> Condition:
        """Describe curves, shape (n, frame) in table units, and their pilots."""
        n, t = len(padded), self._frames
        own = np.stack(
            [
                np.arcsinh(padded[:, :t] * self._scale),
                np.log(self._scale / np.sqrt(pilot.weight[:, :t])) + pilot.level[:, None],
                np.clip(pilot.residual[:, :t], -6.0, 6.0),
            ],
            axis=-1,
        )
        shared = np.broadcast_to(self._shared, (n, t, 4))
        tokens = np.concatenate([shared, own], axis=-1)
        places = self._lean.free
        free = np.zeros((n, len(PLACES)))
        free[:, places] = 1.0
        mean = np.zeros((n, len(PLACES)))
        mean[:, places] = pilot.mean
        factor = np.zeros((n, len(PLACES), len(PLACES)))
        factor[:, places[:, None], places[None, :]] = pilot.factor
        rows, columns = np.tril_indices(len(PLACES))
        features = np.concatenate(
            [
                np.arcsinh(pilot.probes),
                free,
                mean,
                np.arcsinh(3.0 * factor[:, rows, columns]),
                np.broadcast_to(self._study, (n, 2)),
                np.log1p(pilot.ess)[:, None] - 4.0,
            ],
            axis=-1,
        )
        return Condition(
            tokens.astype(np.float32), features.astype(np.float32), free.astype(np.float32)
        )
