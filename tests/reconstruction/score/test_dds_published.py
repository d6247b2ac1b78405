"""PET-DDS-delta against OSEM, DDIM and a Gaussian prior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.reconstruction.cases import GRID, data, simulated

from betaplus.core.errors import UsageError
from betaplus.core.progress import Silent
from betaplus.generative.samplers import ddim
from betaplus.generative.schedules import vp_levels
from betaplus.physics.em import em_update
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.osem import Osem
from betaplus.reconstruction.score.data_steps import DataSteps
from betaplus.reconstruction.score.prior import ScoreInputs
from betaplus.reconstruction.score.problem import score_problem
from betaplus.reconstruction.score.published import DdsPublished
from betaplus.reconstruction.score.vp import network_noise, renoise, tweedie, vp_gammas

MEAN, SPREAD = 0.7, 0.3


def gaussian(noisy: np.ndarray, sigma: float, call: int = 0) -> np.ndarray:
    """Denoiser of voxels from N(MEAN, SPREAD^2)."""
    share = SPREAD**2 / (SPREAD**2 + sigma**2)
    return (MEAN + share * (noisy - MEAN)).astype(np.float32)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


def steps_on(counts: SinogramData, **settings) -> DataSteps:
    problem = score_problem(counts, ScoreInputs(prior=gaussian), None)
    return DataSteps(data=counts, axial=problem.axial, level=problem.level, **settings)


def well_seen(subsets: int) -> SinogramData:
    """Counts of voxels that every subset sees: OSEM makes others 0, these steps leave them."""
    every = data(subsets)
    mask = np.min([every.subset_sensitivity(n) for n in range(subsets)], axis=0)
    mask = mask > 0.01 * every.sensitivity.max() / subsets
    return SinogramData(simulated()[0], GRID, subsets=subsets, mask=mask)


@pytest.mark.parametrize("subsets", [1, 5, 7])
def test_a_full_step_is_a_sub_iteration_of_osem(subsets: int) -> None:
    counts = well_seen(subsets)
    x = Osem(Osem.Settings(iterations=1, subsets=subsets)).run(counts, None, Silent())
    x = np.where(counts.mask, np.maximum(x, 0.01 * x.max()), 0.0).astype(np.float32)
    found = steps_on(counts, pull=0.0, beta=0.0, preconditioner="subset")(x, 3, 1)
    n = counts.order[3 % subsets]
    expected = em_update(x, counts.back_ratio(x, n), counts.subset_sensitivity(n))
    assert relative(found, expected) < 1e-5  # rounding of float32
    # 30 views make 5 even subsets, not 7; gaps tell even those apart.
    whole = steps_on(counts, pull=0.0, beta=0.0, preconditioner="full")(x, 3, 1)
    difference = relative(whole, expected)
    assert difference < 1e-6 if subsets == 1 else 1e-3 < difference < 0.5


def test_a_pass_of_them_is_one_of_osem() -> None:
    counts = well_seen(6)
    steps = steps_on(counts, pull=0.0, beta=0.0, preconditioner="subset")
    uniform = np.where(counts.mask, counts.level, 0.0).astype(np.float32)
    found = steps(uniform, 0, 6)
    osem = Osem(Osem.Settings(iterations=1, subsets=6)).run(counts, None, Silent())
    assert relative(found, osem) < 1e-5


def test_the_axial_prior_is_what_autograd_says() -> None:
    counts = data(5)
    axial = score_problem(counts, ScoreInputs(prior=gaussian), None, gamma=1.3).axial
    rng = np.random.default_rng(2)
    image = (rng.gamma(2.0, 1.0, GRID.shape) * counts.mask).astype(np.float32)
    x = torch.tensor(image, dtype=torch.float64, requires_grad=True)
    inside = torch.tensor(counts.mask[..., 1:] & counts.mask[..., :-1])
    d = x[..., 1:] - x[..., :-1]
    phi = x[..., 1:] + x[..., :-1] + 1.3 * d.abs() + axial.eps
    ((d**2 / phi) * inside).sum().backward()
    assert np.allclose(axial.gradient(image), x.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_the_strengths_alone_pull_and_smooth() -> None:
    """Without a slope of the likelihood a step is known: P (lambda (x0 - x) - beta R')."""
    counts = data(1)
    x = Osem(Osem.Settings(iterations=3, subsets=1)).run(counts, None, Silent()) * 0.9
    kept = x > 0.1 * x.max()
    slope = counts.back_ratio(x, 0) - counts.subset_sensitivity(0)
    target = (1.2 * x).astype(np.float32)
    steps = steps_on(counts, pull=40.0, beta=0.3, delta=0.1, preconditioner="full")
    total = slope + 40.0 * (target - x) - 0.3 * steps.axial.gradient(x)
    expected = np.maximum(x + 0.1 * x / np.maximum(counts.sensitivity, 1e-9) * total, 0.0)
    found = steps.go_on(x, target, 0, 1)
    assert relative(found[kept], expected[kept]) < 1e-5


@pytest.mark.parametrize("eta", [0.0, 0.1, 1.0])
def test_noise_is_put_back_as_ddim_does(eta: float) -> None:
    clean, noise, fresh = np.random.default_rng(1).standard_normal((3, 100)).astype(np.float32)
    gamma, following = 0.2, 0.45
    factor = np.sqrt((1 - following**2) / (1 - gamma**2)) * np.sqrt(1 - gamma**2 / following**2)
    expected = (
        following * clean
        + np.sqrt(1 - following**2 - (eta * factor) ** 2) * noise
        + eta * factor * fresh
    )
    assert np.allclose(renoise(clean, noise, fresh, gamma, following, eta), expected, atol=1e-6)


@pytest.mark.parametrize("eta", [0.1, 1.0])
def test_its_variance_is_kept(eta: float) -> None:
    clean, noise, fresh = np.random.default_rng(3).standard_normal((3, 400_000))
    y = 0.3 * clean + np.sqrt(1 - 0.09) * noise
    again = renoise(clean, network_noise(clean, y, 0.3), fresh, 0.3, 0.8, eta)
    assert again.var() == pytest.approx(1.0, abs=0.01)
    assert np.mean(again * clean) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("gamma", [0.05, 0.5, 0.97])
def test_a_denoiser_in_the_other_variable(gamma: float) -> None:
    y = np.linspace(-3, 3, 50).astype(np.float32)
    marginal = gamma**2 * SPREAD**2 + 1 - gamma**2
    posterior = MEAN + gamma * SPREAD**2 / marginal * (y - gamma * MEAN)
    found = tweedie(gaussian, y, gamma)
    assert np.allclose(found, posterior, atol=2e-6)
    score = -network_noise(found, y, gamma) / np.sqrt(1 - gamma**2)
    assert np.allclose(score, -(y - gamma * MEAN) / marginal, atol=2e-4)


class Nothing:
    """Counts that say nothing: an image stays what the prior makes of it."""

    def __init__(self, counts: SinogramData) -> None:
        self.grid, self.order, self.mask = counts.grid, counts.order, counts.mask
        self.sensitivity, self.level = counts.sensitivity, counts.level
        self.used: list[int] = []

    def subset_sensitivity(self, subset: int) -> np.ndarray:
        return self.sensitivity

    def back_ratio(self, x: np.ndarray, subset: int) -> np.ndarray:
        self.used.append(subset)
        return self.sensitivity

    def log_likelihood(self, x: np.ndarray) -> float:
        return 0.0


def test_without_counts_it_is_ddim_and_subsets_go_on() -> None:
    counts = Nothing(data(5))
    settings = DdsPublished.Settings(steps=12, inner=3, subsets=5, pull=0.5, beta=0.0, stop=0.2)
    method = DdsPublished(settings, ScoreInputs(prior=gaussian, seed=4, level=2.0))
    start = np.full(GRID.shape, 1.4, np.float32)
    problem = method.prepare(counts, start)
    state = method.begin(problem, 0)
    while state.step < len(method.gammas):
        state = method.advance(problem, state)
    levels = vp_levels(12, 0.1, 10.0)[:10]  # t = 1, ..., 3/12
    assert len(method.gammas) == 10
    noises = [torch.from_numpy(problem.noise(0, n)) for n in range(11)]
    first = noises[0] * (1.0 + levels[0] ** 2).sqrt().float()
    expected = ddim(
        lambda x, sigma: torch.from_numpy(gaussian(x.numpy(), float(sigma))),
        levels, noises[1:], eta=0.1, start=first,
    ).numpy()  # fmt: skip
    inside = counts.mask & (expected > 0)
    assert np.allclose(state.clean[inside], 2.0 * expected[inside], rtol=2e-4)
    assert counts.used == (counts.order * 6)[: 3 * 10]


def test_its_schedule() -> None:
    gammas = vp_gammas(100, 0.1, 10.0, 0.1)
    assert len(gammas) == 91 and (np.diff(gammas) > 0).all()
    assert gammas[0] ** 2 == pytest.approx(np.exp(-0.1 - 9.9 / 2))
    assert gammas[-1] ** 2 == pytest.approx(np.exp(-0.1 * 0.1 - 9.9 * 0.01 / 2))


def test_the_unit_of_the_sensitivity_does_not_matter() -> None:
    sinogram = simulated(counts=5e4)[0]
    other = type(sinogram)(
        scanner=sinogram.scanner, prompts=sinogram.prompts, additive=sinogram.additive,
        multiplicative=10.0 * sinogram.multiplicative,
    )  # fmt: skip
    settings = DdsPublished.Settings(steps=6, inner=2, subsets=6, stop=0.0)
    one, ten = (
        DdsPublished(settings, ScoreInputs(prior=gaussian)).run(
            SinogramData(s, GRID, subsets=6), None, Silent()
        )
        for s in (sinogram, other)
    )
    assert np.linalg.norm(10.0 * ten - one) < 1e-3 * np.linalg.norm(one)


@pytest.mark.parametrize(
    "values", [{"steps": 1}, {"delta": 0.0}, {"eta": 1.5}, {"stop": -1.0}, {"beta_max": 0.01}]
)
def test_settings_that_make_no_sense(values: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        DdsPublished.Settings(**values)
