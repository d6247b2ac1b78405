"""A small residual U-Net for images in two or three dimensions, told the noise level.

Blocks are normalised over the channels of each voxel, not over the image: a hot bladder does not
change what the network sees of the liver beside it. The image enters by a space-to-depth stem (Shi
et al., CVPR 2016), which halves every edge before the first convolution; pooling is isotropic.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from betaplus.core.errors import UsageError

__all__ = ["UNet", "UNetSize", "depth_to_space", "space_to_depth"]

_FREQUENCIES = 8


@dataclass(frozen=True, kw_only=True)
class UNetSize:
    """What a U-Net is built from.

    Attributes:
        dimensions: 2 or 3.
        widths: Channels of each level, finest first.
        blocks: Residual blocks of a level, on the way down and again on the way up.
        channels: Images that come in.
        outputs: Images that go out.
        context: Numbers that are known of an item beside its noise level.
        stem: Edge of the blocks of voxels that become channels; 1 for none.
        embedding: Width of what blocks are told.
        normed: Whether features are normalised once more before they become images. Without it,
            inputs with long tails let the last convolution's gradient outgrow all others.
    """

    dimensions: int
    widths: tuple[int, ...]
    blocks: int = 2
    channels: int = 1
    outputs: int = 1
    context: int = 0
    stem: int = 2
    embedding: int = 128
    normed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        if self.dimensions not in (2, 3):
            raise UsageError(f"a U-Net in {self.dimensions} dimensions", "expected 2 or 3")
        numbers = (self.blocks, self.channels, self.outputs, self.stem, self.embedding)
        if not self.widths or min(self.widths) < 1 or min(numbers) < 1 or self.context < 0:
            raise UsageError(f"a U-Net of {self}", "expected whole numbers above 0")

    @property
    def multiple(self) -> int:
        """What the edges of an image must be multiples of [voxels]."""
        return self.stem * 2 ** (len(self.widths) - 1)


class _Block(nn.Module):
    """x + conv(silu(scale * conv(silu(norm(x))) + shift)), the second convolution 0 at first."""

    def __init__(self, size: UNetSize, width: int) -> None:
        super().__init__()
        self.dimensions, self.width = size.dimensions, width
        self.first = _convolution(size, width, width)
        self.told = nn.Linear(size.embedding, 2 * width)
        self.second = _convolution(size, width, width)
        for parameter in (self.told.weight, self.told.bias, self.second.weight, self.second.bias):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.told(told)[(..., *[None] * self.dimensions)].chunk(2, 1)
        voxels = functional.layer_norm(x.movedim(1, -1), (self.width,))
        h = self.first(functional.silu(voxels.movedim(-1, 1)))
        h = torch.addcmul(h + shift, h, scale)
        return x + self.second(functional.silu(h))


class UNet(nn.Module):
    """Images and a noise level to images of the same shape; 0 before training.

    Args:
        size: What it is built from.
    """

    def __init__(self, size: UNetSize) -> None:
        super().__init__()
        self.size = size
        cells = size.stem**size.dimensions
        self.frequencies = nn.Buffer(2.0 ** torch.arange(-2, _FREQUENCIES - 2).float())
        self.told = nn.Sequential(
            nn.Linear(2 * _FREQUENCIES + size.context, size.embedding),
            nn.SiLU(),
            nn.Linear(size.embedding, size.embedding),
            nn.SiLU(),
        )
        widths = size.widths
        self.stem = _convolution(size, size.channels * cells, widths[0])
        self.down = nn.ModuleList(self._level(width) for width in widths)
        self.up = nn.ModuleList(self._level(width) for width in widths[:-1])
        pairs = list(itertools.pairwise(widths))
        self.coarser = nn.ModuleList(_convolution(size, a, b, 2) for a, b in pairs)
        self.finer = nn.ModuleList(_convolution(size, b, a, 1) for a, b in pairs)
        self.head = _convolution(size, widths[0], size.outputs * cells)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(memory_format=_layout(size))

    def _level(self, width: int) -> nn.ModuleList:
        return nn.ModuleList(_Block(self.size, width) for _ in range(self.size.blocks))

    def forward(self, x: Tensor, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Return images, float32.

        Args:
            x: Shape (B, channels, X, Y[, Z]), of order 1; edges are multiples of `size.multiple`.
            noise: Log of the noise level over 4, shape (B,).
            context: Shape (B, context); zeros if None.
        """
        size = self.size
        if any(edge % size.multiple for edge in x.shape[2:]):
            raise ValueError(f"image of {tuple(x.shape)}, edges multiples of {size.multiple}")
        told = self._tell(noise, context, x)
        with torch.autocast(x.device.type, enabled=False):
            # A noise far below the uptake would drown in the rounding of bfloat16.
            cells = space_to_depth(x.float(), size.stem).contiguous(memory_format=_layout(size))
            h = self.stem(cells)
        skips = []
        for i, level in enumerate(self.down):
            for block in level:
                h = block(h, told)
            if i < len(self.coarser):
                skips.append(h)
                h = self.coarser[i](h)
        for i in reversed(range(len(self.finer))):
            h = functional.interpolate(self.finer[i](h), scale_factor=2.0, mode="nearest")
            h = h + skips[i]
            for block in self.up[i]:
                h = block(h, told)
        if size.normed:
            h = functional.layer_norm(h.movedim(1, -1), (size.widths[0],)).movedim(-1, 1)
        return depth_to_space(self.head(functional.silu(h)).float(), size.stem)

    def _tell(self, noise: Tensor, context: Tensor | None, x: Tensor) -> Tensor:
        angles = noise.reshape(-1, 1).float() * (math.pi * self.frequencies)
        parts = [angles.sin(), angles.cos()]
        if self.size.context:
            known = x.new_zeros(len(x), self.size.context) if context is None else context
            parts.append(known.float())
            parts[:2] = [part.expand(len(known), -1) for part in parts[:2]]
        return self.told(torch.cat(parts, 1))


def space_to_depth(x: Tensor, edge: int) -> Tensor:
    """Return (B, C edge^d, X / edge, ...): each block of voxels becomes channels of one."""
    if edge == 1:
        return x
    batch, channels, *shape = x.shape
    d = len(shape)
    split = [n for length in shape for n in (length // edge, edge)]
    cells = x.reshape(batch, channels, *split)
    order = [0, 1, *(3 + 2 * i for i in range(d)), *(2 + 2 * i for i in range(d))]
    coarse = [length // edge for length in shape]
    return cells.permute(order).reshape(batch, channels * edge**d, *coarse)


def depth_to_space(x: Tensor, edge: int) -> Tensor:
    """Undo `space_to_depth`."""
    if edge == 1:
        return x
    batch, channels, *coarse = x.shape
    d = len(coarse)
    cells = x.reshape(batch, channels // edge**d, *[edge] * d, *coarse)
    order = [0, 1, *(n for i in range(d) for n in (2 + d + i, 2 + i))]
    return cells.permute(order).reshape(batch, channels // edge**d, *[n * edge for n in coarse])


def _convolution(size: UNetSize, inputs: int, outputs: int, kernel: int = 3) -> nn.Module:
    """A convolution that keeps the shape, or with a kernel of 2 halves it."""
    kind = nn.Conv2d if size.dimensions == 2 else nn.Conv3d
    stride, padding = (2, 0) if kernel == 2 else (1, kernel // 2)
    return kind(inputs, outputs, kernel, stride=stride, padding=padding)


def _layout(size: UNetSize) -> torch.memory_format:
    return torch.channels_last if size.dimensions == 2 else torch.channels_last_3d
