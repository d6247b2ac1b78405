"""What the denoiser minimises.

A part of the items trains the mean of z given the noisy image: the network is shown no z, and its
squared error counts relative to the noise of the item, so that little noise is learned as well as
much: half of it in units of the noise, half in SUV, where hot organs weigh. The others train draws
of z given the noisy image, by the loss of diffusion models; an item whose noise was underestimated
does not count for more.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from betaplus.denoising.inputs import Shown
from betaplus.denoising.network import DIRECT, SD, CorrectionNetwork
from betaplus.generative.image_denoiser import NoiseLevels

__all__ = ["correction_loss"]

_LEAST = 0.2  # of z^2: where less was found than measured, little is to be won


def correction_loss(
    network: CorrectionNetwork,
    batch: dict[str, Tensor],
    share: float,
    levels: NoiseLevels,
    generator: Generator,
) -> Tensor:
    """Return the loss of a batch.

    Args:
        network: The denoiser of z.
        batch: ``z``; ``images`` and ``basis``, what is shown; ``told``; ``sd``, n over its root
            mean square in the item.
        share: Of items that train the mean.
        levels: Noise levels of the others.
        generator: On the CPU.
    """
    z, n, axes = batch["z"], len(batch["z"]), (1, 2, 3, 4)
    means = torch.rand(n, generator=generator) < share
    sigma = torch.where(means, torch.tensor(DIRECT), levels.draw(n, generator)).to(z.device)
    noise = torch.randn(z.shape, generator=generator).to(z.device)
    means = means.to(z.device)
    spread = sigma.reshape(-1, 1, 1, 1, 1)
    seen = torch.where(means.reshape(-1, 1, 1, 1, 1), torch.zeros_like(z), z + spread * noise)
    shown = Shown(images=batch["images"], basis=batch["basis"])
    square = (network(seen, sigma, shown, batch["told"]) - z).square()
    error, size = square.mean(axes), z.square().mean(axes).clamp_min(_LEAST)
    usual = (sigma**2 + SD**2) / (sigma * SD) ** 2 * (SD**2 / size).clamp(max=1.0)
    hot = batch["sd"].square()
    in_suv = (hot * square).mean(axes) / (hot * z.square()).mean(axes).clamp_min(_LEAST)
    direct = 0.5 * (error / size + in_suv)
    return torch.where(means, direct, usual * error).mean()
