"""The relative difference prior in the units of some data."""

from __future__ import annotations

import numpy as np

from betaplus.physics.priors.relative_difference import RelativeDifference
from betaplus.physics.threads import available_cores
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.scales import scales_of

__all__ = ["relative_difference_prior"]

_EPS = 1e-3  # of the image's largest value


def relative_difference_prior(
    data: Data, image: np.ndarray, beta: float, gamma: float
) -> tuple[float, RelativeDifference]:
    """Return the strength of the prior and the prior.

    Args:
        data: The data.
        image: A first image of them.
        beta: Strength, relative to the mean sensitivity.
        gamma: How early edges are kept.
    """
    scales = scales_of(data, image)
    prior = RelativeDifference(
        spacing=data.grid.voxel_size,
        eps=_EPS * scales.top,
        gamma=gamma,
        mask=data.mask,
        threads=available_cores(),
    )
    return beta * scales.sensitivity, prior
