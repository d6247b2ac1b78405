"""The network: from a noisy image to its correction, the mean or draws.

The correction z = (clean - noisy) / n, with n the SD of the noise, is linear in the SUV: its mean
given the noisy image leads to the mean of the clean one, no logarithm bends it, and nothing is
clipped. Noise is not drawn voxel by voxel but put together: the network says, place by place, how
much of each step of a path from the image to a smooth one is gone, and adds what no step holds,
F = f_0 + w sum_k f_k e_k, with e_k the steps over n (`betaplus.denoising.inputs`) and f_k from 0 to
1. Before training f_k falls from step to step, and where a step is larger than noise would make it:
the network is a non-local means filter. EDM's preconditioning (Karras et al., NeurIPS 2022) makes
it a denoiser of z + sigma noise, w = sigma^2 / (sigma^2 + SD^2) leaves steps to where z itself says
little; at the level `DIRECT` it is shown no z and asked for the mean.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from betaplus.denoising.inputs import BASIS, CHANNELS, CONTEXT, Shown
from betaplus.generative.unet import UNet, UNetSize

__all__ = ["DIRECT", "LEVELS", "SD", "CorrectionNetwork"]

DIRECT = 80.0
"""Noise level at which the network is asked for the mean."""
LEVELS = (0.02, 20.0)
"""Range of noise levels of draws, in units of the noise of the image."""
SD = 0.7
"""Standard deviation of z."""

_GAIN = 2.0
_LIKELY = 4.0  # steps in units of the noise: larger ones are refused before training
_REFUSED = 16.0
_FIRST = (3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0)  # logits before training


class CorrectionNetwork(nn.Module):
    """(z + sigma noise, sigma, what is shown) to E[z | ...].

    Args:
        widths: Channels of the levels of the U-Net.
        blocks: Its residual blocks.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.size = UNetSize(
            dimensions=3,
            widths=widths,
            blocks=blocks,
            channels=1 + CHANNELS,
            outputs=1 + BASIS,
            context=CONTEXT,
            normed=True,
        )
        self.network = UNet(self.size)

    def forward(self, z: Tensor, sigma: Tensor, shown: Shown, told: Tensor) -> Tensor:
        """Return the estimate of z, shape (B, 1, X, Y, Z), float32.

        Args:
            z: With noise, shape (B, 1, X, Y, Z).
            sigma: Its level, shape (B,).
            shown: Of the noisy image.
            told: Of the dose, shape (B, 2).
        """
        spread = sigma.reshape(-1, 1, 1, 1, 1)
        total = (spread**2 + SD**2).sqrt()
        out = self.network(torch.cat([z / total, shown.images], 1), sigma.log() / 4, told)
        first = out.new_tensor(_FIRST).reshape(1, -1, 1, 1, 1)
        likely = first - (shown.basis / _LIKELY).square().clamp(max=_REFUSED)
        taken = (_GAIN * out[:, 1:] + likely).sigmoid() / SD
        field = out[:, :1] + (spread / total) ** 2 * (taken * shown.basis).sum(1, keepdim=True)
        return (SD / total) ** 2 * z + spread * SD / total * field

    def mean(self, shown: Shown, told: Tensor) -> Tensor:
        """Return E[z | noisy image], shape (B, 1, X, Y, Z)."""
        like = shown.images
        empty = like.new_zeros(len(like), 1, *like.shape[2:])
        return self(empty, like.new_full((len(like),), DIRECT), shown, told)
