"""`dds` against closed forms, other samplers and itself."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
import torch
from tests.reconstruction.cases import COARSE, data, simulated
from tests.reconstruction.score.toys import GaussianPrior, GaussianToy

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Silent
from betaplus.generative.image_prior import load_image_prior
from betaplus.generative.samplers import ddim, dpm_solver
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.score.dds import Dds
from betaplus.reconstruction.score.draws import Draws
from betaplus.reconstruction.score.likelihood_schedule import likelihood_targets, until_likely
from betaplus.reconstruction.score.prior import ScoreInputs, denoise_on
from betaplus.reconstruction.score.problem import DiffusionState

MEAN = [8.0, 10.0, 9.0]
COVARIANCE = np.array([[1.0, 0.6, 0.2], [0.6, 1.5, 0.5], [0.2, 0.5, 0.8]])
SYSTEM = np.array([[1.0, 0.4, 0.1], [0.2, 0.7, 0.3]])
COUNTS = [16.0, 13.0]


def smooth(noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
    """A denoiser that is none in particular."""
    share = 0.5 / (0.5 + sigma**2)
    return (0.6 * noisy.mean() + share * (noisy - 0.6 * noisy.mean())).astype(np.float32)


def chain(method: Dds, toy: GaussianToy, start: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    problem = method.prepare(toy, start)
    state = method.begin(problem, 0)
    while state.step < method.settings.steps:
        state = method.advance(problem, state)
    noises = [problem.noise(0, n)[..., 0].astype(float) for n in range(state.step + 1)]
    return state.clean[..., 0], noises


@pytest.mark.parametrize("eta", [0.0, 0.6])
@pytest.mark.parametrize("weight", [0.4, 3.0])
def test_a_gaussian_prior_and_gaussian_data(weight: float, eta: float) -> None:
    """With many data steps each of them solves (A'A + w / sigma^2) x = A'y + w D / sigma^2."""
    toy, prior = GaussianToy(SYSTEM, COUNTS, columns=4), GaussianPrior(MEAN, COVARIANCE)
    toy.sensitivity = np.full(toy.grid.shape, 30.0, np.float32)  # s / x above A'A, as of counts
    settings = Dds.Settings(
        steps=8, inner=300, subsets=1, weight=weight, first=2.0, last=0.3, eta=eta
    )
    method = Dds(settings, ScoreInputs(prior=prior, seed=5, level=1.0))
    start = np.full(toy.grid.shape, 9.0, np.float32)
    found, noises = chain(method, toy, start)

    x = start[..., 0] + method.levels[0] * noises[0]
    for step, sigma in enumerate(method.levels):
        guess = prior.mean + prior.gain(sigma) @ (x - prior.mean)
        pull = weight / sigma**2
        clean = np.linalg.solve(
            SYSTEM.T @ SYSTEM + pull * np.eye(3), SYSTEM.T @ toy.counts + pull * guess
        )
        if step + 1 < len(method.levels):
            lower = method.levels[step + 1]
            fresh = eta * lower * np.sqrt(1 - (lower / sigma) ** 2)
            noise = (x - guess) / sigma
            x = clean + np.sqrt(lower**2 - fresh**2) * noise + fresh * noises[step + 1]
    assert np.abs(found - clean).max() < 1e-3  # of 10
    assert np.abs(found - prior.mean).max() > 0.5  # the measurements had their say


@pytest.mark.parametrize("solver", ["ddim", "2m"])
def test_without_measurements_it_is_the_plain_sampler(solver: str) -> None:
    toy = GaussianToy(np.zeros((1, 3)), [0.0], columns=4)
    toy.sensitivity = np.ones(toy.grid.shape, np.float32)
    prior = GaussianPrior(MEAN, COVARIANCE)
    settings = Dds.Settings(steps=9, inner=1, subsets=1, solver=solver, eta=0.5, first=1.5)
    method = Dds(settings, ScoreInputs(prior=prior, seed=1, level=1.0))
    start = np.full(toy.grid.shape, 9.0, np.float32)
    found, noises = chain(method, toy, start)

    def denoised(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(prior(x.numpy()[..., None], float(sigma), 0)[..., 0])

    levels = torch.from_numpy(method.levels)
    tensors = [torch.from_numpy(noise).float() for noise in noises]
    first = torch.from_numpy(start[..., 0]) + levels[0].float() * tensors[0]
    if solver == "ddim":
        expected = ddim(denoised, levels, tensors[1:], eta=0.5, start=first)
    else:
        expected = dpm_solver(denoised, levels, (), start=first)
    assert np.allclose(found, expected.numpy(), atol=2e-5)


SETTINGS = Dds.Settings(steps=4, inner=2, subsets=6, draws=3, first=0.8)


def draws_of(settings: Dds.Settings = SETTINGS, threads: int = 1, **inputs) -> Draws:
    counts = SinogramData(simulated(grid=COARSE)[0], COARSE, subsets=6, psf=5.0, threads=threads)
    given = ScoreInputs(**{"prior": smooth, "threads": threads, **inputs})
    return Dds(settings, given).draws(counts, None, Silent())


def test_threads_do_not_matter() -> None:
    """Not those of the projector, of tiles, nor of the network."""
    prior, before = load_image_prior("brain2d-coarse"), torch.get_num_threads()
    one, found = dataclasses.replace(SETTINGS, draws=1, steps=2), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(draws_of(one, threads=threads, prior=prior, seed=7).images)
    finally:
        torch.set_num_threads(before)
    assert (found[0] == found[1]).all()


def test_a_draw_belongs_to_its_index_and_its_item() -> None:
    three = draws_of(seed=3)
    assert (
        three.images[:1] == draws_of(dataclasses.replace(SETTINGS, draws=1), seed=3).images
    ).all()
    assert not (three.images[0] == three.images[1]).all()
    assert (three.images == draws_of(seed=3).images).all()
    assert not (three.images == draws_of(seed=3, item=1).images).all()


def test_what_draws_say_together() -> None:
    images = np.random.default_rng(0).normal(5.0, 2.0, (6, 2, 3, 4)).astype(np.float32)
    images[:, 0, 0, 0] = 0.0
    found = Draws(images)
    assert np.allclose(found.mean, images.mean(0), atol=1e-6)
    assert np.allclose(found.sd, images.std(0, ddof=1), rtol=1e-5)
    rest = images[:, 1]
    assert np.allclose(found.variation[1], rest.std(0, ddof=1) / rest.mean(0), rtol=1e-5)
    assert found.variation[0, 0, 0] == 0.0 and np.isnan(Draws(images[:1]).sd).all()


@pytest.mark.parametrize("solver", ["ddim", "2m"])
def test_it_goes_on_from_a_state_that_was_written(solver: str) -> None:
    method = Dds(
        dataclasses.replace(SETTINGS, solver=solver, steps=5), ScoreInputs(prior=smooth, seed=2)
    )
    problem = method.prepare(data(6, grid=COARSE))
    states = [method.begin(problem, 1)]
    for _ in range(5):
        states.append(method.advance(problem, states[-1]))
    file = io.BytesIO()
    np.savez(file, **dataclasses.asdict(states[2]))
    file.seek(0)
    read = np.load(file)
    numbers = {name: int(read[name]) for name in ("draw", "step", "subset")}
    state = DiffusionState(**numbers, x=read["x"], clean=read["clean"])
    other = method.prepare(data(6, grid=COARSE))
    while state.step < 5:
        state = method.advance(other, state)
    assert (state.clean == states[-1].clean).all()


def test_the_axial_prior_is_held_by_the_counts_of_a_voxel() -> None:
    counts = SinogramData(simulated(grid=COARSE)[0], COARSE, subsets=6, psf=5.0)

    def drawn(beta: float) -> tuple[np.ndarray, float]:
        settings = dataclasses.replace(SETTINGS, draws=1, steps=2, beta=beta)
        method = Dds(settings, ScoreInputs(prior=smooth, seed=2))
        problem = method.prepare(counts)
        state = method.begin(problem, 0)
        for _ in range(2):
            state = method.advance(problem, state)
        return state.clean, problem.counts

    image, held = drawn(1e6)
    assert (image == drawn(1.2 * held)[0]).all()
    assert not (image == drawn(0.6 * held)[0]).all()


def test_the_likelihood_decides_when_to_stop() -> None:
    counts = data(6, grid=COARSE)
    targets = likelihood_targets(counts, 4, 7)
    assert (np.diff(targets) >= 0).all() and len(targets) == 7
    settings = dataclasses.replace(SETTINGS, schedule="likelihood", passes=4, steps=7, inner=3)
    method = Dds(settings, ScoreInputs(prior=smooth, seed=2))
    problem = method.prepare(counts)
    assert (problem.targets == targets).all()
    state, seen = method.begin(problem, 0), []
    for step in range(7):
        before = state.subset
        state = method.advance(problem, state)
        used = state.subset - before
        assert used % 3 == 0 and used <= 12
        reached = counts.log_likelihood(state.clean) >= targets[step]
        assert reached or used == 12
        seen.append(reached)
    assert any(seen)


def test_no_steps_where_the_likelihood_is_reached() -> None:
    counts = data(6, grid=COARSE)
    method = Dds(SETTINGS, ScoreInputs(prior=smooth))
    problem = method.prepare(counts)

    def never(*_) -> np.ndarray:
        raise AssertionError("a step")

    class Reached:
        data = counts
        go_on = staticmethod(never)

        def __call__(self, clean: np.ndarray, first: int, count: int) -> np.ndarray:
            assert count == 0
            return clean

    found, used = until_likely(Reached(), problem.first, -np.inf, 3, 5, 20)  # type: ignore[arg-type]
    assert used == 0 and (found == problem.first).all()


def test_the_network_sees_the_axes_of_ras_and_turns_alternate() -> None:
    """The index of a scanner's image runs to the left, the back and the feet."""
    prior, grid = load_image_prior("brain2d-coarse"), dataclasses.replace(
        COARSE, voxel_size=(8.0, 8.0, 8.0)
    )  # fmt: skip
    noisy = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    ras = torch.from_numpy(noisy[::-1, ::-1, ::-1].copy())
    found = denoise_on(prior, grid, "alternate", 1)
    padded = torch.zeros(15, 1, 16, 8)
    padded[:, 0, :15, :5] = ras
    sagittal = prior(padded, 0.5, orientation="sagittal")[:, 0, :15, :5].numpy()[::-1, ::-1, ::-1]
    assert np.allclose(found(noisy, 0.5, 2), sagittal, atol=1e-5)
    assert np.allclose(found(noisy, 0.5, 5), sagittal, atol=1e-5)
    assert not np.allclose(found(noisy, 0.5, 0), sagittal, atol=1e-2)
    three = np.mean([found(noisy, 0.5, call) for call in range(3)], axis=0)
    assert np.allclose(denoise_on(prior, grid, "mean", 1)(noisy, 0.5, 0), three, atol=1e-5)


def test_priors_that_do_not_fit() -> None:
    prior = load_image_prior("brain2d-coarse")
    with pytest.raises(InputError, match=r"voxels of 4 mm; expected 6 to 10\.8 mm"):
        denoise_on(prior, COARSE, "alternate", 1)
    denoise_on(prior, COARSE, "axial", 1)  # 6 mm across are enough for transverse slices
    with pytest.raises(UsageError, match="units of SUV"):
        ScoreInputs(prior=load_image_prior("body3d"))


@pytest.mark.parametrize(
    "values",
    [
        {"steps": 1}, {"weight": 0.0}, {"last": 3.0}, {"solver": "euler"}, {"slices": "coronal"},
        {"preconditioner": "none"}, {"schedule": "both"}, {"draws": 0},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(values) -> None:
    with pytest.raises(UsageError, match="expected"):
        Dds.Settings(**values)
