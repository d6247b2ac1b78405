"""Compartment curves and their derivatives by every parameter, in one pass over many curves."""

from __future__ import annotations

import torch
from torch import Tensor

from betaplus.physics.compartments import CompartmentModel, exponentials
from betaplus.physics.response_spline import ResponseSpline

__all__ = ["CompartmentJacobian"]


class CompartmentJacobian:
    """Frame means of a compartment model and their derivatives; no autograd.

    Args:
        model: Compartment model.
        spline: Responses; the delay is a parameter unless they know it.
    """

    def __init__(self, model: CompartmentModel, spline: ResponseSpline) -> None:
        self.spline = spline
        self.rates = model.rates
        self.parameters = model.parameters if spline.fixed_delay else (*model.parameters, "delay")
        """Names along the parameter axis."""

    def __call__(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return curves (n, T) [input unit] and derivatives (n, P, T) of parameters (n, P).

        Units of the parameters as in `betaplus.physics.compartments.predict`.
        """
        K1, VB = values[:, :1], values[:, 1 + len(self.rates), None]
        delay = None if self.spline.fixed_delay else values[:, -1].contiguous()
        unit, by_rates, moved = self._unit(values[:, 1 : 1 + len(self.rates)], delay)
        blood, blood_moved = self.spline.blood(delay)
        amplitude = K1 * (1.0 - VB)
        by = [unit * (1.0 - VB), *(amplitude * d for d in by_rates), blood - K1 * unit]
        if moved is not None and blood_moved is not None:
            by.append(amplitude * moved + VB * blood_moved)
        return amplitude * unit + VB * blood, torch.stack(by, 1)

    def _unit(
        self, rates: Tensor, delay: Tensor | None
    ) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """Curve per K1, its derivatives by the rates and by the delay."""
        k2 = rates[:, 0].contiguous()
        if len(self.rates) == 1:
            unit, slope, moved = self.spline.tissue(k2, delay)
            return unit, [slope], moved
        k3 = rates[:, 1]
        k4 = rates[:, 2] if len(self.rates) == 3 else torch.zeros_like(k2)
        a1, a2, w1, w2 = exponentials(k2, k3, k4)
        n = len(k2)
        twice = None if delay is None else torch.cat([delay, delay])
        both, slopes, moved = self.spline.tissue(torch.cat([a1, a2]), twice)
        w1_, w2_ = w1[:, None], w2[:, None]
        unit = w1_ * both[:n] + w2_ * both[n:]
        first, second, contrast = w1_ * slopes[:n], w2_ * slopes[n:], both[:n] - both[n:]
        # a = (k2 + k3 + k4) / 2 -+ h, w1 = 1/2 + (k3 + k4 - k2) / 4h
        gap = a2 - a1  # 2 h
        excess = (k3 + k4 - k2) / gap
        by = []
        for k_sign, by_gap in (
            (-1.0, (k2 + k3 - k4) / gap),
            (1.0, (k2 + k3 + k4) / gap),
            (1.0, (k3 + k4 - k2) / gap),
        )[: len(self.rates)]:
            by_w1 = 0.5 * (k_sign - excess * by_gap) / gap
            by.append(
                (0.5 - 0.5 * by_gap)[:, None] * first
                + (0.5 + 0.5 * by_gap)[:, None] * second
                + by_w1[:, None] * contrast
            )
        if moved is None:
            return unit, by, None
        return unit, by, w1_ * moved[:n] + w2_ * moved[n:]
