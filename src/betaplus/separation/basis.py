r"""The curves that a tracer can have, as a mean and a few directions about it.

For a protocol - frames, half-life, input - the frame means of a tracer lie near a space of few
dimensions,

.. math:: x_i = \mu_i + B_i c_i, \quad c_i \sim N(0, I),

the leading principal components of curves simulated from the tracer's prior of kinetics. They are
leading in what can be seen: a frame counts by its weight times d^2, the precision with which the
mixture shows the tracer in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputFunction
from betaplus.core.seeds import generator
from betaplus.physics.dual.mixing import Mixing
from betaplus.simulation.dynamic import frame_means
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.subject import PARAMETERS, draw_region_kinetics
from betaplus.simulation.tracers import TracerProfile

__all__ = ["CurveSpace", "curve_space", "draw_curves", "draw_kinetics", "space_of_curves"]

_DRAW = 61
_WITHIN = {"K1": 0.08, "k2": 0.08, "k3": 0.08, "k4": 0.05, "VB": 0.10}
"""Standard deviations of logarithms between voxels of a region (`betaplus.simulation.subject`)."""
_BLOODS = 24  # population input functions where none was measured
_END_MARGIN = 1.0  # s


@dataclass(frozen=True, eq=False, kw_only=True)
class CurveSpace:
    """Mean and directions of a tracer's curves.

    Attributes:
        mean: mu, frame means decay-corrected to the injection, 0 before it, shape (T,) float64
            [scale].
        basis: B, shape (T, K) float64 [scale].
        explained: Part of the curves' variance, in the precision of frames, that the first 1, 2,
            ... directions hold, shape (T,).
    """

    mean: np.ndarray
    basis: np.ndarray
    explained: np.ndarray

    @property
    def size(self) -> int:
        """K, the number of directions."""
        return int(self.basis.shape[1])

    def first(self, size: int) -> CurveSpace:
        """Return the space of the first directions only."""
        if not 1 <= size <= self.size:
            raise UsageError(f"{size} directions", f"expected 1 to {self.size}")
        return dataclasses.replace(self, basis=self.basis[:, :size])

    def scaled(self, factor: float) -> CurveSpace:
        """Return the space in a unit of which `factor` make one of this one."""
        return dataclasses.replace(self, mean=self.mean * factor, basis=self.basis * factor)

    def curves(self, coefficients: np.ndarray) -> np.ndarray:
        """Return mu + B c, shape (..., T), of c of shape (..., K)."""
        return np.asarray(self.mean + coefficients @ self.basis.T)


def curve_space(
    profile: TracerProfile,
    mixing: Mixing,
    index: int,
    *,
    blood: InputFunction | None = None,
    arrival: float | None = None,
    weights: np.ndarray | None = None,
    size: int = 5,
    scale: float = 1.0,
    subjects: int = 200,
    seed: int = 0,
) -> CurveSpace:
    """Return the space of a tracer's curves in a protocol.

    Args:
        profile: The tracer and its prior of kinetics.
        mixing: Frames, half-lives and injections.
        index: Which of the tracers it is, 0 or 1.
        blood: Its measured input in its own time [Bq/mL]; inputs of the population if None.
        arrival: Arrival after the blood sampler [s]; drawn from the profile's range if None.
        weights: Precision of the frames, shape (T,); their durations if None.
        size: K.
        scale: The activity that is 1 [Bq/mL].
        subjects: People whose regions are drawn: 17 curves each.
        seed: Chooses the people.

    Raises:
        UsageError: If K is not below the number of frames that the tracer has.
    """
    _check(mixing, index, size)
    curves = draw_curves(
        profile, mixing, index, blood=blood, arrival=arrival, subjects=subjects, seed=seed
    )
    return space_of_curves(curves, mixing, index, weights=weights, size=size, scale=scale)


def space_of_curves(
    curves: np.ndarray,
    mixing: Mixing,
    index: int,
    *,
    weights: np.ndarray | None = None,
    size: int = 5,
    scale: float = 1.0,
) -> CurveSpace:
    """Return the space of some curves of a tracer; arguments as for `curve_space`.

    Args:
        curves: Shape (N, frames seen) [Bq/mL].
        mixing: Frames, half-lives and injections.
        index: Which of the tracers it is.
        weights: Precision of the frames.
        size: K.
        scale: The activity that is 1 [Bq/mL].

    Raises:
        UsageError: If K is not below the number of frames that the tracer has.
    """
    _check(mixing, index, size)
    seen = mixing.seen[index]
    precision = mixing.frames.duration if weights is None else np.asarray(weights)
    root = np.sqrt(precision[seen]) * mixing.decay[index, seen]
    mean = curves.mean(0)
    _, s, vt = np.linalg.svd((curves - mean) * root, full_matrices=False)
    basis = (vt[:size] * (s[:size] / np.sqrt(len(curves) - 1))[:, None] / root).T
    explained = np.cumsum(s**2) / np.sum(s**2)
    all_mean, all_basis = np.zeros(seen.size), np.zeros((seen.size, size))
    all_mean[seen], all_basis[seen] = mean / scale, basis / scale
    return CurveSpace(mean=all_mean, basis=all_basis, explained=explained)


def draw_curves(
    profile: TracerProfile,
    mixing: Mixing,
    index: int,
    *,
    blood: InputFunction | None = None,
    arrival: float | None = None,
    subjects: int = 200,
    seed: int = 0,
    kinetics: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Return curves from a tracer's prior, shape (17 x subjects, frames seen) [Bq/mL].

    Every region of a head has as many curves as any other.

    Args:
        profile: The tracer and its prior of kinetics.
        mixing: Frames, half-lives and injections.
        index: Which of the tracers it is.
        blood: Its measured input; inputs of the population, people in turn, if None.
        arrival: Arrival after the blood sampler [s]; drawn for each person if None.
        subjects: People.
        seed: Chooses them.
        kinetics: Theirs, of `draw_kinetics`, where that was called before.
    """
    from betaplus.physics.response import InputResponse

    frames = mixing.own_frames(index)
    end = float(frames.end[-1]) + _END_MARGIN
    half_life = profile.tracer.half_life
    rng = generator(seed, item=index, draw=_DRAW + 1)
    if blood is None:
        people = [
            draw_blood(profile.blood, profile.activity_per_gram, end, rng) for _ in range(_BLOODS)
        ]
    else:
        people = [blood]
    values = kinetics or draw_kinetics(profile, index, subjects, seed)
    regions = len(profile.regions)
    out = np.empty((values["K1"].size, len(frames)))
    whose = np.arange(len(out)) // regions % len(people)
    for k, input_ in enumerate(people):
        own = whose == k
        n = int(own.sum())
        if not n:
            break
        each = rng.uniform(*profile.delay, -(-n // regions)) if arrival is None else arrival
        late = np.broadcast_to(np.repeat(each, regions)[:n] if arrival is None else each, n)
        response = InputResponse(input_.curve(end), frames, half_life)
        out[own] = frame_means(response, {p: v[own] for p, v in values.items()}, late)
    return out


def draw_kinetics(
    profile: TracerProfile, index: int, subjects: int, seed: int
) -> dict[str, np.ndarray]:
    """Draw voxels of a tracer's prior, one of each region of each person.

    Args:
        profile: The tracer.
        index: Which of the tracers it is.
        subjects: People.
        seed: Chooses them.

    Returns:
        K1, k2, k3, k4, VB, each shape (17 x subjects,), person after person.
    """
    people = [draw_region_kinetics(profile, seed * 7919 + i) for i in range(subjects)]
    values = {
        p: np.array([region[p] for person in people for region in person.values()])
        for p in PARAMETERS
    }
    rng = generator(seed, item=index, draw=_DRAW)
    for name, width in _WITHIN.items():
        values[name] = values[name] * np.exp(width * rng.standard_normal(values[name].size))
    values["VB"] = np.minimum(values["VB"], 0.98)
    return values


def _check(mixing: Mixing, index: int, size: int) -> None:
    frames = int(mixing.seen[index].sum())
    if not 1 <= size <= frames:
        raise UsageError(f"{size} directions", f"expected 1 to {frames}, the frames")
