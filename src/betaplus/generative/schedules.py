"""Noise levels: which are trained, and which are stepped through."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = [
    "SIGMA_MAX",
    "SIGMA_MIN",
    "discretisation",
    "interval_weights",
    "karras_levels",
    "vp_levels",
]

SIGMA_MIN, SIGMA_MAX = 0.002, 80.0


def karras_levels(
    n: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX, rho: float = 7.0
) -> Tensor:
    """Return n falling noise levels, even in sigma^(1/rho), shape (n,) float64.

    Karras et al., NeurIPS 2022, equation 5.

    Raises:
        ValueError: If there are fewer than two.
    """
    if n < 2:
        raise ValueError(f"{n} noise levels, expected at least 2")
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return (high + ramp * (low - high)) ** rho


def vp_levels(n: int, beta_min: float = 0.1, beta_max: float = 20.0) -> Tensor:
    """Return the falling noise levels of n DDPM steps, shape (n,) float64.

    The linear schedule of Ho et al., NeurIPS 2020, in continuous form (Song et al., ICLR 2021):
    alpha_bar(t) = exp(-beta_min t - (beta_max - beta_min) t^2 / 2), and
    sigma = sqrt((1 - alpha_bar) / alpha_bar) for the variable divided by sqrt(alpha_bar).
    """
    t = torch.linspace(1, 1 / n, n, dtype=torch.float64)
    exponent = beta_min * t + 0.5 * (beta_max - beta_min) * t * t
    return torch.expm1(exponent).sqrt()


def discretisation(progress: float, first: int = 10, last: int = 1280) -> int:
    """Return the number of noise levels at a point of consistency training, progress in [0, 1].

    Doubled at even steps of progress from `first` to `last` (Song and Dhariwal, ICLR 2024).
    """
    doublings = max(round(math.log2(last / first)), 0)
    step = min(int(progress * (doublings + 1)), doublings)
    return min(first * 2**step, last)


def interval_weights(levels: Tensor, mean: float = -1.1, sd: float = 2.0) -> Tensor:
    """Return the probability of each interval of rising levels under a log-normal, shape (n - 1,).

    Song and Dhariwal, ICLR 2024, equation 10.
    """
    z = (levels.log() - mean) / (sd * math.sqrt(2.0))
    mass = torch.diff(torch.erf(z))
    return mass / mass.sum()
