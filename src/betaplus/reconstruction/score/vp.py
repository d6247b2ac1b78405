r"""Diffusion that preserves variance, with a denoiser made for one that adds it.

The noisy image is :math:`y = \gamma x + \nu \epsilon` with :math:`\nu^2 = 1 - \gamma^2`, and that
of the denoiser D is :math:`x + \sigma \epsilon`. They are one image in two units,

.. math:: y / \gamma = x + \sigma \epsilon, \quad \sigma = \nu / \gamma, \quad
    \gamma = 1 / \sqrt{1 + \sigma^2},

so the conversion is exact for any D: Tweedie's estimate is :math:`\hat x = D(y / \gamma, \sigma)`,
the network's noise :math:`\hat\epsilon = (y - \gamma \hat x) / \nu`, and the score of y
:math:`-\hat\epsilon / \nu` (Karras et al., NeurIPS 2022, appendix C).
"""

from __future__ import annotations

import math

import numpy as np

from betaplus.generative.schedules import vp_levels
from betaplus.reconstruction.score.prior import Denoise

__all__ = ["network_noise", "renoise", "tweedie", "vp_gammas"]


def vp_gammas(n: int, beta_min: float, beta_max: float, stop: float) -> np.ndarray:
    """Return the rising gammas of t = 1, 1 - 1/n, ... down to the last that is not below `stop`.

    gamma^2 = exp(-beta_min t - (beta_max - beta_min) t^2 / 2), see `schedules.vp_levels`.
    """
    kept = np.arange(n, 0, -1) / n >= stop - 1e-9
    return 1.0 / np.sqrt(1.0 + vp_levels(n, beta_min, beta_max).numpy()[kept] ** 2)


def tweedie(denoise: Denoise, y: np.ndarray, gamma: float, call: int = 0) -> np.ndarray:
    """Return the estimate of the clean image of y, float32 (X, Y, Z)."""
    return denoise(y / np.float32(gamma), math.sqrt(1.0 - gamma**2) / gamma, call)


def network_noise(clean: np.ndarray, y: np.ndarray, gamma: float) -> np.ndarray:
    """Return the noise that a clean estimate makes of y."""
    return (y - np.float32(gamma) * clean) / np.float32(math.sqrt(1.0 - gamma**2))


def renoise(
    clean: np.ndarray,
    noise: np.ndarray,
    fresh: np.ndarray,
    gamma: float,
    following: float,
    eta: float,
) -> np.ndarray:
    r"""Return y of the next step (Song et al., DDIM, ICLR 2021).

    :math:`\gamma' \hat x + \sqrt{1 - \gamma'^2 - \eta^2 b^2}\, \hat\epsilon + \eta b\, z` with
    :math:`b = \sqrt{(1 - \gamma'^2) / (1 - \gamma^2)} \sqrt{1 - \gamma^2 / \gamma'^2}`.

    Args:
        clean: Estimate to go on from.
        noise: The network's noise.
        fresh: z, standard normal.
        gamma: Of this step.
        following: gamma', of the next step, larger.
        eta: Share of the noise that is fresh, 0 to 1.
    """
    factor = math.sqrt((1.0 - following**2) / (1.0 - gamma**2))
    factor *= eta * math.sqrt(1.0 - (gamma / following) ** 2)
    kept = math.sqrt(1.0 - following**2 - factor**2)
    return np.float32(following) * clean + np.float32(kept) * noise + np.float32(factor) * fresh
