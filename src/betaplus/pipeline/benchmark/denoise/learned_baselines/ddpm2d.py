"""`ddpm2d`: a conditional diffusion model of axial slices.

The network sees a slice with noise added and, beside it, the low-count slice. What is diffused is
the correction, clean minus low-count: for a known low-count slice the same as the clean slice, but
the network starts from the low-count one. It is preconditioned as by EDM (Karras et al., NeurIPS
2022), of whose variable DDPM's is a multiple.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from betaplus.generative.image_denoiser import ImageDenoiser, NoiseLevels, denoising_loss
from betaplus.generative.unet import UNetSize
from betaplus.pipeline.benchmark.denoise.learned_baselines.units import CONTEXT, to_units

__all__ = ["LEVELS", "SliceModel", "ddpm2d_loss"]

LEVELS = NoiseLevels(low=0.02, high=40.0, mean=-0.8, sd=1.4, uniform=0.2)
"""Noise levels that are trained, and drawn from, in units of the networks."""

_SD = 1.0  # of corrections: .4 at 1/4 of the counts, 1 at 1/20, 2 at 1/100


class SliceModel(nn.Module):
    """(correction + sigma noise, sigma, low-count slice, dose) to E[correction | ...].

    Args:
        widths: Channels of the U-Net's levels.
        blocks: Its residual blocks of a level.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.size = UNetSize(
            dimensions=2, widths=widths, blocks=blocks, channels=2, context=CONTEXT
        )
        self.denoiser = ImageDenoiser(self.size, _SD)

    def forward(self, z: Tensor, sigma: Tensor, units: Tensor, told: Tensor) -> Tensor:
        """Return the estimate of the correction, shape (B, 1, X, Y), float32.

        Args:
            z: The correction with noise, likewise.
            sigma: The level of that noise, shape () or (B,).
            units: Low-count slices, shape of z (`units.to_units`).
            told: Shape (B, 1).
        """
        found: Tensor = self.denoiser(z, sigma, units, told)
        return found


def ddpm2d_loss(model: SliceModel, batch: dict[str, Tensor], generator: Generator) -> Tensor:
    """Return the loss of denoising, with EDM's weights, of all slices of a batch.

    Args:
        model: The network.
        batch: Of `PairBatches`: slabs.
        generator: Draws levels and noise, on the CPU.
    """
    noisy, clean = (_slices(to_units(batch[name])) for name in ("noisy", "clean"))
    told = batch["told"].repeat_interleave(batch["noisy"].shape[-1], 0)
    sigma = LEVELS.draw(len(clean), generator).to(clean.device)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    return denoising_loss(model.denoiser, clean - noisy, sigma, noise, noisy, told)


def _slices(volumes: Tensor) -> Tensor:
    """Return axial slices (B * Z, 1, X, Y) of volumes (B, 1, X, Y, Z)."""
    return volumes.movedim(-1, 1).flatten(0, 1)
