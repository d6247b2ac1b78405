"""The published network: a 1-D U-Net on the vector of five parameters, and what it parametrises.

PET-TRACER (Zhao et al., arXiv 2509.13614): a linear layer lifts five numbers to 28, convolutions of
stride 2 with 32, 64, 128 and 256 channels go down, mirrored ones with skips go up. An embedding of
1024 numbers, a linear layer of the 35 + 35 values of the curve and the input function plus Fourier
features of the noise level, is added at every level through a linear projection.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from betaplus.generative.schedules import karras_levels

__all__ = ["LEVELS", "PARAMETERS", "PASSES", "T_MIN", "PublishedNetwork", "draw"]

PARAMETERS = ("K1", "k2", "k3", "k4", "VB")
"""Order of the vector."""

T_MIN, T_MAX = 0.002, 1.0
LEVELS = tuple(karras_levels(15, T_MIN, T_MAX, 7.0).flip(0).tolist())
"""Noise levels of training, rising; unlike other methods' their largest is only the data's SD."""

PASSES = (1.0, 2 / 3, 1 / 3)
"""Noise levels of sampling."""

_FRAMES, _LIFTED, _WIDTH = 35, 28, 1024
_CHANNELS = (32, 64, 128, 256)
_GROUPS = 4
_SLOWEST, _FASTEST = 1 / 8, 8.0  # Fourier features: cycles per unit of noise level


class _Stage(nn.Module):
    """A convolution, the embedding added, normalisation and SiLU."""

    def __init__(self, convolution: nn.Conv1d | nn.ConvTranspose1d, channels: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.project = nn.Linear(_WIDTH, channels)
        self.norm = nn.GroupNorm(_GROUPS, channels)

    def forward(self, h: Tensor, embedding: Tensor, *size: list[int]) -> Tensor:
        h = self.convolution(h, *size) + self.project(embedding)[:, :, None]
        return nn.functional.silu(self.norm(h))


class PublishedNetwork(nn.Module):
    """A consistency function of five standardised parameters, the noise level and the curves.

    f(x, t) = c_skip x + c_out F(x, t), with c_skip = 1 / ((t - t_min)^2 + 1) and
    c_out = (t - t_min) / sqrt(t^2 + 1) (Song et al., ICML 2023, with a data SD of 1), so that
    f(x, t_min) = x.
    """

    def __init__(self) -> None:
        super().__init__()
        octaves = torch.linspace(math.log2(_SLOWEST), math.log2(_FASTEST), _WIDTH // 2)
        self.frequencies = nn.Buffer(2 * math.pi * torch.exp2(octaves), persistent=False)
        self.of_noise = nn.Linear(_WIDTH, _WIDTH)
        self.of_curves = nn.Linear(2 * _FRAMES, _WIDTH)
        self.lift = nn.Linear(len(PARAMETERS), _LIFTED)
        first = (1, *_CHANNELS[:-1])
        self.down = nn.ModuleList(
            _Stage(nn.Conv1d(a, b, 3, stride=2, padding=1, bias=False), b)
            for a, b in zip(first, _CHANNELS, strict=True)
        )
        up = []
        for level in range(len(_CHANNELS) - 1, 0, -1):
            inward = _CHANNELS[level] * (1 if level == len(_CHANNELS) - 1 else 2)
            outward = _CHANNELS[level - 1]
            up.append(_Stage(_mirrored(inward, outward), outward))
        self.up = nn.ModuleList(up)
        self.last = _mirrored(2 * _CHANNELS[0], 1)
        self.lower = nn.Linear(_LIFTED, len(PARAMETERS))

    def embed_noise(self, t: Tensor) -> Tensor:
        """Return the noise level's part of the embedding, (B, 1024), of levels (B,)."""
        angles = t[:, None] * self.frequencies
        return nn.functional.silu(self.of_noise(torch.cat([angles.sin(), angles.cos()], -1)))

    def embed_curves(self, curves: Tensor) -> Tensor:
        """Return the curves' part of the embedding, (B, 1024), of [TAC, AIF], (B, 70)."""
        return nn.functional.silu(self.of_curves(curves))

    def forward(self, x: Tensor, t: Tensor, embedding: Tensor) -> Tensor:
        """Return f(x, t), shape (B, 5).

        Args:
            x: Standardised parameters with noise, shape (B, 5).
            t: Noise levels, shape (B,) or, shared by all, (1,).
            embedding: Sum of the embeddings of the noise level and the curves, (B, 1024) or
                (1, 1024).
        """
        time = t[:, None]
        skip = 1.0 / ((time - T_MIN) ** 2 + 1.0)
        out = (time - T_MIN) / (time * time + 1.0).sqrt()
        return skip * x + out * self._field(x, embedding)

    def _field(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.lift(x)[:, None]
        lengths, kept = [], []
        for stage in self.down:
            lengths.append(h.shape[-1])
            h = stage(h, embedding)
            kept.append(h)
        kept.pop()  # the deepest level is where the way up begins, no skip
        for stage in self.up:
            h = stage(h, embedding, [lengths.pop()])
            h = torch.cat([h, kept.pop()], 1)
        return self.lower(self.last(h, output_size=[lengths.pop()])[:, 0])


def _mirrored(inward: int, outward: int) -> nn.ConvTranspose1d:
    return nn.ConvTranspose1d(inward, outward, 3, stride=2, padding=1, bias=False)


def draw(network: PublishedNetwork, curves: Tensor, noise: Tensor, *, shared: bool) -> Tensor:
    """Return draws of the standardised parameters of one curve, shape (S, 5).

    Args:
        network: The network.
        curves: [TAC, AIF] over the scale, shape (70,).
        noise: Standard normal, shape (passes, S, 5).
        shared: Whether draws share one embedding of the curves; otherwise it is computed for each
            draw in each pass, as published.
    """
    n = noise.shape[1]
    rows = curves.expand(1 if shared else n, -1)
    x = torch.zeros_like(noise[0])
    for step, (level, z) in enumerate(zip(PASSES, noise, strict=True)):
        size = level if step == 0 else math.sqrt(level * level - T_MIN * T_MIN)
        t = torch.full((len(rows),), level)
        x = network(x + size * z, t, network.embed_noise(t) + network.embed_curves(rows))
    return x
