"""A U-Net as a denoiser of images: EDM's preconditioning and loss (Karras et al., NeurIPS 2022).

``x = clean + sigma * noise`` gives D(x) = c_skip x + c_out F(c_in x, ln(sigma) / 4), where F has
about unit variance at every noise level if the data have the standard deviation `sd`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from betaplus.generative.unet import UNet, UNetSize

__all__ = ["ImageDenoiser", "NoiseLevels", "denoising_loss"]


@dataclass(frozen=True, kw_only=True)
class NoiseLevels:
    """The noise levels that are trained: mostly a log-normal, some log-uniform over all.

    Attributes:
        low: Smallest level.
        high: Largest level.
        mean: Of ln sigma.
        sd: Of ln sigma.
        uniform: Share that is log-uniform between `low` and `high`.
    """

    low: float = 0.005
    high: float = 80.0
    mean: float = -1.0
    sd: float = 1.2
    uniform: float = 0.2

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Draw levels, shape (n,)."""
        normal = self.mean + self.sd * torch.randn(n, generator=generator)
        low, high = math.log(self.low), math.log(self.high)
        flat = low + (high - low) * torch.rand(n, generator=generator)
        chosen = torch.rand(n, generator=generator) < self.uniform
        return torch.where(chosen, flat, normal.clamp(low, high)).exp()


class ImageDenoiser(nn.Module):
    """(x, sigma) to E[clean | x], for images that may come with others and with known numbers.

    Args:
        size: Of the network; its channels are the noisy images first, then those beside them.
        sd: Standard deviation of the data, in the unit of the images.
    """

    def __init__(self, size: UNetSize, sd: float) -> None:
        super().__init__()
        self.size, self.sd = size, float(sd)
        self.network = UNet(size)

    def forward(
        self,
        x: Tensor,
        sigma: Tensor | float,
        beside: Tensor | None = None,
        context: Tensor | None = None,
    ) -> Tensor:
        """Return the estimate of the clean images, float32.

        Args:
            x: Noisy images, shape (B, outputs, X, Y[, Z]).
            sigma: Noise level: a number, 0-d, or shape (B, ...) of one element an item.
            beside: Other images of the same item, shape (B, channels - outputs, X, Y[, Z]), in
                units of order 1.
            context: Shape (B, context).
        """
        level = torch.as_tensor(sigma, dtype=torch.float32, device=x.device).reshape(-1)
        level = level.expand(len(x))
        spread = level[(..., *[None] * (x.ndim - 1))]
        total = (spread**2 + self.sd**2).sqrt()
        inputs = x / total
        if beside is not None:
            inputs = torch.cat([inputs, beside.to(inputs.dtype)], 1)
        field = self.network(inputs, level.log() / 4, context)
        return (self.sd / total) ** 2 * x + spread * self.sd / total * field


def denoising_loss(
    denoiser: ImageDenoiser,
    clean: Tensor,
    sigma: Tensor,
    noise: Tensor,
    beside: Tensor | None = None,
    context: Tensor | None = None,
) -> Tensor:
    """Return the mean squared error at each level in units of what is left to learn there.

    The weight (sigma^2 + sd^2) / (sigma sd)^2 makes it the error of F.

    Args:
        denoiser: The denoiser.
        clean: Shape (B, outputs, X, Y[, Z]).
        sigma: Shape (B,).
        noise: Standard normal, shape of `clean`.
        beside: As for the denoiser.
        context: Likewise.
    """
    spread = sigma[(..., *[None] * (clean.ndim - 1))]
    estimate = denoiser(clean + spread * noise, sigma, beside, context)
    weight = (spread**2 + denoiser.sd**2) / (spread * denoiser.sd) ** 2
    return (weight * (estimate - clean) ** 2).mean()
