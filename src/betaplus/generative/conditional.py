"""A small network for vectors under a condition: tokens and features in, a vector field out.

The condition is encoded once and serves any number of draws; each block of the trunk takes from it
a scale and a shift that do not depend on the draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["ConditionEncoder", "ConditionalField", "FieldSize"]


@dataclass(frozen=True, kw_only=True)
class FieldSize:
    """Widths of a network.

    Attributes:
        dimension: Length of the vectors.
        token: Numbers per token.
        features: Numbers beside the tokens.
        width: Width of the trunk.
        blocks: Residual blocks of the trunk.
        condition: Width of the condition.
        encoder: Width of the token network.
    """

    dimension: int
    token: int
    features: int
    width: int = 160
    blocks: int = 4
    condition: int = 256
    encoder: int = 64


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.outer(nn.functional.silu(self.inner(self.norm(h))))


class ConditionEncoder(nn.Module):
    """Tokens (B, F, token) with their number (B,), and features (B, features), to (B, condition).

    Tokens are pooled by mean and maximum, so that their number and order do not matter.
    """

    def __init__(self, size: FieldSize) -> None:
        super().__init__()
        e = size.encoder
        self.token = nn.Sequential(
            nn.Linear(size.token, e), nn.SiLU(), nn.Linear(e, e), nn.SiLU(), nn.Linear(e, e)
        )
        self.join = nn.Linear(2 * e + size.features, size.condition)
        self.blocks = nn.Sequential(*(_Residual(size.condition) for _ in range(3)))
        self.norm = nn.LayerNorm(size.condition)

    def forward(self, tokens: Tensor, count: Tensor, features: Tensor) -> Tensor:
        """Return the encoded condition."""
        there = torch.arange(tokens.shape[1], device=tokens.device) < count[:, None]
        t = self.token(tokens) * there[..., None]
        mean = t.sum(1) / count[:, None]
        top = t.masked_fill(~there[..., None], -1e4).amax(1)
        return self.norm(self.blocks(self.join(torch.cat([mean, top, features], -1))))


class ConditionalField(nn.Module):
    """A vector field F(x, noise, condition) on vectors of which some places may be absent.

    It starts as 0, so that what is around it decides what an untrained network means.
    """

    def __init__(self, size: FieldSize) -> None:
        super().__init__()
        self.size = size
        w = size.width
        self.encoder = ConditionEncoder(size)
        self.frequencies = nn.Buffer(2.0 ** torch.arange(4).float())
        self.first = nn.Linear(size.dimension, w)
        self.noise = nn.Sequential(nn.Linear(9, w), nn.SiLU(), nn.Linear(w, w))
        self.modulation = nn.Linear(size.condition + size.dimension, 2 * w * size.blocks)
        self.norms = nn.ModuleList(
            nn.LayerNorm(w, elementwise_affine=False) for _ in range(size.blocks)
        )
        self.inner = nn.ModuleList(nn.Linear(w, w) for _ in range(size.blocks))
        self.at_noise = nn.ModuleList(nn.Linear(w, 2 * w) for _ in range(size.blocks))
        self.outer = nn.ModuleList(nn.Linear(w, w) for _ in range(size.blocks))
        self.last = nn.Linear(w, size.dimension)
        for layer in (*self.outer, self.last):
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.last.weight)

    def condition(self, tokens: Tensor, count: Tensor, features: Tensor, there: Tensor) -> Tensor:
        """Return what the trunk needs to know of each item, shape (B, 2 x width x blocks).

        Args:
            tokens: Shape (B, F, token).
            count: Tokens in use, shape (B,).
            features: Shape (B, features).
            there: 1 for the places of the vector that exist, shape (B, dimension).
        """
        encoded = self.encoder(tokens, count, features)
        return self.modulation(torch.cat([encoded, there], -1))

    def forward(self, x: Tensor, noise: Tensor, condition: Tensor) -> Tensor:
        """Return F, shape (B, S, dimension).

        Args:
            x: Shape (B, S, dimension), of order 1.
            noise: Log of the noise level over 4, shape (B, S) or (1, S).
            condition: From `condition`, shape (B, 2 x width x blocks).
        """
        angles = noise[..., None] * self.frequencies
        level = self.noise(torch.cat([noise[..., None], angles.sin(), angles.cos()], -1))
        h = self.first(x) + level
        level = nn.functional.silu(level)
        parts = condition[:, None].chunk(2 * self.size.blocks, -1)
        for i in range(self.size.blocks):
            scale, shift = self.at_noise[i](level).chunk(2, -1)
            inside = self.norms[i](h) * (1 + parts[2 * i] + scale) + parts[2 * i + 1] + shift
            h = h + self.outer[i](nn.functional.silu(self.inner[i](inside)))
        return self.last(nn.functional.silu(h))
