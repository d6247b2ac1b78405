"""By how much the tissue lags the blood samples of each tracer, from the mean curve of a scan."""

from __future__ import annotations

import numpy as np

from betaplus.core.input_function import InputFunction
from betaplus.physics.dual.mixing import Mixing
from betaplus.separation.parallel_fit import fit_parallel
from betaplus.separation.rate_grid import Shapes, model_of, shapes_of

__all__ = ["fit_arrivals"]

_COARSE = np.arange(-16.0, 37.0, 4.0)  # s: arrivals that are tried
_FINE = np.arange(-3.0, 3.5, 1.0)  # s: about the best of them
_SHORT = 45.0  # s: the first frame of a tracer, above which an arrival is not seen
_ALONE = 6  # frames of the first tracer alone in which its arrival is looked for


def fit_arrivals(
    mean: np.ndarray,
    mixing: Mixing,
    blood: tuple[InputFunction | None, InputFunction | None],
    given: tuple[float | None, float | None],
    weights: np.ndarray,
) -> tuple[float | None, float | None]:
    """Return the arrival of each tracer [s]; None where it cannot be found.

    The arrival is that with which parallel compartment models fit the mean curve best; the first
    tracer's is found before the second comes where there are frames enough. It is not looked for
    without blood of both, or where frames are too long to show it.

    Args:
        mean: Mean curve of the tissue, not decay-corrected, shape (T,) [unit of the blood].
        mixing: Frames, half-lives and injections.
        blood: Of each tracer in its own time.
        given: What is known already [s].
        weights: Of frames, shape (T,).
    """
    found = list(given)
    short = [float(mixing.own_frames(i).duration[0]) <= _SHORT for i in (0, 1)]
    if not all(one is not None for one in blood):
        alone = [0] if blood[0] is not None else []
    else:
        alone = [0, 1]
    scale = float(mean.max())
    y = (mean / scale)[None].astype(np.float32)

    def shapes(i: int, arrival: float) -> Shapes:
        curve = blood[i]
        assert curve is not None
        made = shapes_of(model_of(mixing.tracers[i].name), mixing, i, curve, arrival)
        return Shapes(grid=made.grid, tissue=made.tissue / scale, blood=made.blood / scale)

    early = mixing.seen[0] & ~mixing.seen[1]
    for i in alone:
        if found[i] is not None or not short[i]:
            continue
        if i == 0 and int(early.sum()) >= _ALONE:
            other, frames = None, early
        elif blood[1] is None:
            continue
        else:
            other, frames = shapes(1 - i, found[1 - i] or 0.0), None

        def cost(
            arrival: float, i: int = i, other: Shapes | None = other, frames: object = frames
        ) -> float:
            mine = shapes(i, arrival)
            pair = (mine, other) if i == 0 else (other, mine)
            used = frames if isinstance(frames, np.ndarray) else None
            fit = fit_parallel(y, pair, mixing.decay, weights, frames=used)  # type: ignore[arg-type]
            return float(fit.cost[0])

        best = _COARSE[int(np.argmin([cost(float(a)) for a in _COARSE]))]
        tried = best + _FINE
        found[i] = float(tried[int(np.argmin([cost(float(a)) for a in tried]))])
    return found[0], found[1]
