"""The conditional invertible network that turns estimated coefficients into better ones.

Its images are not frames but the coefficients c = (c1, c2) of the two tracers' curves in their
response bases: one network serves any frames, delay and pair of tracers, and the two halves of its
couplings are the two tracers. It starts as the identity, that is as the estimate z, and is
invertible exactly for every condition.

What the condition holds decides what the way back can mean. Where it holds z itself, the network is
a residual denoiser of full power, and the way back can read the answer off the condition; where it
holds only smooth features, the way back has to make z from c.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from betaplus.core.errors import UsageError
from betaplus.generative.invertible.coupling import CLAMP
from betaplus.generative.invertible.network import InvertibleNetwork, InvertibleSize, Mixing
from betaplus.generative.unet import UNetSize

__all__ = ["SeparationNetwork", "SeparationSize"]


@dataclass(frozen=True, kw_only=True)
class SeparationSize:
    """What the network is built from; every field is a number or text, as a bundle keeps it.

    Attributes:
        dimensions: 2 or 3.
        first: Coefficients of the tracer that was injected first, K1.
        second: Of the other, K2.
        condition: Images that are known beside the coefficients; 0 has the network look at none.
        looks: Images that these become, voxel by voxel, before the U-Nets see them, whose first
            convolution else is most of the work; 0 leaves them as they are.
        context: Numbers that are known of a scan; likewise.
        couplings: How many; two U-Nets each. One is a residual denoiser in two steps, the first
            tracer and then, seeing it, the second; a density of correlated images wants more.
        widths: Channels of each level of a U-Net.
        blocks: Residual blocks of a level.
        stem: Edge of the blocks of voxels that a U-Net takes together.
        embedding: Width of what its blocks are told.
        clamp: The largest |log scale| of a coupling; 0 for none.
        mixing: How the mixing of the coefficients starts: identity, or none at all; orthogonal
            only for a density, which needs no linear start.
    """

    dimensions: int = 2
    first: int = 4
    second: int = 4
    condition: int = 0
    looks: int = 0
    context: int = 0
    couplings: int = 1
    widths: tuple[int, ...] = (48, 96)
    blocks: int = 1
    stem: int = 2
    embedding: int = 64
    clamp: float = CLAMP
    mixing: Mixing = "identity"

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        if min(self.first, self.second) < 1:
            raise UsageError(
                f"{self.first} and {self.second} coefficients of the tracers",
                "expected at least 1 of each",
            )
        if self.looks < 0 or (self.looks and not self.condition):
            raise UsageError(
                f"{self.looks} looks at {self.condition} condition images",
                "expected 0, or 1 or more at 1 or more",
            )
        self.invertible()

    def invertible(self) -> InvertibleSize:
        """Return the size of the invertible network that this is."""
        return InvertibleSize(
            dimensions=self.dimensions,
            halves=(self.first, self.second),
            blocks=self.couplings,
            mixing=self.mixing,
            subnetwork=UNetSize(
                dimensions=self.dimensions,
                widths=self.widths,
                blocks=self.blocks,
                stem=self.stem,
                embedding=self.embedding,
            ),
            condition=self.looks or self.condition,
            context=self.context,
            clamp=self.clamp,
            joint=True,
        )


class SeparationNetwork(nn.Module):
    """Coefficient images to coefficient images and back.

    Args:
        size: What it is built from.
    """

    def __init__(self, size: SeparationSize) -> None:
        super().__init__()
        self.size = size
        self.look = _Look(size.condition, size.looks) if size.looks else None
        self.network = InvertibleNetwork(size.invertible())

    def forward(
        self, z: Tensor, condition: Tensor | None = None, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return c, and log|det dc/dz| of each item, shape (B,).

        Args:
            z: Coefficients in units of their prior, those of the first tracer before those of the
                second, shape (B, first + second, X, Y[, Z]), of any size. In float64 the way back
                is exact to 1e-10 even of a network in float32 or bfloat16.
            condition: Shape (B, condition, X, Y[, Z]), of order 1.
            context: Shape (B, context), of order 1.
        """
        return self.network(z, *self._seen(condition, context))

    def separate(
        self, z: Tensor, condition: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Return the coefficients c of the separated tracers from the estimate z."""
        return self.network(z, *self._seen(condition, context))[0]

    def mix_back(
        self, c: Tensor, condition: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Return the z of which `separate` makes c, under the same condition and context."""
        return self.network.inverse(c, *self._seen(condition, context))

    def _seen(
        self, condition: Tensor | None, context: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        if not self.size.condition:
            condition = None
        elif self.look is not None and condition is not None:
            condition = self.look(condition)
        return condition, context if self.size.context else None


class _Look(nn.Module):
    """Two layers on the condition images of each voxel, in float32."""

    def __init__(self, images: int, looks: int) -> None:
        super().__init__()
        self.first = nn.Linear(images, 2 * looks)
        self.second = nn.Linear(2 * looks, looks)

    def forward(self, condition: Tensor) -> Tensor:
        """Return images, shape (B, looks, X, Y[, Z])."""
        with torch.autocast(condition.device.type, enabled=False):
            x = condition.to(self.first.weight.dtype).flatten(2)
            for i, layer in enumerate((self.first, self.second)):
                x = torch.baddbmm(
                    layer.bias[:, None],
                    layer.weight.expand(len(x), -1, -1),
                    functional.silu(x) if i else x,
                )
            return x.reshape(len(x), -1, *condition.shape[2:])
