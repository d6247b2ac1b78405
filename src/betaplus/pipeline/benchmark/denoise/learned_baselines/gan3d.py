"""`gan3d`: the U-Net of `unet3d` against a discriminator of patches.

As pix2pix (Isola et al., CVPR 2017), in 3-D as for PET by Wang et al. (NeuroImage 174, 550, 2018):
the discriminator sees the noisy image beside the clean or the denoised one and judges patches, the
generator has the adversarial loss and `ERROR_WEIGHT` times the mean square error. The adversarial
loss is that of least squares (Mao et al., ICCV 2017).

Theirs is the absolute error. With it neither this network nor `unet3d` left the identity (0 dB in
180 steps, where the square error gained 3.7): what is outside the body, most of a part and nearly
right as it is, counts as much as what is inside.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from betaplus.pipeline.benchmark.denoise.learned_baselines.unet3d import ResidualNetwork
from betaplus.pipeline.benchmark.denoise.learned_baselines.units import to_units

__all__ = ["DISCRIMINATOR_WEIGHT", "ERROR_WEIGHT", "Gan", "gan3d_loss"]

ERROR_WEIGHT = 100.0
"""Of the error beside the adversarial loss, as in pix2pix."""

DISCRIMINATOR_WEIGHT = 0.005
"""Of its loss: Adam does not see it, but the bound that the two gradients have in common does."""

_SLOPE = 0.2


class Gan(nn.Module):
    """Generator and discriminator; called, it is the generator.

    Args:
        widths: Channels of the U-Net's levels.
        blocks: Its residual blocks of a level.
        patch: Channels of the discriminator's layers, each of which halves the image.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int, patch: tuple[int, ...]) -> None:
        super().__init__()
        self.generator = ResidualNetwork(widths, blocks)
        self.size = self.generator.size
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((2, *patch)):
            layers += [nn.Conv3d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(_SLOPE)]
        self.discriminator = nn.Sequential(*layers, nn.Conv3d(patch[-1], 1, 3, padding=1))

    def forward(self, units: Tensor, told: Tensor) -> Tensor:
        """Return the clean image, shape (B, 1, X, Y, Z), float32; see `ResidualNetwork`."""
        return self.generator(units, told)


def gan3d_loss(gan: Gan, batch: dict[str, Tensor]) -> Tensor:
    """Return the losses of generator and discriminator in one, each with its own gradient.

    The generator sees the discriminator with its weights held, the discriminator sees the denoised
    image without what made it; both are updated in the same step.

    Args:
        gan: The two.
        batch: Of `PairBatches`.
    """
    noisy, clean = to_units(batch["noisy"]), to_units(batch["clean"])
    made = gan(noisy, batch["told"])
    held = {name: weights.detach() for name, weights in gan.discriminator.named_parameters()}
    fooled = torch.func.functional_call(gan.discriminator, held, (torch.cat([noisy, made], 1),))
    adversarial = (fooled.float() - 1.0).square().mean()
    generator = (made - clean).square().mean() + adversarial / ERROR_WEIGHT
    pairs = torch.cat([torch.cat([noisy, x], 1) for x in (clean, made.detach())])
    real, false = gan.discriminator(pairs).float().chunk(2)
    return generator + DISCRIMINATOR_WEIGHT * ((real - 1.0).square().mean() + false.square().mean())
