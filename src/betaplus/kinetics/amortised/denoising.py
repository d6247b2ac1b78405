"""The denoiser network as the samplers want it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from betaplus.core.seeds import generator
from betaplus.generative.conditional import ConditionalField
from betaplus.generative.denoiser import Denoised, denoise
from betaplus.kinetics.amortised.condition import Condition
from betaplus.kinetics.amortised.networks import condition_tensors
from betaplus.kinetics.exact.density import PLACES

__all__ = ["denoiser_of", "normal_steps"]


@torch.no_grad()
def denoiser_of(field: ConditionalField, condition: Condition) -> tuple[Denoised, Tensor]:
    """Return the denoiser of some curves, and which places are free, shape (n, 1, 6)."""
    tensors = condition_tensors(condition, "cpu")
    told, there = field.condition(*tensors), tensors[3][:, None]

    @torch.no_grad()
    def denoised(x: Tensor, sigma: Tensor) -> Tensor:
        return denoise(lambda u, c: field(u, c, told) * there, x, sigma)

    return denoised, there


def normal_steps(
    seed: int, items: np.ndarray, draw: int, steps: int | None, count: int, there: Tensor
) -> Iterator[Tensor]:
    """Yield standard normal (n, count, 6), each item from a generator of its own.

    Args:
        seed: Seed of the run.
        items: Indices of the curves.
        draw: Which stream.
        steps: How many; None for no end.
        count: Draws per curve.
        there: 1 where a place is free, shape (n, 1, 6).
    """
    streams = [generator(seed, int(item), draw) for item in items]
    done = 0
    while steps is None or done < steps:
        shape = (count, len(PLACES))
        parts = [stream.standard_normal(shape, dtype=np.float32) for stream in streams]
        yield torch.from_numpy(np.stack(parts)) * there
        done += 1
