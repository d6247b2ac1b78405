"""`consistency`: draws from the posterior in one to four calls of a network.

The network was distilled (Song et al., ICML 2023) from that of `ddim` and `ddpm` and is built like
it: around the mean m, where draws start, so that of the mean nothing is lost. A consistency
function leads from z + sigma noise to where the probability-flow ODE dz/dsigma = (z - D) / sigma
ends, at the least level e. Here it is one Euler step of that ODE, f = z + (1 - e / sigma) (D - z):
at e it is z itself, whatever the network, and before distillation it is a step of DDIM. The D of a
distilled network is what makes that one step end in the right place. As D is m + ..., so is f; from
m + 20 noise it leads to m, a draw of what the mean leaves open, and a noise of e.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from betaplus.denoising.draw_network import LEVELS
from betaplus.denoising.method import check_share
from betaplus.denoising.sampled import Sampled, check_number
from betaplus.denoising.volume import Volume
from betaplus.generative.consistency import multistep
from betaplus.generative.denoiser import Denoised, leading

__all__ = ["MOST_CALLS", "Consistency", "ConsistencySettings", "levels_of_calls", "ode_end"]

MOST_CALLS = 4
"""Calls of the network that a draw may take."""

_FROM, _TO = 1.5, 0.3  # levels between which later calls add noise anew: there draws are decided


def ode_end(denoised: Denoised, z: Tensor, sigma: Tensor) -> Tensor:
    """Return the consistency function of a distilled network.

    Args:
        denoised: Its D, (z, sigma) to z.
        z: With noise, any shape.
        sigma: Noise levels, as for `Denoised`, from `LEVELS`.
    """
    share = 1.0 - LEVELS[0] / leading(sigma, z)
    return z + share * (denoised(z, sigma) - z)


def levels_of_calls(calls: int) -> tuple[float, ...]:
    """Return the noise level of each call: the highest, then even in the logarithm.

    Nominal.
    """
    if calls == 2:
        return (LEVELS[1], float(np.sqrt(_FROM * _TO)))
    return (LEVELS[1], *np.geomspace(_FROM, _TO, calls - 1).tolist())


@dataclass(frozen=True, kw_only=True)
class ConsistencySettings:
    """Settings of `consistency`.

    Attributes:
        samples: Draws; what is returned is their mean.
        calls: Of the network a draw, 1 to 4.
        tile: Largest edge of tiles [voxels of the network].
        overlap: Of neighbouring tiles; a third of it is a halo on each side, likewise.
        high_band: Share of the noise that the network's grid cannot hold which is taken away.
    """

    samples: int = 1
    calls: int = MOST_CALLS
    tile: int = 96
    overlap: int = 24
    high_band: float = 1.0

    def __post_init__(self) -> None:
        check_number("samples", self.samples)
        check_number("calls", self.calls, MOST_CALLS)
        check_share("high_band", self.high_band)


class Consistency(Sampled):
    """Draws by multistep consistency sampling (Song et al., ICML 2023, algorithm 1)."""

    Settings = ConsistencySettings
    settings: ConsistencySettings

    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Return a draw of z, shape (1, 1, x, y, z)."""
        tiled = self.tiled(volume)
        levels = levels_of_calls(self.settings.calls)
        noises = self.noises(volume, index)
        start = self.start(volume, levels[0], noises)
        return multistep(
            lambda z, sigma: ode_end(tiled, z, sigma), levels, noises, start=start
        ).numpy()
