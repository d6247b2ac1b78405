"""The networks inside a coupling: any network does, for none is ever inverted.

They see one half of the channels with the condition images behind, and the context; what they give
is 0 before training. Images may have any size.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from betaplus.core.errors import UsageError
from betaplus.generative.tiling import pad_end
from betaplus.generative.unet import UNet, UNetSize

__all__ = ["DenseBlock", "DenseSize", "HalfUNet", "SubnetworkSize", "make_subnetwork"]

_SLOPE = 0.2  # of the leaky ReLU, and the gain below: as in super-resolution (ESRGAN, 2018)
_GAIN = 0.1


@dataclass(frozen=True, kw_only=True)
class DenseSize:
    """A dense block, in which each convolution sees what all before it gave.

    Attributes:
        convolutions: 3x3 convolutions.
        growth: Images that each of them adds.
    """

    convolutions: int = 5
    growth: int = 32

    def __post_init__(self) -> None:
        if min(self.convolutions, self.growth) < 1:
            raise UsageError(f"a dense block of {self}", "expected whole numbers above 0")


SubnetworkSize = DenseSize | UNetSize
"""Of a U-Net only what does not depend on the coupling counts, and `dimensions` must agree."""


def make_subnetwork(
    size: SubnetworkSize, dimensions: int, inputs: int, outputs: int, context: int
) -> nn.Module:
    """Return a network of (x, context) that is 0 before training.

    Args:
        size: What it is built from.
        dimensions: 2 or 3.
        inputs: Images that it sees, condition included.
        outputs: Images that it gives.
        context: Numbers that it is told.
    """
    if isinstance(size, DenseSize):
        return DenseBlock(size, dimensions, inputs, outputs, context)
    return HalfUNet(size, dimensions, inputs, outputs, context)


class DenseBlock(nn.Module):
    """Convolutions that see all before them (Huang et al., "DenseNet", CVPR 2017), the last 0.

    The context is added to what the first of them gives.
    """

    def __init__(
        self, size: DenseSize, dimensions: int, inputs: int, outputs: int, context: int = 0
    ) -> None:
        super().__init__()
        convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d
        seen = [inputs + i * size.growth for i in range(size.convolutions)]
        given = [size.growth] * (size.convolutions - 1) + [outputs]
        self.layers = nn.ModuleList(
            convolution(a, b, 3, padding=1) for a, b in zip(seen, given, strict=True)
        )
        for layer in self.layers:
            nn.init.xavier_normal_(layer.weight, _GAIN)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.layers[-1].weight)
        self.told = nn.Linear(context, given[0]) if context else None
        self.layout = torch.channels_last if dimensions == 2 else torch.channels_last_3d
        self.to(memory_format=self.layout)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return images, shape (B, outputs, X, Y[, Z])."""
        x = x.contiguous(memory_format=self.layout)
        for i, layer in enumerate(self.layers[:-1]):
            added = layer(x)
            if i == 0 and self.told is not None and context is not None:
                added = added + self.told(context)[(..., *[None] * (x.ndim - 2))]
            x = torch.cat([x, functional.leaky_relu(added, _SLOPE).to(x.dtype)], 1)
        return self.layers[-1](x)


class HalfUNet(nn.Module):
    """The U-Net of the denoisers, told the context alone; images are padded to what it can pool."""

    def __init__(
        self, size: UNetSize, dimensions: int, inputs: int, outputs: int, context: int = 0
    ) -> None:
        super().__init__()
        if size.dimensions != dimensions:
            raise UsageError(
                f"a U-Net in {size.dimensions} dimensions within a network in {dimensions}"
            )
        self.network = UNet(
            dataclasses.replace(size, channels=inputs, outputs=outputs, context=context)
        )

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return images, shape (B, outputs, X, Y[, Z])."""
        shape = x.shape[2:]
        multiple = self.network.size.multiple
        padded = pad_end(x, [multiple * math.ceil(edge / multiple) for edge in shape], "edge")
        out = self.network(padded, x.new_zeros(len(x)), context)
        return out[(..., *(slice(edge) for edge in shape))]
