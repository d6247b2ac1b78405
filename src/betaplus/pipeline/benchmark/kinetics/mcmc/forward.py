"""Curves of many parameter sets from dense tables of exponential responses, in float64.

Four-point (cubic) interpolation over evenly spaced log rates, checked against the exact responses
when the table is made.
"""

from __future__ import annotations

from collections.abc import Mapping

import numba
import numpy as np
import torch

from betaplus.physics.response import InputResponse

__all__ = ["TabulatedForward"]

_ROWS = 1500
_OFFSET = 0.004  # 1/min
_LARGEST_ERROR = 1e-6


class TabulatedForward:
    """Compartment curves with a known delay of 0 and their log-likelihood.

    Args:
        response: Input function and frames.
        rates: Smallest and largest exponential rate that will be asked for [1/min].

    Attributes:
        error: Largest error of interpolation at 2,000 rates, relative to the largest frame.

    Raises:
        RuntimeError: If that error exceeds 1e-6.
    """

    def __init__(self, response: InputResponse, rates: tuple[float, float]) -> None:
        self._offset = _OFFSET + max(0.0, -1.05 * rates[0])
        low, high = (np.log(rate + self._offset) for rate in rates)
        self._step = (high - low) / (_ROWS - 6)
        self._origin = low - 2.0 * self._step
        grid = np.exp(self._origin + self._step * np.arange(_ROWS)) - self._offset
        with torch.no_grad():
            self._table = response.tissue(torch.from_numpy(grid)).numpy()
            self._blood = response.blood().numpy()
            check = np.exp(np.random.default_rng(1).uniform(low, high, 2000)) - self._offset
            exact = response.tissue(torch.from_numpy(check)).numpy()
        got = np.zeros_like(exact)
        _look_up(self._table, self._position(check), got)
        self.error = float((np.abs(got - exact).max(axis=1) / exact.max(axis=1)).max())
        if self.error > _LARGEST_ERROR:
            raise RuntimeError(f"interpolated responses err by {self.error:.1e}, over 1e-6")

    def _position(self, rate: np.ndarray) -> np.ndarray:
        return (np.log(rate + self._offset) - self._origin) / self._step

    def log_likelihood(
        self,
        values: Mapping[str, np.ndarray],
        level: np.ndarray,
        curves: np.ndarray,
        gain: np.ndarray,
        floor: float,
    ) -> np.ndarray:
        """Return log N(curve; C, level^2 (C + floor) gain), shape (B, n), up to a constant.

        Args:
            values: K1, k2, VB and, of two-tissue models, k3 and k4, each shape (B, n).
            level: Noise level, shape (B, n).
            curves: Shape (B, T).
            gain: Shape (T,).
            floor: Same unit as the curves.
        """
        k2 = values["k2"]
        zero = np.zeros_like(k2)
        k3, k4 = values.get("k3", zero), values.get("k4", zero)
        # Roots of a^2 - (k2 + k3 + k4) a + k2 k4; their gap is written without cancellation.
        gap = np.sqrt((k2 - k3 - k4) ** 2 + 4.0 * k2 * k3)
        fast = 0.5 * (k2 + k3 + k4 + gap)
        slow = k2 * k4 / fast
        share = np.clip((k3 + k4 - slow) / np.maximum(gap, 1e-12), -1e6, 1e6)
        tissue = values["K1"] * (1.0 - values["VB"])
        out = np.empty(k2.shape)
        _log_likelihood(
            self._table,
            self._blood,
            self._position(slow),
            self._position(fast),
            tissue * share,
            tissue * (1.0 - share),
            values["VB"],
            level,
            curves,
            gain,
            floor,
            out,
        )
        return out


@numba.njit(nogil=True)
def _weights(position, rows, w):
    """First row and the four cubic Lagrange weights at a fractional row."""
    i = min(max(int(np.floor(position)), 1), rows - 3)
    t = position - i
    w[0] = -t * (t - 1.0) * (t - 2.0) / 6.0
    w[1] = (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0
    w[2] = -(t + 1.0) * t * (t - 2.0) / 2.0
    w[3] = (t + 1.0) * t * (t - 1.0) / 6.0
    return i - 1


@numba.njit(nogil=True)
def _look_up(table, position, out):
    w = np.empty(4)
    for n in range(position.size):
        i = _weights(position[n], table.shape[0], w)
        for t in range(out.shape[1]):
            for k in range(4):
                out[n, t] += w[k] * table[i + k, t]


@numba.njit(nogil=True)
def _log_likelihood(
    table, blood, slow, fast, share_slow, share_fast, VB, level, curves, gain, floor, out
):
    v, w = np.empty(4), np.empty(4)
    for b in range(out.shape[0]):
        y = curves[b]
        for n in range(out.shape[1]):
            i = _weights(slow[b, n], table.shape[0], v)
            j = _weights(fast[b, n], table.shape[0], w)
            for k in range(4):
                v[k] *= share_slow[b, n]
                w[k] *= share_fast[b, n]
            total, log_v = 0.0, 0.0
            variance_level = level[b, n] * level[b, n]
            for t in range(y.size):
                c = VB[b, n] * blood[t]
                for k in range(4):
                    c += v[k] * table[i + k, t] + w[k] * table[j + k, t]
                variance = variance_level * (max(c, 0.0) + floor) * gain[t]
                residual = y[t] - c
                total += residual * residual / variance
                log_v += np.log(variance)
            out[b, n] = -0.5 * (total + log_v)
