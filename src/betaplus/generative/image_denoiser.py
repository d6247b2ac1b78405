"""A U-Net as a denoiser of images: EDM's preconditioning and loss (Karras et al., NeurIPS 2022).

``x = clean + sigma * noise`` gives D(x) = c_skip x + c_out F(c_in x, ln(sigma) / 4), where F has
about unit variance at every noise level if the data have the standard deviation `sd`.

A bladder of 60 SUV beside fat of 0.3 have no standard deviation in common. With a `reach` the
standard deviation is local, sqrt(sd^2 + m^2) with m the mean of x around a voxel, and F sees its
logarithm beside x. D stays a function of x and sigma, and the weights of the loss too, so that what
minimises it is still the mean of the clean image given x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

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
        size: Of the network; its channels are the noisy images first, then those beside them, then,
            with a reach, one more for the local level.
        sd: Standard deviation of the data, in the unit of the images.
        reach: Edge of the cube over which the local mean is taken, twice in a row [voxels]; 0
            takes `sd` everywhere.
    """

    def __init__(self, size: UNetSize, sd: float, reach: int = 0) -> None:
        super().__init__()
        self.size, self.sd, self.reach = size, float(sd), reach
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
        spread, local = level[(..., *[None] * (x.ndim - 1))], self.local_sd(x)
        total = (spread**2 + local**2).sqrt()
        inputs = [x / total]
        if beside is not None:
            inputs.append(beside.to(x.dtype))
        if self.reach:
            inputs.append((local / self.sd).log())
        field = self.network(torch.cat(inputs, 1), level.log() / 4, context)
        return (local / total) ** 2 * x + spread * local / total * field

    def local_sd(self, x: Tensor) -> Tensor:
        """Return the standard deviation that is expected around each voxel, of a shape like x."""
        if not self.reach:
            return x.new_tensor(self.sd)
        mean = functional.avg_pool2d if x.ndim == 4 else functional.avg_pool3d
        around = x
        for _ in range(2):
            around = mean(around, self.reach, 1, self.reach // 2, count_include_pad=False)
        return (around.square() + self.sd**2).sqrt()


def denoising_loss(
    denoiser: ImageDenoiser,
    clean: Tensor,
    sigma: Tensor,
    noise: Tensor,
    beside: Tensor | None = None,
    context: Tensor | None = None,
) -> Tensor:
    """Return the mean squared error at each level in units of what is left to learn there.

    The weight (sigma^2 + sd^2) / (sigma sd)^2, with the local sd, makes it the error of F.

    Args:
        denoiser: The denoiser.
        clean: Shape (B, outputs, X, Y[, Z]).
        sigma: Shape (B,).
        noise: Standard normal, shape of `clean`.
        beside: As for the denoiser.
        context: Likewise.
    """
    spread = sigma[(..., *[None] * (clean.ndim - 1))]
    noisy = clean + spread * noise
    estimate = denoiser(noisy, sigma, beside, context)
    local = denoiser.local_sd(noisy)
    weight = (spread**2 + local**2) / (spread * local) ** 2
    return (weight * (estimate - clean) ** 2).mean()
