"""`dps` against a recursion of matrices, and derivatives against differences."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from tests.reconstruction.cases import COARSE, data
from tests.reconstruction.score.toys import GaussianPrior, GaussianToy, PoissonToy

from betaplus.core.errors import UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.progress import Silent
from betaplus.generative.image_prior import load_image_prior
from betaplus.reconstruction.score.dps import Dps
from betaplus.reconstruction.score.prior import ScoreInputs, denoise_on
from betaplus.reconstruction.score.pullback import pullback_on

MEAN = np.array([8.0, 10.0, 9.0])
COVARIANCE = np.array([[1.0, 0.6, 0.2], [0.6, 1.5, 0.5], [0.2, 0.5, 0.8]])
SYSTEM = np.array([[1.0, 0.4, 0.1], [0.2, 0.7, 0.3]])
COUNTS = np.array([16.0, 13.0])


def test_the_derivative_of_a_network_by_differences() -> None:
    """u J^T v is the change of v D along u; slices of 13 x 15 need padding."""
    prior = load_image_prior("brain2d-coarse")
    grid = ImageGrid(shape=(13, 15, 6), voxel_size=(8.0, 8.0, 3.0))
    whole = pullback_on(prior, grid, denoise_on(prior, grid, "axial", 1))
    rng = np.random.default_rng(0)
    x, u, v = (rng.normal(size=grid.shape).astype(np.float32) for _ in range(3))
    x = np.abs(x)
    for sigma in (0.1, 1.0):
        h = np.float32(0.01 * sigma)
        ahead, behind = (whole(x + sign * h * u, sigma, 0).astype(float) for sign in (1, -1))
        change = np.sum(v * (ahead - behind) / (2 * float(h)))
        pulled = float(np.sum(u * whole.pull(x, sigma, v), dtype=float))
        scale = np.linalg.norm(u) * np.linalg.norm(whole.pull(x, sigma, v))
        assert abs(change - pulled) < 2e-3 * scale


@pytest.mark.parametrize("eta", [0.0, 0.7])
def test_a_gaussian_prior_and_gaussian_data(eta: float) -> None:
    """Everything is linear but P, which is of the clean estimate."""
    toy, prior = GaussianToy(SYSTEM, COUNTS, columns=3), GaussianPrior(MEAN, COVARIANCE)
    toy.sensitivity = np.full(toy.grid.shape, 30.0, np.float32)
    settings = Dps.Settings(steps=6, zeta=0.8, first=2.0, last=0.2, eta=eta, subsets=1)
    method = Dps(settings, ScoreInputs(prior=prior, seed=4, level=1.0))
    start = np.full(toy.grid.shape, 9.0, np.float32)
    problem = method.prepare(toy, start)
    state = method.begin(problem, 0)
    while state.step < 6:
        state = method.advance(problem, state)

    ends = [*method.levels, 0.0]
    noises = [problem.noise(0, n)[..., 0].astype(float) for n in range(7)]
    x = 9.0 + ends[0] * noises[0]
    for step, (sigma, lower) in enumerate(itertools.pairwise(ends)):
        gain = COVARIANCE @ np.linalg.inv(COVARIANCE + sigma**2 * np.eye(3))
        clean = MEAN[:, None] + gain @ (x - MEAN[:, None])
        slope = SYSTEM.T @ (COUNTS[:, None] - SYSTEM @ clean)
        push = gain.T @ (slope / (30.0 / clean + 1.0 / sigma**2))
        fresh = eta * lower * math.sqrt(1.0 - (lower / sigma) ** 2)
        kept = math.sqrt(lower**2 - fresh**2)
        x = clean + kept * (x - clean) / sigma + 0.8 * push + fresh * noises[step + 1]
    assert np.allclose(state.clean[..., 0], x, rtol=1e-4)


def test_small_steps_sample_the_posterior() -> None:
    """Where x is known well the guided score is that of the posterior: one voxel, closed form.

    With a prior that is narrow beside the noise of the data, p(counts | D(x)) is p(counts | x).
    """
    toy, prior = GaussianToy([[0.6]], [30.0], columns=600), GaussianPrior([10.0], [[0.03]])
    toy.sensitivity = np.full(toy.grid.shape, 1e-3, np.float32)  # P is sigma^2
    steps = 150
    levels = {"first": 3.0, "last": 0.02}
    ratio = (levels["last"] / levels["first"]) ** (1.0 / (steps - 1))
    settings = Dps.Settings(steps=steps, zeta=2.0 * (1.0 - ratio), subsets=1, **levels)
    method = Dps(settings, ScoreInputs(prior=prior, seed=1, level=1.0))
    problem = method.prepare(toy, np.full(toy.grid.shape, 10.0, np.float32))
    method.levels = np.geomspace(levels["first"], levels["last"], steps)
    state = method.begin(problem, 0)
    while state.step < steps:
        state = method.advance(problem, state)
    precision = 1.0 / 0.03 + 0.6**2
    mean = (10.0 / 0.03 + 0.6 * 30.0) / precision
    assert abs(state.clean.mean() - mean) < 0.03
    assert abs(state.clean.var() * precision - 1.0) < 0.2
    assert abs(mean - 10.0) > 0.3  # the data matter


def test_poisson_counts_push_as_the_likelihood_does() -> None:
    """P L' by differences of the likelihood; P is x / s where the noise is large."""
    toy = PoissonToy(SYSTEM, COUNTS, 2.0)
    method = Dps(Dps.Settings(subsets=1), ScoreInputs(prior=GaussianPrior(MEAN, COVARIANCE)))
    problem = method.prepare(toy, np.full(toy.grid.shape, 9.0, np.float32))
    clean = np.array([1.0, 0.7, 1.2], np.float32).reshape(toy.grid.shape)
    image, level = clean.astype(float) * problem.level, problem.level
    slopes = []
    for n in range(3):
        step = np.zeros(toy.grid.shape)
        step[n] = 1e-4 * level
        ahead, behind = toy.log_likelihood(image + step), toy.log_likelihood(image - step)
        slopes.append((ahead - behind) / (2e-4 * level))
    for sigma in (1e4, 0.05):
        below = toy.sensitivity / image + 1.0 / (sigma * level) ** 2
        wanted = np.array(slopes).reshape(image.shape) / below / level
        found = method.preconditioned(problem, clean, sigma)
        assert np.allclose(found, wanted, rtol=1e-3, atol=1e-6 * np.abs(wanted).max())


def test_priors_without_a_derivative() -> None:
    def smooth(noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
        return noisy

    for prior, level, words in (
        (smooth, None, "expected one with pull"),
        (load_image_prior("body3d"), 1.0, "a prior of volumes"),
    ):
        method = Dps(Dps.Settings(subsets=6), ScoreInputs(prior=prior, level=level))
        grid = ImageGrid(shape=(15, 15, 5), voxel_size=(4.0, 4.0, 4.0)) if level else COARSE
        with pytest.raises(UsageError, match=words):
            method.draws(data(6, grid=grid), None, Silent())
