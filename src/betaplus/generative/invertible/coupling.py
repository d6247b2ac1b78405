r"""An affine coupling of the two halves of the channels, invertible whatever its networks are.

.. math::
   y_1 = x_1 + r(x_2), \quad s = c\,(2\,\mathrm{sigmoid}(h(y_1)) - 1), \quad
   y_2 = x_2\, e^{s} + t(y_1)

with the log-determinant sum(s): the form of Xing et al. (invertible image signal processing, CVPR
2021) and of Sun et al. (IEEE TRPMS 2024), after Dinh et al. (Real NVP, ICLR 2017). Backwards, h and
t see the y1 that they saw forwards, to the bit, and r an x2 that differs in the last bits of its
type. The coupling is computed in the type of x, the networks in that of their weights or under
autocast: images in float64 come back exactly even of networks that run in float32 or bfloat16,
which then see the same rounded values both ways, but for the rare value on the edge of a rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["CLAMP", "AffineCoupling"]

CLAMP = 0.8


class AffineCoupling(nn.Module):
    """A coupling; the halves may have unequal numbers of channels.

    Args:
        halves: Channels of each half.
        make: (halves' channels that are seen, channels that are given) to a network.
        clamp: The largest |s|, c above; 0 makes the coupling keep volumes, without h.
        joint: Whether one network gives t and h, which see the same.
    """

    def __init__(
        self,
        halves: tuple[int, int],
        make: Callable[[int, int], nn.Module],
        clamp: float = CLAMP,
        joint: bool = False,
    ) -> None:
        super().__init__()
        first, second = halves
        self.halves, self.clamp = halves, clamp
        self.r = make(second, first)
        self.t = make(first, 2 * second if joint and clamp else second)
        self.h = None if joint or not clamp else make(first, second)

    def forward(
        self, x: Tensor, condition: Tensor | None = None, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return y, and the log-determinant of each item, shape (B,).

        Args:
            x: Shape (B, channels, X, Y[, Z]).
            condition: Shape (B, condition, X, Y[, Z]).
            context: Shape (B, context).
        """
        x1, x2 = x.split(self.halves, 1)
        y1 = x1 + _run(self.r, x2, condition, context)
        s, t = self._scale_and_shift(y1, condition, context)
        if s is None:
            return torch.cat([y1, x2 + t], 1), x.new_zeros(len(x))
        return torch.cat([y1, x2 * s.exp() + t], 1), s.flatten(1).sum(1)

    def inverse(
        self, y: Tensor, condition: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Return x; the arguments are those of `forward`."""
        y1, y2 = y.split(self.halves, 1)
        s, t = self._scale_and_shift(y1, condition, context)
        x2 = y2 - t if s is None else (y2 - t) * (-s).exp()
        return torch.cat([y1 - _run(self.r, x2, condition, context), x2], 1)

    def _scale_and_shift(
        self, y1: Tensor, condition: Tensor | None, context: Tensor | None
    ) -> tuple[Tensor | None, Tensor]:
        t = _run(self.t, y1, condition, context)
        if not self.clamp:
            return None, t
        if self.h is not None:
            h = _run(self.h, y1, condition, context)
        else:
            t, h = t.chunk(2, 1)
        return self.clamp * (2 * h.sigmoid() - 1), t


def _run(network: nn.Module, x: Tensor, condition: Tensor | None, context: Tensor | None) -> Tensor:
    kind = next((weight.dtype for weight in network.parameters()), x.dtype)
    seen = x.to(kind) if condition is None else torch.cat([x.to(kind), condition.to(kind)], 1)
    return network(seen, None if context is None else context.to(kind)).to(x.dtype)
