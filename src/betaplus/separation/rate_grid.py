"""Shapes of curves on a grid of rate constants: what `compartment` chooses from.

A tracer's curve is a = K1 (1 - VB) times the response of its tissue to plasma, which depends on k2,
k3 and k4 only, plus VB times whole blood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputFunction
from betaplus.physics.dual.mixing import Mixing

__all__ = ["GRIDS", "RateGrid", "Shapes", "model_of", "shapes_of"]

_END_MARGIN = 1.0  # s
_Z95 = 1.6448536269514722


@dataclass(frozen=True, kw_only=True)
class RateGrid:
    """Rate constants of a model [1/min]: even in their logarithm, with 0 before where it is wanted.

    Attributes:
        model: Compartment model, of `betaplus.physics.compartments.MODELS`.
        rates: Lowest and highest of k2, and of k3 and k4 where the model has them.
        counts: How many of each.
        coarse: Steps between those that are tried first.
        spread: Quantiles 5 and 95 % of the prior's log-normal, that `prior` weighs; as `rates`.
    """

    model: str
    rates: tuple[tuple[float, float], ...]
    counts: tuple[int, ...]
    coarse: tuple[int, ...]
    spread: tuple[tuple[float, float], ...]

    def axes(self) -> list[np.ndarray]:
        """Return the values along k2, k3 and k4; a single 0 where the model has no such rate."""
        found = [
            np.geomspace(low, high, count)
            for (low, high), count in zip(self.rates, self.counts, strict=True)
        ]
        return found + [np.zeros(1)] * (3 - len(found))

    def dims(self) -> tuple[int, int, int]:
        """Return the lengths of the three axes."""
        a, b, c = (len(axis) for axis in self.axes())
        return a, b, c

    def steps(self) -> tuple[int, int, int]:
        """Return the first steps along the three axes."""
        a, b, c = (*self.coarse, *[1] * (3 - len(self.coarse)))
        return a, b, c

    def values(self) -> np.ndarray:
        """Return k2, k3, k4 of every shape, shape (3, A) [1/min]."""
        return np.stack([v.ravel() for v in np.meshgrid(*self.axes(), indexing="ij")])

    def penalty(self) -> np.ndarray:
        """Return -2 log of the log-normal prior of the rates, but for a constant, shape (A,)."""
        out = np.zeros(self.values().shape[1])
        for value, (low, high) in zip(self.values(), self.spread, strict=False):
            middle, sd = 0.5 * np.log(low * high), 0.5 * np.log(high / low) / _Z95
            out += ((np.log(value) - middle) / sd) ** 2
        return out


GRIDS = {
    "1TCM": RateGrid(
        model="1TCM", rates=((0.01, 1.5),), counts=(49,), coarse=(5,), spread=((0.03, 0.3),)
    ),
    "2TCM3k": RateGrid(
        model="2TCM3k",
        rates=((0.03, 1.2), (0.003, 0.4)),
        counts=(25, 25),
        coarse=(5, 5),
        spread=((0.06, 0.4), (0.02, 0.18)),
    ),
    "FDG": RateGrid(
        model="2TCM",
        rates=((0.03, 1.2), (0.003, 0.4), (0.003, 0.03)),
        counts=(21, 21, 5),
        coarse=(5, 5, 5),
        spread=((0.06, 0.4), (0.02, 0.18), (0.005, 0.02)),
    ),
    "2TCM": RateGrid(
        model="2TCM",
        rates=((0.02, 1.2), (0.003, 0.4), (0.01, 0.2)),
        counts=(21, 17, 9),
        coarse=(4, 4, 4),
        spread=((0.04, 0.3), (0.02, 0.15), (0.02, 0.1)),
    ),
}
"""Name to grid. Ranges are those that the field's fits of brain curves are bound to; nominal."""

_MODEL_OF = {
    "FDG": "FDG",
    "FLT": "FDG",
    "MET": "FDG",
    "ATSM": "FDG",
    "PTSM": "FDG",
    "FMZ": "1TCM",
    "DTBZ": "1TCM",
}


def model_of(tracer: str, wanted: str = "auto") -> RateGrid:
    """Return the grid of a tracer.

    Args:
        tracer: Its name; one that is not known is reversible, with two compartments.
        wanted: A name of `GRIDS`, or ``auto``.

    Raises:
        UsageError: If there is no grid of that name.
    """
    name = _MODEL_OF.get(tracer.upper(), "2TCM") if wanted == "auto" else wanted
    if name not in GRIDS:
        raise UsageError(f"model {name!r} is unknown", f"expected auto or {', '.join(GRIDS)}")
    return GRIDS[name]


@dataclass(frozen=True, eq=False, kw_only=True)
class Shapes:
    """The shapes of one tracer in the frames of a scan.

    Attributes:
        grid: Where they lie.
        tissue: Frame means of the tissue per unit of a, decay-corrected to the injection and 0
            before it, shape (A, T) [unit of the input x min].
        blood: Of whole blood, shape (T,).
    """

    grid: RateGrid
    tissue: np.ndarray
    blood: np.ndarray


def shapes_of(
    grid: RateGrid, mixing: Mixing, index: int, blood: InputFunction, arrival: float
) -> Shapes:
    """Return the shapes of a tracer.

    Args:
        grid: Rate constants.
        mixing: Frames, half-lives and injections.
        index: Which of the tracers it is, 0 or 1.
        blood: Its input in its own time.
        arrival: Arrival after the blood sampler [s].
    """
    import torch

    from betaplus.physics.compartments import exponentials
    from betaplus.physics.response import InputResponse
    from betaplus.physics.response_spline import ResponseSpline

    seen = mixing.seen[index]
    frames = mixing.own_frames(index)
    end = float(frames.end[-1]) + max(_END_MARGIN, -arrival)
    response = InputResponse(blood.curve(end), frames, mixing.tracers[index].half_life)
    k2, k3, k4 = (torch.from_numpy(v) for v in grid.values())
    most = float((k2 + k3 + k4).max())
    spline = ResponseSpline(response, (0.0, most), (arrival, arrival))
    if grid.model == "1TCM":
        tissue = spline.tissue(k2, None)[0]
    else:
        a1, a2, w1, w2 = exponentials(k2, k3, k4)
        slow, fast = spline.tissue(a1, None)[0], spline.tissue(a2, None)[0]
        tissue = w1[:, None] * slow + w2[:, None] * fast
    out = np.zeros((len(k2), seen.size))
    out[:, seen] = tissue.numpy()
    whole = np.zeros(seen.size)
    whole[seen] = spline.blood(None)[0].numpy()
    return Shapes(grid=grid, tissue=out, blood=whole)
