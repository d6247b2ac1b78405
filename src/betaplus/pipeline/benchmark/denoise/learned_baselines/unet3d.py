"""`unet3d`: a residual 3-D U-Net that learns the clean image by its mean error."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from betaplus.generative.unet import UNet, UNetSize
from betaplus.pipeline.benchmark.denoise.learned_baselines.units import CONTEXT, to_units

__all__ = ["Norm", "ResidualNetwork", "unet3d_loss"]

Norm = Literal["L1", "L2"]
"""Of the error: mean absolute, or mean square."""


class ResidualNetwork(nn.Module):
    """Noisy image to the clean one: y + F(y, dose), the identity before training.

    Args:
        widths: Channels of the U-Net's levels.
        blocks: Its residual blocks of a level.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.size = UNetSize(dimensions=3, widths=widths, blocks=blocks, context=CONTEXT)
        self.network = UNet(self.size)

    def forward(self, units: Tensor, told: Tensor) -> Tensor:
        """Return the clean image, shape (B, 1, X, Y, Z), float32.

        Args:
            units: The noisy one, likewise (`units.to_units`).
            told: Shape (B, 1).
        """
        return units + self.network(units, units.new_zeros(len(units)), told)


def unet3d_loss(network: ResidualNetwork, batch: dict[str, Tensor], norm: Norm) -> Tensor:
    """Return the mean error of a batch.

    Args:
        network: The network.
        batch: Of `PairBatches`.
        norm: Of the error.
    """
    error = network(to_units(batch["noisy"]), batch["told"]) - to_units(batch["clean"])
    return error.abs().mean() if norm == "L1" else error.square().mean()
