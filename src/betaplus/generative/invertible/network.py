"""A network that is invertible exactly: blocks of a mixing of channels and an affine coupling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from betaplus.core.errors import UsageError
from betaplus.generative.invertible.coupling import CLAMP, AffineCoupling
from betaplus.generative.invertible.lu import LUConvolution
from betaplus.generative.invertible.subnetwork import DenseSize, SubnetworkSize, make_subnetwork

__all__ = ["InvertibleBlock", "InvertibleNetwork", "InvertibleSize", "Mixing"]

Mixing = Literal["orthogonal", "identity", "none"]


@dataclass(frozen=True, kw_only=True)
class InvertibleSize:
    """What an invertible network is built from.

    Attributes:
        dimensions: 2 or 3.
        halves: Channels of the two halves.
        blocks: How many.
        mixing: How the LU 1x1 convolution before each coupling starts, or that there is none. From
            `identity` or with `none` the whole network starts as the identity.
        subnetwork: What sits inside the couplings.
        condition: Images that the couplings see beside their half.
        context: Numbers that they are told.
        clamp: The largest |log scale| of a coupling; 0 for none.
        joint: Whether one network gives the scale and the shift of a coupling.
    """

    dimensions: int
    halves: tuple[int, int]
    blocks: int
    mixing: Mixing = "orthogonal"
    subnetwork: SubnetworkSize = field(default_factory=DenseSize)
    condition: int = 0
    context: int = 0
    clamp: float = CLAMP
    joint: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "halves", tuple(self.halves))
        if self.dimensions not in (2, 3):
            raise UsageError(
                f"an invertible network in {self.dimensions} dimensions", "expected 2 or 3"
            )
        if self.mixing not in ("orthogonal", "identity", "none"):
            raise UsageError(f"mixing is {self.mixing!r}", "expected orthogonal, identity or none")
        if len(self.halves) != 2 or min(*self.halves, self.blocks) < 1:
            raise UsageError(
                f"an invertible network of {self.blocks} blocks on halves of {self.halves}",
                "expected at least 1 block and two halves of at least 1 channel",
            )
        if min(self.condition, self.context) < 0 or not 0 <= self.clamp < 10:
            raise UsageError(f"an invertible network of {self}", "expected no negative number")

    @property
    def channels(self) -> int:
        """Channels of both halves."""
        return sum(self.halves)


class InvertibleBlock(nn.Module):
    """A mixing of all channels, then a coupling of the halves."""

    def __init__(self, size: InvertibleSize) -> None:
        super().__init__()

        def make(seen: int, given: int) -> nn.Module:
            return make_subnetwork(
                size.subnetwork, size.dimensions, seen + size.condition, given, size.context
            )

        self.mixing = None if size.mixing == "none" else LUConvolution(size.channels, size.mixing)
        self.coupling = AffineCoupling(size.halves, make, size.clamp, size.joint)

    def forward(
        self, x: Tensor, condition: Tensor | None = None, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return y and the log-determinant of each item; see `InvertibleNetwork`."""
        before = x.new_zeros(len(x))
        if self.mixing is not None:
            x, before = self.mixing(x)
        y, log_det = self.coupling(x, condition, context)
        return y, before + log_det

    def inverse(
        self, y: Tensor, condition: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Return x."""
        x = self.coupling.inverse(y, condition, context)
        return x if self.mixing is None else self.mixing.inverse(x)


class InvertibleNetwork(nn.Module):
    """Images to images of the same shape and back, for every condition.

    Args:
        size: What it is built from.
    """

    def __init__(self, size: InvertibleSize) -> None:
        super().__init__()
        self.size = size
        self.blocks = nn.ModuleList(InvertibleBlock(size) for _ in range(size.blocks))

    def forward(
        self, x: Tensor, condition: Tensor | None = None, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return y of the shape and type of x, and log|det dy/dx| of each item, shape (B,).

        Args:
            x: Shape (B, channels, X, Y[, Z]), of any size, float32 or float64 whatever the weights
                are and whether the networks inside run under autocast.
            condition: Shape (B, condition, X, Y[, Z]).
            context: Shape (B, context).
        """
        self._check(x, condition, context)
        log_det = x.new_zeros(len(x))
        for block in self.blocks:
            x, more = block(x, condition, context)
            log_det = log_det + more
        return x, log_det

    def inverse(
        self, y: Tensor, condition: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Return the x that `forward` makes y of, under the same condition and context."""
        self._check(y, condition, context)
        for block in reversed(self.blocks):
            y = block.inverse(y, condition, context)
        return y

    def _check(self, x: Tensor, condition: Tensor | None, context: Tensor | None) -> None:
        size = self.size
        wanted = (len(x), size.channels, *x.shape[2:])
        if x.ndim != size.dimensions + 2 or x.shape != wanted:
            raise ValueError(f"images of {tuple(x.shape)} for {size}")
        if x.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"images of {x.dtype}, expected float32 or float64")
        images = 0 if condition is None else condition.shape[1]
        numbers = 0 if context is None else context.shape[1]
        if (images, numbers) != (size.condition, size.context):
            raise ValueError(f"{images} condition images and {numbers} numbers for {size}")
