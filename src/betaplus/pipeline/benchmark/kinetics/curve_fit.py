"""The usual way: one `scipy.optimize.curve_fit` per voxel, with a lean tabulated forward model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import curve_fit

__all__ = ["LeanModel", "fit_voxels", "hold_model", "lean_model"]

_OFFSET = 0.004  # 1/min
_ROWS = 600
_DELAY_STEP = 0.5  # s


class LeanModel:
    """Two-tissue curve of one voxel from two table lookups and a weighted sum; picklable.

    Rates are interpolated linearly over their logarithm, delays linearly between two tables.

    Attributes:
        tissue: Shape (delays, rows, T).
        blood: Shape (delays, T).
        origin: log(rate + offset) of row 0.
        step: Distance of rows in log(rate + offset).
        first_delay: Delay of table 0 [s].
    """

    def __init__(
        self, tissue: np.ndarray, blood: np.ndarray, origin: float, step: float, first_delay: float
    ) -> None:
        self.tissue, self.blood = tissue, blood
        self.origin, self.per_step, self.first_delay = origin, 1.0 / step, first_delay

    def __call__(
        self,
        _: Any,
        K1: float,
        k2: float,
        k3: float,
        k4: float,
        VB: float,
        delay: float | None = None,
    ) -> np.ndarray:
        """Return the curve, shape (T,)."""
        total = k2 + k3 + k4
        gap = math.sqrt(max(total * total - 4.0 * k2 * k4, 1e-18))
        fast = 0.5 * (total + gap)
        slow = k2 * k4 / fast
        share = (k3 + k4 - slow) / gap
        i, f = self._row(slow)
        j, g = self._row(fast)
        a, b = K1 * (1.0 - VB) * share, K1 * (1.0 - VB) * (1.0 - share)
        p, q, r, s = a * (1.0 - f), a * f, b * (1.0 - g), b * g
        if delay is None:
            t = self.tissue[0]
            return p * t[i] + q * t[i + 1] + r * t[j] + s * t[j + 1] + VB * self.blood[0]
        at = (delay - self.first_delay) / _DELAY_STEP
        n = min(int(at), len(self.tissue) - 2)
        h = at - n
        t = (1.0 - h) * self.tissue[n, [i, i + 1, j, j + 1]]
        t += h * self.tissue[n + 1, [i, i + 1, j, j + 1]]
        blood = (1.0 - h) * self.blood[n] + h * self.blood[n + 1]
        return p * t[0] + q * t[1] + r * t[2] + s * t[3] + VB * blood

    def _row(self, rate: float) -> tuple[int, float]:
        at = (math.log(rate + _OFFSET) - self.origin) * self.per_step
        i = int(at)
        return i, at - i


def lean_model(response: Any, fastest: float, delays: tuple[float, float] | None) -> LeanModel:
    """Tabulate an `InputResponse` for rates from 0 to `fastest` [1/min] and delays [s] or none."""
    import torch

    origin = math.log(_OFFSET)
    step = (math.log(1.01 * fastest + _OFFSET) - origin) / (_ROWS - 2)
    rates = torch.from_numpy(np.exp(origin + step * np.arange(_ROWS)) - _OFFSET)
    first, last = delays or (0.0, 0.0)
    count = 1 + math.ceil((last - first) / _DELAY_STEP)
    delay = torch.from_numpy(first + _DELAY_STEP * np.arange(count))
    with torch.no_grad():
        tissue = np.stack([part.numpy() for part in response.tissue_at_delays(rates, delay)])
        blood = response.blood(delay).numpy()
    return LeanModel(tissue, blood, origin, step, first)


_held: list[LeanModel] = []


def hold_model(model: LeanModel) -> None:
    """Keep the model that `fit_voxels` uses in this process: tables are sent once, not per call."""
    _held[:] = [model]


def fit_voxels(
    curves: np.ndarray,
    sigma: np.ndarray,
    start: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
) -> Mapping[str, np.ndarray]:
    """Fit voxel by voxel with scipy's default tolerances.

    The delay is fitted where `start` has a sixth number.

    Args:
        curves: Shape (n, T).
        sigma: SDs of the noise, shape (n, T).
        start: Where every fit starts, shape (P,).
        bounds: Lower and upper bounds, each shape (P,).

    Returns:
        ``estimate`` (n, P), NaN where scipy gave up.
    """
    found = np.full((len(curves), start.size), np.nan)
    frames = np.arange(curves.shape[1])
    for n, (curve, sd) in enumerate(zip(curves, sigma, strict=True)):
        try:
            found[n], _ = curve_fit(
                _held[0], frames, curve, p0=start, sigma=sd, absolute_sigma=True, bounds=bounds
            )
        except RuntimeError:  # too many evaluations
            continue
    return {"estimate": found}
