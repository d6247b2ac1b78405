"""The contract of denoisers, and those made of a vector field, for data of unit variance.

A denoiser is a function of x and the noise level sigma, x = clean + sigma noise, that returns an
estimate of the clean data; x - denoised = sigma noise and score = (denoised - x) / sigma^2 say the
same in other words. It holds for vectors (B, S, D), for images (B, C, X, Y) and for volumes
(B, C, X, Y, Z); samplers ask for nothing else, and wrappers (tiles, slices, data) keep it.

Denoiser and consistency function of a field are exact for N(0, I) when the field is 0: the denoiser
is then x / (1 + sigma^2), as EDM's preconditioning has it (Karras et al., NeurIPS 2022), and the
consistency function, the end of the probability-flow ODE, is x / sqrt(1 + sigma^2). A network has
to learn only what is not Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Denoised", "consistency_function", "denoise", "leading", "ode_step"]

Denoised = Callable[[Tensor, Tensor], Tensor]
"""(x, sigma) to an estimate of x without noise.

sigma is one number for all, shape (), or one for each place along the first axes of x: (B,), (B, S)
or what broadcasts with them. Samplers hand in (), but for those whose steps differ among items.
"""

_Field = Callable[[Tensor, Tensor], Tensor]


def leading(sigma: Tensor, x: Tensor) -> Tensor:
    """Return sigma with axes of length 1 behind its own, so that it broadcasts with x.

    Raises:
        ValueError: If it has more axes than x.
    """
    if sigma.ndim > x.ndim:
        raise ValueError(f"noise levels of shape {tuple(sigma.shape)} for x {tuple(x.shape)}")
    return sigma.reshape(*sigma.shape, *(1,) * (x.ndim - sigma.ndim))


def denoise(field: _Field, x: Tensor, sigma: Tensor) -> Tensor:
    """Return E[clean | x] for x = clean + sigma noise.

    Args:
        field: F(x / sqrt(1 + sigma^2), ln(sigma) / 4), the latter with the axes of x but the last.
        x: Any shape.
        sigma: As for `Denoised`.
    """
    level = leading(sigma, x)
    size = (1.0 + level * level).sqrt()
    return x / size**2 + level / size * field(x / size, (level.log() / 4)[..., 0])


def consistency_function(field: _Field, x: Tensor, sigma: Tensor, sigma_min: float) -> Tensor:
    """Return where the probability-flow ODE through (x, sigma) ends, at `sigma_min`.

    At `sigma_min` it is x to within sigma_min^2 / 2, whatever the field.

    Args:
        field: F(x / sqrt(1 + sigma^2), ln(sigma) / 4), the latter with the axes of x but the last.
        x: Any shape.
        sigma: As for `Denoised`.
        sigma_min: Smallest noise level.
    """
    level = leading(sigma, x)
    size = (1.0 + level * level).sqrt()
    share = (level - sigma_min) / size
    return x / size + share * field(x / size, (level.log() / 4)[..., 0])


def ode_step(denoised: Denoised, x: Tensor, sigma: Tensor, lower: Tensor) -> Tensor:
    """Return one Heun step of the probability-flow ODE dx/dsigma = (x - D) / sigma.

    The Gaussian part of the flow, x / sqrt(1 + sigma^2) constant, is followed exactly: the step is
    Heun's in y = x / sqrt(1 + sigma^2) and s = arctan(sigma), of which dy/ds is bounded.

    Args:
        denoised: The denoiser.
        x: Any shape.
        sigma: Noise levels now, as for `Denoised`.
        lower: Noise levels after.
    """
    here, there = leading(sigma, x), leading(lower, x)
    start, end = (1.0 + here * here).sqrt(), (1.0 + there * there).sqrt()
    step = torch.atan(there) - torch.atan(here)

    def slope(y: Tensor, level: Tensor, s: Tensor, size: Tensor) -> Tensor:
        # d(x / size) / d arctan(sigma) = size (x - D) / sigma - sigma x / size
        at = y * size
        return size * (at - denoised(at, level)) / s - s * y

    y = x / start
    first = slope(y, sigma, here, start)
    second = slope(y + step * first, lower, there, end)
    return (y + 0.5 * step * (first + second)) * end
