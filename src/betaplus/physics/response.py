r"""Frame means of a piecewise-linear input convolved with exponentials, exactly.

With :math:`R(t) = \int_0^t e^{-\alpha(t-s)} C(s) ds` and decay constant :math:`\lambda`, the
frame value is

.. math:: y_f = \frac{DCF_f}{D_f} \int_f R(t - \delta) e^{-\lambda t} dt .

Since :math:`r(t) = R(t) e^{-\lambda t}` obeys :math:`r' = -(\alpha+\lambda) r + C e^{-\lambda t}`,
the integral is :math:`(P - r)/(\alpha+\lambda)` with :math:`P = \int C e^{-\lambda t} dt`: only
the values of R at the frame edges are needed, and those follow a recursion over the knots of C.

Dispersion in the sampling line, :math:`C = C_a \otimes \tau^{-1} e^{-t/\tau}`, is undone exactly:
:math:`C_a = C + \tau C'`, so that :math:`C_a \otimes e^{-\alpha t} = (1 - \tau\alpha) R + \tau C`,
and no derivative of samples is taken (Iida et al., J Cereb Blood Flow Metab 1986, 6:536-545).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.core.units import SECONDS_PER_MINUTE

__all__ = ["InputResponse"]


class InputResponse:
    """Frame means that one input function and one frame schedule can give; float64.

    Args:
        curve: Plasma and whole blood, decay-corrected to TimeZero.
        frames: Frame timing.
        half_life: Half-life [s].
        device: Where to compute.
        dispersion: Time constant of dispersion to be undone, in plasma and whole blood alike [s].
    """

    def __init__(
        self,
        curve: InputCurve,
        frames: FrameTiming,
        half_life: float,
        device: torch.device | str = "cpu",
        *,
        dispersion: float = 0.0,
    ) -> None:
        self.dispersion = float(dispersion)
        self.curve, self.frames, self.half_life = curve, frames, half_life
        self.decay = float(np.log(2.0)) / half_life
        self.knots = _tensor(curve.time, device)
        self.plasma = _tensor(curve.plasma, device)
        self.whole_blood = _tensor(curve.whole_blood, device)
        self.edges = _tensor(np.stack([frames.start, frames.end]), device)
        self.scale = _tensor(frames.decay_factors(half_life) / frames.duration, device)
        self._plasma_sum = _decayed_sums(self.knots, self.plasma, self.decay)
        self._blood_sum = _decayed_sums(self.knots, self.whole_blood, self.decay)

    def tissue(self, alpha: Tensor, delay: Tensor | float = 0.0) -> Tensor:
        """Return the frame means of plasma convolved with exp(-alpha t).

        Args:
            alpha: Rates, shape (...) [1/min].
            delay: Arrival at the tissue after the blood sampler, broadcast to (...) [s].

        Returns:
            Shape (..., T) [input unit x min].
        """
        rate = alpha / SECONDS_PER_MINUTE
        delay = torch.as_tensor(delay, dtype=rate.dtype, device=rate.device).expand(rate.shape)
        return self._tissue(rate, delay, self._convolved_at_knots(rate))

    def tissue_at_delays(self, alpha: Tensor, delays: Tensor) -> Iterator[Tensor]:
        """Yield `tissue(alpha, delay)`, shape (A, T), for each of many delays [s]."""
        rate = alpha / SECONDS_PER_MINUTE
        at_knots = self._convolved_at_knots(rate)
        for delay in delays:
            yield self._tissue(rate, delay, at_knots)

    def _tissue(self, rate: Tensor, delay: Tensor, at_knots: Tensor) -> Tensor:
        time, index, inside = self._locate(delay)
        step = time - self.knots[index]
        flat = index.flatten(-2).expand(*rate.shape, -1)
        left = torch.gather(at_knots, -1, flat).reshape(*rate.shape, 2, -1)
        rate_, slope = rate[..., None, None], self._slope(self.plasma)[index]
        value = torch.exp(-rate_ * step) * left + step * (
            self.plasma[index] * _g1(rate_ * step) + slope * step * _g2(rate_ * step)
        )
        total = self._partial(self._plasma_sum, self.plasma, step, index)
        integral = (total - value * torch.exp(-self.decay * time)) / (rate_ + self.decay)
        if self.dispersion:
            integral = (1.0 - self.dispersion * rate_) * integral + self.dispersion * total
        return self._difference(integral, inside, delay) / SECONDS_PER_MINUTE

    def blood(self, delay: Tensor | float = 0.0) -> Tensor:
        """Return the frame means of whole blood, shape (..., T) [input unit]; delay in s."""
        return self._mean_of(self.whole_blood, self._blood_sum, delay)

    def plasma_mean(self, delay: Tensor | float = 0.0) -> Tensor:
        """Return the frame means of plasma, shape (..., T) [input unit]; delay in s."""
        return self._mean_of(self.plasma, self._plasma_sum, delay)

    def _mean_of(self, values: Tensor, sums: Tensor, delay: Tensor | float) -> Tensor:
        delay = torch.as_tensor(delay, dtype=self.knots.dtype, device=self.knots.device)
        time, index, inside = self._locate(delay)
        step = time - self.knots[index]
        integral = self._partial(sums, values, step, index)
        if self.dispersion:
            value = (values[index] + self._slope(values)[index] * step) * torch.exp(
                -self.decay * time
            )
            integral = integral + self.dispersion * (value + self.decay * integral)
        return self._difference(integral, inside, delay)

    def _difference(self, integral: Tensor, inside: Tensor, delay: Tensor) -> Tensor:
        integral = torch.where(inside, integral, torch.zeros_like(integral))
        span = integral[..., 1, :] - integral[..., 0, :]
        return span * self.scale * torch.exp(-self.decay * delay)[..., None]

    def _locate(self, delay: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frame edges on the input's clock, the knot before each, and whether input has begun."""
        time = self.edges - delay[..., None, None]
        inside = time > self.knots[0]
        time = torch.maximum(time, self.knots[0])
        index = torch.searchsorted(self.knots, time.detach().contiguous(), right=True) - 1
        return time, index.clamp(0, len(self.knots) - 2), inside

    def _slope(self, values: Tensor) -> Tensor:
        return torch.diff(values) / torch.diff(self.knots)

    def _convolved_at_knots(self, rate: Tensor) -> Tensor:
        step = torch.diff(self.knots)
        slope = self._slope(self.plasma)
        x = rate[..., None] * step
        fade = torch.exp(-x)
        gain = step * (self.plasma[:-1] * _g1(x) + slope * step * _g2(x))
        value = torch.zeros_like(rate)
        out = [value]
        for fade_j, gain_j in zip(fade.unbind(-1), gain.unbind(-1), strict=True):
            value = fade_j * value + gain_j
            out.append(value)
        return torch.stack(out, -1)

    def _partial(self, sums: Tensor, values: Tensor, step: Tensor, index: Tensor) -> Tensor:
        """Integral of values x exp(-decay t) from the first knot to `step` after knot `index`."""
        return sums[index] + torch.exp(-self.decay * self.knots[index]) * _decayed_piece(
            values[index], self._slope(values)[index], step, self.decay
        )


def _decayed_sums(knots: Tensor, values: Tensor, decay: float) -> Tensor:
    step = torch.diff(knots)
    slope = torch.diff(values) / step
    pieces = torch.exp(-decay * knots[:-1]) * _decayed_piece(values[:-1], slope, step, decay)
    return torch.cat([torch.zeros_like(pieces[:1]), torch.cumsum(pieces, 0)])


def _decayed_piece(value: Tensor, slope: Tensor, step: Tensor, decay: float) -> Tensor:
    x = decay * step
    return step * (value * _g1(x) + slope * step * (_g1(x) - _g2(x)))


def _g1(x: Tensor) -> Tensor:
    """(1 - exp(-x)) / x."""
    small = x.abs() < 1e-5
    safe = torch.where(small, torch.ones_like(x), x)
    return torch.where(small, 1 - x / 2 + x * x / 6, -torch.expm1(-safe) / safe)


def _g2(x: Tensor) -> Tensor:
    """(1 - g1(x)) / x = (x - 1 + exp(-x)) / x^2."""
    small = x.abs() < 1e-2
    safe = torch.where(small, torch.ones_like(x), x)
    series = 1 / 2 - x / 6 * (1 - x / 4 * (1 - x / 5 * (1 - x / 6 * (1 - x / 7 * (1 - x / 8)))))
    return torch.where(small, series, (safe + torch.expm1(-safe)) / (safe * safe))


def _tensor(values: np.ndarray, device: torch.device | str) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float64, device=device)
