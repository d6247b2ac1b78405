"""Directions of a tracer's curves that mean the same in every protocol.

Principal components have no sign, and change places where two hold about as much. The directions
here are turned so that the first is the only one that moves the curve at a late time, the second
the only other one that moves it early, and so on, each upward: a rotation, so that coefficients
stay independent and of variance 1, and one that follows a protocol without jumps.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.separation.basis import CurveSpace
from betaplus.separation.problem import SeparationProblem

__all__ = ["canonical", "canonical_spaces", "leading"]

_TIMES = (0.9, 0.12, 0.4, 0.03, 0.7, 0.22)
"""Of the time from injection to the end of the scan."""


def canonical(space: CurveSpace, frames: FrameTiming, injection: float) -> CurveSpace:
    """Return a space with its directions turned.

    Args:
        space: Of a tracer.
        frames: Of the scan.
        injection: Of the tracer [s from TimeZero].
    """
    if space.size > len(_TIMES):
        raise ValueError(f"{space.size} directions, at most {len(_TIMES)}")
    middle = frames.mid - injection
    seen = middle > 0
    at = np.array(_TIMES[: space.size]) * float(frames.end[-1] - injection)
    rows = np.stack([np.interp(at, middle[seen], b[seen]) for b in space.basis.T], axis=1)
    turn, upper = np.linalg.qr(rows.T)
    return dataclasses.replace(space, basis=space.basis @ (turn * np.sign(upper.diagonal())))


def leading(space: CurveSpace, precision: np.ndarray, size: int) -> CurveSpace:
    """Return the space of the directions that hold most, however they were turned.

    Args:
        space: Of a tracer.
        precision: Of its frames, shape (T,).
        size: K, at most that of the space.
    """
    root = np.sqrt(precision)
    _, _, turn = np.linalg.svd(root[:, None] * space.basis, full_matrices=False)
    return dataclasses.replace(space, basis=space.basis @ turn[:size].T)


def canonical_spaces(
    problem: SeparationProblem, sizes: tuple[int, int]
) -> tuple[CurveSpace, CurveSpace]:
    """Return the spaces of a problem's tracers as a network wants them.

    Args:
        problem: With spaces, of any rotation.
        sizes: Directions of each.

    Raises:
        UsageError: If there are no spaces, or a space has fewer directions.
    """
    if problem.spaces is None:
        raise UsageError("no spaces of curves", "expected a prior of both tracers")
    made = []
    for i, (space, size) in enumerate(zip(problem.spaces, sizes, strict=True)):
        if space.size < size:
            raise UsageError(
                f"{space.size} directions of the curves of {problem.tracers[i].name}",
                f"expected {size} or more, as the network was trained with",
            )
        precision = problem.weights * problem.decay[i] ** 2
        chosen = leading(space, precision, size)
        made.append(canonical(chosen, problem.frames, problem.injections[i]))
    return made[0], made[1]
