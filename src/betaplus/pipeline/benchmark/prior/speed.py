"""Training steps a second of a prior's network, in single precision and in bfloat16."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from betaplus.generative.image_prior import ImagePrior

__all__ = ["steps_per_second"]


def steps_per_second(prior: ImagePrior, batch: int, bf16: bool, steps: int = 5) -> float:
    """Return training steps a second, forward, backward and update, the first one not counted.

    Args:
        prior: Whose network.
        batch: Slices or patches of a step.
        bf16: Whether in bfloat16.
        steps: Steps that are timed.
    """
    import torch

    from betaplus.generative.image_denoiser import ImageDenoiser, denoising_loss

    denoiser = ImageDenoiser(prior.denoiser.size, prior.denoiser.sd, prior.denoiser.reach)
    optimizer = torch.optim.AdamW(denoiser.parameters(), 1e-4)
    generator = torch.Generator().manual_seed(0)
    shape = (batch, prior.denoiser.size.outputs, *[prior.edge] * prior.dimensions)
    clean, noise = (torch.randn(shape, generator=generator) for _ in range(2))
    began = 0.0
    for step in range(steps + 1):
        if step == 1:
            began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = denoising_loss(denoiser, clean, torch.full((batch,), 0.3), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return steps / (time.perf_counter() - began)
