"""The total that counts say an image has."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from tests.reconstruction.cases import GRID, SMALL, simulated

from betaplus.core.progress import Silent
from betaplus.generative.image_prior import load_image_prior
from betaplus.physics.projector.projector import Projector
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.score.conditional import Conditional
from betaplus.reconstruction.score.prior import ScoreInputs
from betaplus.reconstruction.score.total import total_factor


@pytest.mark.parametrize("wrong", [0.7, 0.97, 1.0, 1.04, 1.5])
def test_without_a_background_it_is_the_ratio_of_the_sums(wrong: float) -> None:
    sinogram, truth = simulated(seed=5)
    means = sinogram.multiplicative * Projector(SMALL, GRID).forward(truth)
    prompts = np.random.default_rng(2).poisson(means).astype(np.float32)
    alone = dataclasses.replace(sinogram, prompts=prompts, additive=np.zeros_like(prompts))
    counts = SinogramData(alone, GRID, subsets=3)
    image = np.float32(wrong) * truth
    expected = prompts.sum(dtype=np.float64) / (wrong * means.sum(dtype=np.float64))
    found = total_factor(counts, image)
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("wrong", [0.8, 1.0, 1.03])
def test_with_a_background_it_is_where_the_likelihood_is_largest(wrong: float) -> None:
    sinogram, truth = simulated(seed=6)
    forward = np.float32(wrong) * sinogram.multiplicative * Projector(SMALL, GRID).forward(truth)
    live = forward + sinogram.additive > 0

    def unlikely(factor: float) -> float:
        means = (factor * forward + sinogram.additive)[live].astype(np.float64)
        return float(np.sum(means - xlogy(sinogram.prompts[live], means)))

    best = minimize_scalar(unlikely, bounds=(0.5, 2.0), method="bounded", options={"xatol": 1e-6})
    counts = SinogramData(sinogram, GRID, subsets=3)
    found = total_factor(counts, np.float32(wrong) * truth)
    assert found == pytest.approx(best.x, rel=1e-3)
    assert found * wrong == pytest.approx(1.0, abs=0.02)


def test_an_image_of_nothing_stays() -> None:
    sinogram, truth = simulated(seed=7)
    counts = SinogramData(sinogram, GRID, subsets=3)
    assert total_factor(counts, np.zeros_like(truth)) == 1.0


def test_draws_get_the_total_of_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prior that is shown OSEM and is 30 % too high; without `significance` it stays so."""
    monkeypatch.setattr("betaplus.reconstruction.score.prior.check_voxels", lambda *_: None)
    sinogram, truth = simulated(seed=8)
    counts, level = SinogramData(sinogram, GRID, subsets=3), float(truth.max())
    image = (1.3 * truth * counts.mask).astype(np.float32)
    monkeypatch.setattr(
        "betaplus.reconstruction.score.problem.denoise_on",
        lambda *_, **__: lambda noisy, sigma, call: image / np.float32(level),
    )
    monkeypatch.setattr("betaplus.reconstruction.score.diffusion.put_in", lambda d, x, *_: (x, ()))
    prior = dataclasses.replace(load_image_prior("brain2d"), sees=3, around=5, spread=0.02)
    found = {}
    for significance in (0.0, 4.5):
        settings = Conditional.Settings(subsets=3, steps=2, draws=2, significance=significance)
        method = Conditional(settings, ScoreInputs(prior=prior, level=level))
        found[significance] = method.draws(counts, None, Silent()).mean
    np.testing.assert_allclose(found[0.0], image, rtol=1e-5)
    np.testing.assert_allclose(found[4.5], image / 1.3, rtol=0.02)
