"""Denoisers and consistency functions made of a vector field, for data of unit variance.

Both are exact for N(0, I) when the field is 0: the denoiser is then x / (1 + sigma^2), as EDM's
preconditioning has it (Karras et al., NeurIPS 2022), and the consistency function, the end of the
probability-flow ODE, is x / sqrt(1 + sigma^2). A network has to learn only what is not Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Denoised", "consistency_function", "denoise", "ode_step"]

Denoised = Callable[[Tensor, Tensor], Tensor]
"""(x, sigma) to an estimate of x without noise; sigma has the shape of x but for its last axis."""

_Field = Callable[[Tensor, Tensor], Tensor]


def denoise(field: _Field, x: Tensor, sigma: Tensor) -> Tensor:
    """Return E[clean | x] for x = clean + sigma noise.

    Args:
        field: F(x / sqrt(1 + sigma^2), ln(sigma) / 4).
        x: Shape (B, S, D).
        sigma: Broadcast to (B, S).
    """
    size = (1.0 + sigma * sigma).sqrt()[..., None]
    return x / size**2 + sigma[..., None] / size * field(x / size, sigma.log() / 4)


def consistency_function(field: _Field, x: Tensor, sigma: Tensor, sigma_min: float) -> Tensor:
    """Return where the probability-flow ODE through (x, sigma) ends, at `sigma_min`.

    At `sigma_min` it is x to within sigma_min^2 / 2, whatever the field.

    Args:
        field: F(x / sqrt(1 + sigma^2), ln(sigma) / 4).
        x: Shape (B, S, D).
        sigma: Broadcast to (B, S).
        sigma_min: Smallest noise level.
    """
    size = (1.0 + sigma * sigma).sqrt()
    share = ((sigma - sigma_min) / size)[..., None]
    return x / size[..., None] + share * field(x / size[..., None], sigma.log() / 4)


def ode_step(denoised: Denoised, x: Tensor, sigma: Tensor, lower: Tensor) -> Tensor:
    """Return one Heun step of the probability-flow ODE dx/dsigma = (x - D) / sigma.

    The Gaussian part of the flow, x / sqrt(1 + sigma^2) constant, is followed exactly: the step is
    Heun's in y = x / sqrt(1 + sigma^2) and s = arctan(sigma), of which dy/ds is bounded.

    Args:
        denoised: The denoiser.
        x: Shape (B, S, D).
        sigma: Noise levels now, broadcast to (B, S).
        lower: Noise levels after.
    """
    start, end = (1.0 + sigma * sigma).sqrt(), (1.0 + lower * lower).sqrt()
    step = (torch.atan(lower) - torch.atan(sigma))[..., None]

    def slope(y: Tensor, level: Tensor, size: Tensor) -> Tensor:
        # d(x / size) / d arctan(sigma) = size (x - D) / sigma - sigma x / size
        here = y * size[..., None]
        s = level[..., None]
        return size[..., None] * (here - denoised(here, level)) / s - s * y

    y = x / start[..., None]
    first = slope(y, sigma, start)
    second = slope(y + step * first, lower, end)
    return (y + 0.5 * step * (first + second)) * end[..., None]
