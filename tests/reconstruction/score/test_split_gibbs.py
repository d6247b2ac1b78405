"""Split Gibbs sampling on small problems, against quadrature and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.reconstruction.cases import COARSE, data
from tests.reconstruction.score.toys import GaussianPrior, GaussianToy, PoissonToy

from betaplus.core.errors import UsageError
from betaplus.core.progress import Silent
from betaplus.reconstruction.score.coupled_counts import CoupledCounts
from betaplus.reconstruction.score.gibbs import Gibbs, GibbsState
from betaplus.reconstruction.score.prior import ScoreInputs

SYSTEM, COUNTS, ADDITIVE = [[1.2, 0.4], [0.3, 0.9]], [12.0, 7.0], 6.0


def by_quadrature(centre: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of x with a Gaussian before the counts."""
    axes = [np.linspace(-6.0, 16.0, 700)] * 2
    x = np.stack(np.meshgrid(*axes, indexing="ij"))
    mean = np.tensordot(np.array(SYSTEM), x, 1) + ADDITIVE
    away = x - np.asarray(centre)[:, None, None]
    power = -0.5 * np.einsum("iab,ij,jab->ab", away, np.linalg.inv(covariance), away)
    inside = (mean > 0).all(0)
    log = np.log(np.where(mean > 0, mean, 1.0))
    power += np.tensordot(np.array(COUNTS), log, 1) - mean.sum(0)
    weight = np.where(inside, np.exp(power - power[inside].max()), 0.0)
    weight /= weight.sum()
    first = np.einsum("iab,ab->i", x, weight)
    return first, np.einsum("iab,jab,ab->ij", x, x, weight) - np.outer(first, first)


@pytest.mark.parametrize("fitted", [False, True], ids=["plain", "fitted"])
@pytest.mark.parametrize(("angle", "kicks"), [(0.5, 1), (0.4, 3)], ids=["MALA", "HMC"])
def test_moves_leave_the_coupled_counts_as_they_are(angle: float, kicks: int, fitted: bool) -> None:
    rho, columns = 0.9, 12
    toy = PoissonToy(SYSTEM, COUNTS, ADDITIVE, columns)
    counts = CoupledCounts(toy, 1.0)
    z = np.broadcast_to(np.array([2.5, 1.0])[:, None, None], toy.grid.shape)
    rng, at, kept, chances = np.random.default_rng(5), counts.point(z * 1.0), [], []
    curvature = counts.curvature(at) if fitted else None
    for n in range(3000):
        normal = rng.standard_normal(toy.grid.shape)
        at, chance = counts.move(at, z, rho, angle, kicks, normal, rng.uniform(), curvature)
        chances.append(chance)
        if n > 200:
            kept.append(at.x[..., 0])
    x = np.stack(kept, axis=1).reshape(2, -1)
    mean, covariance = by_quadrature(np.array([2.5, 1.0]), rho**2 * np.eye(2))
    assert 0.5 < np.mean(chances) < 0.999
    assert np.abs(x.mean(1) - mean).max() < 0.06
    assert np.abs(np.cov(x) - covariance).max() < 0.06


def test_negative_expected_counts_are_refused() -> None:
    toy = PoissonToy(SYSTEM, COUNTS, ADDITIVE)
    counts = CoupledCounts(toy, 1.0)
    at = counts.point(np.zeros(toy.grid.shape, np.float32))
    z = np.full(toy.grid.shape, -5.0, np.float32)
    new, chance = counts.move(at, z, 0.01, 1.5, 1, np.zeros(toy.grid.shape), 0.0)
    assert new is at and chance == 0.0


PRIOR = GaussianPrior([2.5, 1.5], [[1.0, 0.5], [0.5, 0.8]])


def a_chain(
    toy: GaussianToy | PoissonToy, rho: float, turns: int, inner: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Draws of x and z, shape (2, turns, columns) each."""
    settings = Gibbs.Settings(
        burn=0, first=rho, last=rho, inner=inner, moves=2, kicks=2, subsets=1, angle=0.6
    )
    # Counts of 1 in a voxel of the level make rho that of the settings.
    toy.sensitivity = np.ones(toy.grid.shape, np.float32)
    method = Gibbs(settings, ScoreInputs(prior=PRIOR, seed=3, level=1.0))
    problem = method.prepare(toy, np.full(toy.grid.shape, 2.0, np.float32))
    assert method.rho(problem, 0) == pytest.approx(rho)
    state, x, z = method.begin(problem), [], []
    for turn in range(turns):
        state = method.advance(problem, state)
        if turn >= 30:
            x.append(state.point.x[..., 0])
            z.append(state.z[..., 0])
    return np.stack(x, axis=1), np.stack(z, axis=1)


def agree(draws: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> bool:
    """Whether draws have these moments, within 4 standard errors, which must be small."""
    away = draws - mean[:, None, None]
    products = np.einsum("itc,jtc->ijc", away, away) / draws.shape[1] - covariance[..., None]
    for each in (away.mean(1), products):  # by column
        error = each.std(-1, ddof=1) / np.sqrt(each.shape[-1])
        if (np.abs(each.mean(-1)) > 4 * error).any() or error.max() > 0.06:
            return False
    return True


@pytest.mark.parametrize("rho", [0.5, 0.8])
def test_a_gaussian_prior_and_counts(rho: float) -> None:
    """x has the prior N(m, C + rho^2); z follows from x."""
    x, z = a_chain(PoissonToy(SYSTEM, COUNTS, ADDITIVE, columns=8), rho, 900, inner=16)
    wide = PRIOR.covariance + rho**2 * np.eye(2)
    mean, covariance = by_quadrature(PRIOR.mean[:, 0], wide)
    assert agree(x, mean, covariance)
    gain = PRIOR.gain(rho)
    left = PRIOR.covariance - gain @ PRIOR.covariance
    drawn = PRIOR.mean[:, 0] + gain @ (mean - PRIOR.mean[:, 0])
    assert agree(z, drawn, gain @ covariance @ gain.T + left)
    # Neither is what the counts and the prior say without a coupling.
    assert not agree(x, *by_quadrature(PRIOR.mean[:, 0], PRIOR.covariance))


def test_a_gaussian_prior_and_gaussian_data() -> None:
    """All of it in closed form; with a small rho, z is drawn from the posterior itself."""
    system, counts = np.array([[1.2, 0.4], [0.3, 0.9]]), [4.0, 2.0]
    _, z = a_chain(GaussianToy(system, counts, columns=40), 0.4, 300)
    precision = np.linalg.inv(PRIOR.covariance)
    for rho in (0.4, 0.0):
        known = system.T @ np.linalg.inv(np.eye(2) + rho**2 * system @ system.T)
        covariance = np.linalg.inv(precision + known @ system)
        mean = covariance @ (precision @ PRIOR.mean[:, 0] + known @ counts)
        if rho > 0.0:
            assert agree(z, mean, covariance)
        assert np.abs(z.mean((1, 2)) - mean).max() < 0.12
        assert np.abs(np.cov(z.reshape(2, -1)) - covariance).max() < 0.12


def smooth(noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
    share = 0.3 / (0.3 + sigma**2)
    return (0.7 + share * (noisy - 0.7)).astype(np.float32)


def test_it_is_annealed_and_learns_its_length() -> None:
    settings = Gibbs.Settings(draws=2, burn=12, thin=1, subsets=6, first=2.0, last=0.5, angle=1.5)
    method = Gibbs(settings, ScoreInputs(prior=smooth, seed=1))
    counts = data(6, grid=COARSE)
    problem = method.prepare(counts)
    rhos = [method.rho(problem, turn) * math.sqrt(problem.counts) for turn in (0, 3, 6, 40)]
    assert np.allclose(rhos, [2.0, 1.0, 0.5, 0.5])
    states = [method.begin(problem)]
    for _ in range(14):
        states.append(method.advance(problem, states[-1]))
    assert states[1].angle != states[0].angle
    assert states[12].angle == states[13].angle == states[14].angle
    assert states[-1].accepted > 0.2


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_matter_and_it_goes_on(threads: int) -> None:
    settings = Gibbs.Settings(draws=2, burn=2, thin=1, subsets=6)
    inputs = ScoreInputs(prior=smooth, seed=9, threads=threads)
    method, counts = Gibbs(settings, inputs), data(6, grid=COARSE)
    images = method.draws(counts, None, Silent()).images
    problem = method.prepare(counts)
    coupled = CoupledCounts(counts, problem.level)
    state = method.begin(problem)
    for _ in range(2):
        state = method.advance(problem, state)
    # All that is kept of the first half is x, z, the curvature and four numbers.
    again = GibbsState(
        chain=0, turn=state.turn, point=coupled.point(state.point.x.copy()), z=state.z,
        curvature=state.curvature,
        angle=state.angle, accepted=state.accepted,
    )  # fmt: skip
    for _ in range(2):
        again = method.advance(problem, again)
    assert (np.maximum(again.z, 0) * np.float32(problem.level) * counts.mask == images[1]).all()
    assert len(images) == 2 and not (images[0] == images[1]).all()


@pytest.mark.parametrize("values", [{"draws": 0}, {"last": 5.0}, {"angle": 2.0}, {"burn": -1}])
def test_settings_that_make_no_sense(values: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Gibbs.Settings(**values)
