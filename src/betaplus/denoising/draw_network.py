"""The network of draws: what the mean leaves open.

Given a noisy image, z = m + r, with m the mean of z, which a network that is trained for it alone
says and this one cannot spoil, and r of mean 0 and an SD of a third of that of z. A U-Net that sees
r + sigma noise, m and what the network of the mean sees learns only r, with EDM's preconditioning
(Karras et al., NeurIPS 2022) for data of the SD of r:
D = m + c_skip (z_sigma - m) + c_out F. Where noise hides r, D is m, and so it is before training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from betaplus.denoising.inputs import CHANNELS, CONTEXT, Shown
from betaplus.denoising.network import CorrectionNetwork
from betaplus.generative.unet import UNet, UNetSize

__all__ = ["LEVELS", "SPREAD", "DrawNetwork"]

LEVELS = (0.02, 20.0)
"""Range of noise levels of draws, in units of the noise of the image."""
SPREAD = 0.48
"""Standard deviation of r: 0.52 at 1/4 of the counts to 0.45 at 1/50, on boxes of bodies that the
mean was not trained on."""


class DrawNetwork(nn.Module):
    """(z + sigma noise, sigma, what is shown) to E[z | ...].

    Args:
        widths: Channels of the levels of both U-Nets.
        blocks: Their residual blocks.

    Attributes:
        center: The network of the mean, which does not learn.
        network: The U-Net of r.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.center = CorrectionNetwork(widths, blocks).requires_grad_(False)
        self.size = UNetSize(
            dimensions=3,
            widths=widths,
            blocks=blocks,
            channels=2 + CHANNELS,
            outputs=1,
            context=CONTEXT,
            normed=True,
        )
        self.network = UNet(self.size)

    def forward(self, z: Tensor, sigma: Tensor, shown: Shown, told: Tensor) -> Tensor:
        """Return the estimate of z, shape (B, 1, X, Y, Z), float32.

        Args:
            z: With noise, shape (B, 1, X, Y, Z).
            sigma: Its level, shape (B,).
            shown: Of the noisy image; where it has no mean it is computed.
            told: Of the dose and the voxels, shape (B, 5).
        """
        mean = self.mean(shown, told) if shown.mean is None else shown.mean
        spread = sigma.reshape(-1, 1, 1, 1, 1)
        total = (spread**2 + SPREAD**2).sqrt()
        apart = z - mean
        seen = torch.cat([apart / total, mean, shown.images], 1)
        field = self.network(seen, sigma.log() / 4, told)
        return mean + (SPREAD / total) ** 2 * apart + spread * SPREAD / total * field

    @torch.no_grad()
    def mean(self, shown: Shown, told: Tensor) -> Tensor:
        """Return m, shape (B, 1, X, Y, Z), without gradients."""
        return self.center.mean(shown, told)
