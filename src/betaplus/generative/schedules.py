"""Noise levels: which are trained, and which are stepped through.

A schedule is an array of falling noise levels sigma, those of x = clean + sigma noise, in which all
samplers work. DDPM's variable is another by a factor: y = sqrt(alpha_bar) clean +
sqrt(1 - alpha_bar) noise is x sqrt(alpha_bar) with

    sigma = sqrt((1 - alpha_bar) / alpha_bar),  alpha_bar = 1 / (1 + sigma^2),

its epsilon is (x - denoised) / sigma, and its "x_0" is `denoised`. So a schedule of DDPM needs
nothing but its sigmas, and one network serves all of them; clean data are to have about unit
variance where the start is to be N(0, I) in y.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = [
    "SIGMA_MAX",
    "SIGMA_MIN",
    "alpha_bar_of",
    "cosine_levels",
    "ddpm_levels",
    "discretisation",
    "interval_weights",
    "karras_levels",
    "log_levels",
    "sigma_of",
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
    ramp = _ramp(n, 0.0, 1.0)
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


def ddpm_levels(
    n: int, steps: int = 1000, beta_first: float = 1e-4, beta_last: float = 0.02
) -> Tensor:
    """Return the falling noise levels of n of the steps of discrete DDPM, shape (n,) float64.

    beta rises linearly over the steps (Ho et al., NeurIPS 2020), alpha_bar is the product of
    1 - beta; fewer steps are spread evenly from the last to the first (Nichol and Dhariwal, ICML
    2021). The published denoiser has these defaults and n = 1000.

    Raises:
        ValueError: If there are fewer than two, or more than there are steps.
    """
    beta = torch.linspace(beta_first, beta_last, steps, dtype=torch.float64)
    return _chosen(sigma_of(torch.cumprod(1.0 - beta, 0)), n)


def cosine_levels(n: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX) -> Tensor:
    """Return n falling noise levels of the cosine schedule, shape (n,) float64.

    alpha_bar(t) = cos^2(pi t / 2) (Nichol and Dhariwal, ICML 2021, equation 17), hence
    sigma = tan(pi t / 2), even in t. The two ends take the place of their offset, which keeps the
    least noise off 0, and of their limit on beta, which bounds the most. No schedule of n `ddim`
    steps keeps more of the variance of N(0, I) data: cos(step)^2 a step, 1 - pi^2 / (4 n) in all.

    Raises:
        ValueError: If there are fewer than two.
    """
    return torch.tan(_ramp(n, math.atan(sigma_max), math.atan(sigma_min)))


def log_levels(n: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX) -> Tensor:
    """Return n falling noise levels, even in ln(sigma), shape (n,) float64.

    These are the even steps in lambda of DPM-Solver++ (Lu et al., arXiv 2211.01095), which
    extrapolates from one step to the next and so fails where a step is many times the one before.

    Raises:
        ValueError: If there are fewer than two.
    """
    return torch.exp(_ramp(n, math.log(sigma_max), math.log(sigma_min)))


def alpha_bar_of(levels: Tensor) -> Tensor:
    """Return DDPM's alpha_bar of noise levels, 1 / (1 + sigma^2)."""
    return 1.0 / (1.0 + levels * levels)


def sigma_of(alpha_bar: Tensor) -> Tensor:
    """Return the noise levels of DDPM's alpha_bar, sqrt((1 - alpha_bar) / alpha_bar)."""
    return ((1.0 - alpha_bar) / alpha_bar).sqrt()


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


def _ramp(n: int, first: float, last: float) -> Tensor:
    if n < 2:
        raise ValueError(f"{n} noise levels, expected at least 2")
    return torch.linspace(first, last, n, dtype=torch.float64)


def _chosen(rising: Tensor, n: int) -> Tensor:
    if not 2 <= n <= len(rising):
        raise ValueError(f"{n} noise levels, expected 2 to {len(rising)}")
    at = torch.linspace(len(rising) - 1, 0, n, dtype=torch.float64).round().long()
    return rising[at]
