r"""Responses of one input function as splines, with derivatives, for fits of many curves.

`InputResponse` walks all knots of the input for every rate. Here that is done once, on a grid of
rates (even in the fourth root of rate + offset: fine where curves are slow) and of delays; cubic
B-splines through the grid then give values and derivatives. The interpolated curve is off by less
than 1e-5 of its peak (1e-6 where the delay is known).

Evaluation is elementwise additions, products and square roots: a curve has the same bits in any
batch.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import spline_filter1d
from torch import Tensor

from betaplus.physics.response import InputResponse

__all__ = ["ResponseSpline"]

_OFFSET = 0.004  # 1/min; below it the grid of rates no longer gets finer
_RATES = 384
_TISSUE_STEP, _BLOOD_STEP = 0.5, 0.05  # s between delays; whole blood has kinks, tissue has not
_MARGIN = 16  # grid points beyond both ends, where the filter's edges fade to 1e-9


class ResponseSpline:
    """Frame means of tissue response and whole blood, by rate and delay; float64.

    Args:
        response: Input function and frames.
        rates: Smallest and largest exponential rate that will be asked for [1/min].
        delays: Smallest and largest delay [s]; equal where the delay is known.
    """

    def __init__(
        self, response: InputResponse, rates: tuple[float, float], delays: tuple[float, float]
    ) -> None:
        least = min(rates[0], 0.0)
        self._offset = _OFFSET - 1.01 * least
        first, last = (float((rate + self._offset) ** 0.25) for rate in (least, rates[1]))
        self._rate_step = (last - first) / (_RATES - 1)
        self._rate_first = first - _MARGIN * self._rate_step
        u = self._rate_first + self._rate_step * np.arange(_RATES + 2 * _MARGIN)
        alpha = torch.from_numpy(u**4 * np.sign(u) - self._offset)
        self.fixed_delay = delays[0] == delays[1]
        with torch.no_grad():
            if self.fixed_delay:
                tissue = response.tissue(alpha, delays[0]).numpy()
                self._tissue = torch.from_numpy(spline_filter1d(tissue, axis=0))
                self._blood = response.blood(delays[0])
                return
            grid = self._delays(delays, _TISSUE_STEP)
            tissue = np.stack([v.numpy() for v in response.tissue_at_delays(alpha, grid)])
            tissue = spline_filter1d(spline_filter1d(tissue, axis=0), axis=1)
            self._tissue = torch.from_numpy(tissue.reshape(-1, tissue.shape[-1]))
            self._tissue_first, self._n_rates = float(grid[0]), tissue.shape[1]
            grid = self._delays(delays, _BLOOD_STEP)
            self._blood = torch.from_numpy(spline_filter1d(response.blood(grid).numpy(), axis=0))
            self._blood_first = float(grid[0])

    @staticmethod
    def _delays(delays: tuple[float, float], step: float) -> Tensor:
        count = int(np.ceil((delays[1] - delays[0]) / step)) + 1 + 2 * _MARGIN
        return torch.from_numpy(delays[0] + step * (np.arange(count) - _MARGIN))

    def tissue(self, alpha: Tensor, delay: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return plasma convolved with exp(-alpha t), frame means, and its derivatives.

        Args:
            alpha: Rates, shape (n,) [1/min].
            delay: Delays, shape (n,) [s]; None where it is known.

        Returns:
            Values, derivatives by rate and by delay, shape (n, T); the last None where `delay` is.
        """
        u = torch.sqrt(torch.sqrt(alpha + self._offset))
        row, weight, slope = _basis((u - self._rate_first) / self._rate_step)
        by_rate = (1.0 / (4.0 * self._rate_step * u * u * u))[:, None]
        if delay is None:
            value, inner = _contract([self._tissue[row + i] for i in range(4)], weight, slope)
            return value, inner * by_rate, None
        line, across, along = _basis((delay - self._tissue_first) / _TISSUE_STEP)
        first = line * self._n_rates + row
        rows = [
            _contract(
                [self._tissue[first + (j * self._n_rates + i)] for j in range(4)], across, along
            )
            for i in range(4)
        ]
        value, inner = _contract([row[0] for row in rows], weight, slope)
        moved, _ = _contract([row[1] for row in rows], weight, slope)
        return value, inner * by_rate, moved / _TISSUE_STEP

    def blood(self, delay: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return whole blood, frame means, and its derivative by delay, shape (n, T) or (T,)."""
        if delay is None:
            return self._blood, None
        row, weight, slope = _basis((delay - self._blood_first) / _BLOOD_STEP)
        value, inner = _contract([self._blood[row + i] for i in range(4)], weight, slope)
        return value, inner / _BLOOD_STEP


def _basis(position: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """First of four coefficients, their weights and the weights' derivatives per grid step."""
    cell = torch.floor(position)
    f = (position - cell)[:, None]
    g = 1.0 - f
    weight = [
        g * g * g / 6.0,
        (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0,
        (4.0 - 6.0 * g * g + 3.0 * g * g * g) / 6.0,
        f * f * f / 6.0,
    ]
    slope = [-0.5 * g * g, f * (1.5 * f - 2.0), g * (2.0 - 1.5 * g), 0.5 * f * f]
    return torch.nan_to_num(cell).long() - 1, weight, slope


def _contract(
    rows: list[Tensor], weight: list[Tensor], slope: list[Tensor]
) -> tuple[Tensor, Tensor]:
    value, inner = rows[0] * weight[0], rows[0] * slope[0]
    for row, w, s in zip(rows[1:], weight[1:], slope[1:], strict=True):
        value, inner = value + row * w, inner + row * s
    return value, inner
