"""The network of the mean: from a noisy image to the mean of its correction.

The correction z = (clean - noisy) / n, with n the SD of the noise, is linear in the SUV: its mean
given the noisy image leads to the mean of the clean one, no logarithm bends it, and nothing is
clipped. Noise is not drawn voxel by voxel but put together: the network says, place by place, how
much of each step of a path from the image to a smooth one is gone, and adds what no step holds,
f_0 + sum_k f_k e_k, with e_k the steps over n (`betaplus.denoising.inputs`) and f_k from 0 to 1.
Before training f_k falls from step to step, and where a step is larger than noise would make it:
the network is a non-local means filter.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from betaplus.denoising.inputs import BASIS, CHANNELS, CONTEXT, Shown
from betaplus.generative.unet import UNet, UNetSize

__all__ = ["SD", "CorrectionNetwork"]

SD = 0.7
"""Standard deviation of z, in units of which f_0 is learned."""

_TOLD = math.log(80.0) / 4  # in place of a level of noise, and an empty image in that of z with it
_GAIN = 2.0
_LIKELY = 4.0  # steps in units of the noise: larger ones are refused before training
_REFUSED = 16.0
_FIRST = (3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0)  # logits before training


class CorrectionNetwork(nn.Module):
    """What is shown to E[z | what is shown].

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

    def forward(self, shown: Shown, told: Tensor) -> Tensor:
        """Return the mean of z, shape (B, 1, X, Y, Z), float32.

        Args:
            shown: Of the noisy image.
            told: Of the dose and the voxels, shape (B, 5).
        """
        like = shown.images
        empty = like.new_zeros(len(like), 1, *like.shape[2:])
        level = like.new_full((len(like),), _TOLD)
        out = self.network(torch.cat([empty, like], 1), level, told)
        first = out.new_tensor(_FIRST).reshape(1, -1, 1, 1, 1)
        likely = first - (shown.basis / _LIKELY).square().clamp(max=_REFUSED)
        taken = (_GAIN * out[:, 1:] + likely).sigmoid()
        return SD * out[:, :1] + (taken * shown.basis).sum(1, keepdim=True)

    def mean(self, shown: Shown, told: Tensor) -> Tensor:
        """Return the same."""
        found: Tensor = self(shown, told)
        return found
