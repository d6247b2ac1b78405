"""Draws of a network that is shown what was measured."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tests.reconstruction.cases import COARSE, simulated

from betaplus.core.errors import UsageError
from betaplus.core.progress import Silent
from betaplus.generative.image_prior import load_image_prior
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.score.conditional import Conditional
from betaplus.reconstruction.score.prior import ScoreInputs

FAR = 2.0  # of the level: where next to no draw is negative


class Gaussian:
    """What a network says that knows each voxel to be N(mean, sd^2) from the counts."""

    def __init__(self, mean: np.ndarray, sd: np.ndarray) -> None:
        self.mean, self.variance = mean, sd**2

    def __call__(self, noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
        share = self.variance / (self.variance + sigma**2)
        return (self.mean + share * (noisy - self.mean)).astype(np.float32)


def _data() -> SinogramData:
    return SinogramData(simulated(grid=COARSE)[0], COARSE, subsets=6)


@pytest.mark.parametrize(("steps", "off"), [(60, 0.02), (12, 0.08)])
def test_draws_are_of_the_distribution_that_the_network_knows(steps: int, off: float) -> None:
    data, rng = _data(), np.random.default_rng(0)
    mean = FAR + rng.random(COARSE.shape)
    sd = rng.uniform(0.1, 0.4, COARSE.shape)
    settings = Conditional.Settings(subsets=6, draws=40, steps=steps, last=0.01)
    method = Conditional(settings, ScoreInputs(prior=Gaussian(mean, sd), seed=3))
    problem = method.prepare(data)
    images = method.draws(data, None, Silent()).images[:, data.mask] / problem.level
    scores = (images - mean[data.mask]) / sd[data.mask]
    assert abs(scores.mean()) < 0.01
    assert scores.std() == pytest.approx(1.0, abs=off)
    held = np.mean(np.abs(scores) < stats.norm.ppf(0.95))
    assert held == pytest.approx(0.9, abs=off / 2)


def test_a_prior_that_is_shown_nothing() -> None:
    with pytest.raises(UsageError, match="shown nothing of the counts; expected one that is shown"):
        Conditional(None, ScoreInputs(prior=load_image_prior("brain2d")))
