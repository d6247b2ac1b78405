"""Work space of one thread."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from betaplus.kinetics.exact.problem import Problem
from betaplus.kinetics.exact.sampler import Effort

__all__ = ["Space", "make_space"]


class Space(NamedTuple):
    """Arrays that one curve after another is computed in."""

    z: np.ndarray  # (N, d)
    theta_all: np.ndarray  # (N, 6): K1, k2, k3, k4, VB, delay
    log_w: np.ndarray
    w: np.ndarray  # normalised weights
    S: np.ndarray
    scores: np.ndarray  # of the coarse set
    U: np.ndarray  # (frame,)
    W: np.ndarray
    mode_U: np.ndarray
    mode_W: np.ndarray
    J: np.ndarray  # (d + 4, frame)
    weight: np.ndarray
    own_weight: np.ndarray
    theta: np.ndarray  # (4,)


def make_space(problem: Problem, effort: Effort) -> Space:
    """Allocate the work space that `problem` and `effort` need."""
    d, width = len(problem.target.quantiles), problem.target.floor.size
    n = max(effort.pilot, effort.fine, effort.largest, len(problem.points.coarse))

    def frames(*shape: int) -> np.ndarray:
        return np.zeros((*shape, width), dtype=np.float32)

    return Space(
        z=np.zeros((n, d)),
        theta_all=np.zeros((n, 6)),
        log_w=np.zeros(n),
        w=np.zeros(n),
        S=np.zeros(n),
        scores=np.zeros(len(problem.points.coarse)),
        U=frames(),
        W=frames(),
        mode_U=frames(),
        mode_W=frames(),
        J=frames(d + 4),
        weight=frames() + np.float32(1.0),  # 1 where frames are padding
        own_weight=frames(),
        theta=np.zeros(4),
    )
