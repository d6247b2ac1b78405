"""What the denoiser minimises.

The mean of z given the noisy image: its squared error counts relative to the noise of the item, so
that little noise is learned as well as much: half of it in units of the noise, half in SUV, where
hot organs weigh. Draws: the loss of diffusion models for r = z - m. An item whose noise was
underestimated does not count for more; how much it was is told by m, which is known from what is
shown, as weights taken from r would favour draws that spread less than r does.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from betaplus.denoising.draw_network import SPREAD, DrawNetwork
from betaplus.denoising.inputs import Shown
from betaplus.denoising.network import CorrectionNetwork
from betaplus.generative.image_denoiser import NoiseLevels

__all__ = ["correction_loss", "draw_loss"]

_LEAST = 0.2  # of z^2: where less was found than measured, little is to be won
_USUAL = 2.0  # of m^2: an item with more counts for less
_AXES = (1, 2, 3, 4)


def correction_loss(network: CorrectionNetwork, batch: dict[str, Tensor]) -> Tensor:
    """Return the loss of the mean of a batch.

    Args:
        network: That of the mean.
        batch: ``z``; ``images`` and ``basis``, what is shown; ``told``; ``sd``, n over its root
            mean square in the item.
    """
    z, hot = batch["z"], batch["sd"].square()
    shown = Shown(images=batch["images"], basis=batch["basis"])
    square = (network.mean(shown, batch["told"]) - z).square()
    error = square.mean(_AXES) / z.square().mean(_AXES).clamp_min(_LEAST)
    in_suv = (hot * square).mean(_AXES) / (hot * z.square()).mean(_AXES).clamp_min(_LEAST)
    return 0.5 * (error + in_suv).mean()


def draw_loss(
    network: DrawNetwork, batch: dict[str, Tensor], levels: NoiseLevels, generator: Generator
) -> Tensor:
    """Return the loss of draws of a batch.

    Args:
        network: That of draws.
        batch: ``z``; ``images`` and ``basis``, what is shown; ``told``.
        levels: Noise levels.
        generator: On the CPU.
    """
    z = batch["z"]
    sigma = levels.draw(len(z), generator).to(z.device)
    noise = torch.randn(z.shape, generator=generator).to(z.device)
    seen, told = Shown(images=batch["images"], basis=batch["basis"]), batch["told"]
    mean = network.mean(seen, told)
    shown = Shown(images=seen.images, basis=seen.basis, mean=mean)
    found = network(z + sigma.reshape(-1, 1, 1, 1, 1) * noise, sigma, shown, told)
    error = (found - z).square().mean(_AXES)
    weight = (sigma**2 + SPREAD**2) / (sigma * SPREAD) ** 2
    return (weight * (_USUAL / mean.square().mean(_AXES)).clamp(max=1.0) * error).mean()
