"""What each sampler does at a step, and that its draws are of the data.

How near they come in how few steps is in `test_sampler_accuracy`.
"""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from tests.generative.mixtures import Line, normal

from betaplus.generative.consistency import multistep
from betaplus.generative.samplers import ancestral, ddim, dpm_solver, heun, trajectory
from betaplus.generative.schedules import ddpm_levels, karras_levels, log_levels, vp_levels

SHAPE = (2, 2000, 2)
SAMPLERS = {
    "ancestral": ancestral,
    "ddim": ddim,
    "ddim with noise": partial(ddim, eta=0.6),
    "heun": heun,
    "heun with churn": partial(heun, churn=40.0),
    "dpm_solver": dpm_solver,
}
every = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)


def check(x: torch.Tensor, furthest: float = 0.03) -> None:
    """Compare each of two independent coordinates with the mixture.

    At 4,000 draws the KS distance of a right sampler exceeds 0.031 once in a thousand times.
    """
    for values in x.reshape(-1, 2).T.numpy():
        assert kstest(values, Line().cdf).statistic < furthest
        assert values.mean() == pytest.approx(Line.mean, abs=4 * Line.sd / len(values) ** 0.5)
        assert values.std() == pytest.approx(Line.sd, rel=0.05)
        for level in (0.05, 0.5, 0.95):
            assert Line().cdf(np.quantile(values, level)) == pytest.approx(level, abs=0.03)
    assert abs(np.corrcoef(x.reshape(-1, 2).T.numpy())[0, 1]) < 0.06


@pytest.mark.parametrize("levels", [vp_levels(1000).float(), ddpm_levels(1000)])
def test_ancestral_sampling(levels):
    denoised = Line()
    check(ancestral(denoised, levels, normal(1, *SHAPE)))
    assert denoised.calls == 1000


@every
@pytest.mark.parametrize("shape", [SHAPE, (2, 1, 40, 100), (1, 1, 20, 20, 20)])
def test_draws_in_many_steps(sampler, shape):
    denoised = Line()
    x = sampler(denoised, log_levels(160), normal(1, *shape))
    assert x.shape == shape and x.dtype == torch.float32
    check(x)
    assert denoised.calls == (319 if "heun" in str(sampler) else 160)


@every
def test_a_denoiser_is_given_one_level_of_the_type_of_x(sampler):
    given = []

    def denoised(x, sigma):
        given.append(sigma)
        return 0.5 * x

    sampler(denoised, karras_levels(5), normal(1, 2, 3))
    assert {(level.shape, level.dtype) for level in given} == {((), torch.float32)}


def test_the_probability_flow():
    denoised = Line()
    path = trajectory(denoised, karras_levels(41).float(), next(normal(1, *SHAPE)))
    assert path.shape == (41, *SHAPE)
    assert denoised.calls == 80
    check(path[-1])


def test_the_path_of_the_flow_has_the_noise_of_each_level():
    levels = karras_levels(41).float()
    path = trajectory(Line(), levels, next(normal(1, *SHAPE)))
    expected = (Line.sd**2 + levels**2).sqrt()
    torch.testing.assert_close(path.std((1, 2, 3)), expected, rtol=0.05, atol=0.0)


def test_ddim_with_all_noise_fresh_is_ancestral():
    levels = vp_levels(50)
    one = ddim(Line(), levels, normal(1, *SHAPE, dtype=torch.float64), eta=1.0)
    other = ancestral(Line(), levels, normal(1, *SHAPE, dtype=torch.float64))
    torch.testing.assert_close(one, other, atol=1e-11, rtol=0.0)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_a_ddim_step_in_the_variable_of_ddpm(eta):
    """Against equation 12 of the paper, in y = sqrt(alpha_bar) x and epsilon."""
    sigmas = torch.tensor([3.0, 0.8], dtype=torch.float64)
    noises = list(itertools.islice(normal(1, 4, 6, dtype=torch.float64), 3))
    found = []

    def denoised(x, sigma):
        found.append(x)
        return Line()(x, sigma)

    ddim(denoised, sigmas, noises, eta=eta)
    a, b = (1 / (1 + sigmas**2)).tolist()  # alpha_bar now and after
    y = noises[0]
    clean = Line()(y / a**0.5, sigmas[0])
    epsilon = (y - a**0.5 * clean) / (1 - a) ** 0.5
    spread = eta * ((1 - b) / (1 - a)) ** 0.5 * (1 - a / b) ** 0.5
    after = b**0.5 * clean + (1 - b - spread**2) ** 0.5 * epsilon + spread * noises[1]
    torch.testing.assert_close(found[0], y / a**0.5)
    torch.testing.assert_close(found[1], after / b**0.5)


def test_dpm_solver_steps_in_the_variable_of_ddpm():
    """Against algorithm 2 of the paper, in y = alpha clean + sigma noise and lambda."""
    levels = torch.tensor([9.0, 3.0, 2.5, 0.4], dtype=torch.float64)
    (noise,) = itertools.islice(normal(1, 4, 6, dtype=torch.float64), 1)
    found = []

    def denoised(x, level):
        found.append(x)
        return Line()(x, level)

    dpm_solver(denoised, levels, [noise])
    alpha = 1 / (1 + levels**2).sqrt()
    sigma = levels * alpha
    logs = (alpha / sigma).log()
    y, data = noise, []
    for i in range(3):
        data.append(Line()(y / alpha[i], levels[i]))
        h = logs[i + 1] - logs[i]
        extrapolated = data[i]
        if i:
            r = (logs[i] - logs[i - 1]) / h
            extrapolated = (1 + 1 / (2 * r)) * data[i] - 1 / (2 * r) * data[i - 1]
        y = sigma[i + 1] / sigma[i] * y - alpha[i + 1] * torch.expm1(-h) * extrapolated
        torch.testing.assert_close(found[i + 1], y / alpha[i + 1])


@every
def test_a_data_step_is_on_every_estimate_and_the_callback_told_of_every_step(sampler):
    levels, given, told = log_levels(6, 0.1, 10.0), [], []

    def data_step(clean, sigma, index):
        given.append((round(sigma.item(), 6), index))
        return torch.full_like(clean, 2.0 + index)

    found = sampler(
        Line(), levels, normal(1, *SHAPE), data_step=data_step,
        callback=lambda *of: told.append(of),
    )  # fmt: skip
    assert torch.equal(found, torch.full(SHAPE, 7.0))  # the last estimate is the draw
    assert [(index, n) for index, n, *_ in told] == [(i, 6) for i in range(6)]
    assert [sigma.item() for *_, sigma, _ in told] == levels.tolist()
    assert all(torch.all(clean == 2.0 + index) for index, _, _, clean in told)
    expected = [(round(level, 6), i) for i, level in enumerate(levels.float().tolist())]
    if sampler is heun:
        expected = [entry for entry in expected[1:] for _ in "12"]
        expected.insert(0, (10.0, 0))
    if "churn" in str(sampler):
        assert [index for _, index in given] == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    else:
        assert given == expected


def test_a_data_step_and_the_noise_that_ddim_keeps():
    x, levels = next(normal(1, 5, 4)), torch.tensor([2.0, 1.0])

    def second(**settings):
        seen = []

        def denoised(at, sigma):
            seen.append(at)
            return 0.25 * at

        ddim(denoised, levels, [], data_step=lambda c, s, i: c + 1.0, start=x, **settings)
        return seen[1]

    torch.testing.assert_close(second(), 0.25 * x + 1.0 + 0.5 * 0.75 * x)
    expected = 0.25 * x + 1.0 + 0.5 * (x - 0.25 * x - 1.0)
    torch.testing.assert_close(second(keep_noise=False), expected)


@every
def test_a_warm_start_ends_near_what_it_started_from(sampler):
    clean = torch.where(next(normal(5, *SHAPE)) > 0, 1.3, -0.6)
    start = clean + 0.05 * next(normal(6, *SHAPE))
    x = sampler(Line(), log_levels(20, 0.002, 0.05), normal(1, *SHAPE), start=start)
    assert (x - clean).abs().max() < 0.6
    assert abs(x.std().item() - clean.std().item()) < 0.01


def test_churn_adds_the_noise_that_it_says():
    """Algorithm 2 of EDM: sigma_hat = (1 + min(churn / N, sqrt 2 - 1)) sigma inside the range."""
    levels, seen = log_levels(8, 0.05, 5.0), []

    def denoised(x, sigma):
        seen.append(sigma.item())
        return torch.zeros_like(x)

    heun(denoised, levels, normal(1, 20), churn=2.0, churn_range=(0.2, 2.0))
    first = np.array(seen[::2])
    inside = (levels.numpy() >= 0.2) & (levels.numpy() <= 2.0)
    np.testing.assert_allclose(first, levels.numpy() * np.where(inside, 1.25, 1.0), rtol=1e-6)
    seen.clear()
    heun(denoised, levels, normal(1, 20), churn=1e9)
    np.testing.assert_allclose(seen[::2], levels.numpy() * 2**0.5, rtol=1e-6)
    # A denoiser of 0 leaves x in proportion to sigma: the noise added is what is missing.
    x = torch.zeros(100_000)
    at = []
    heun(
        lambda x, s: at.append(x.std().item()) or torch.zeros_like(x),
        levels[:2], normal(1, 100_000), churn=1e9, churn_noise=1.5, start=x,
    )  # fmt: skip
    assert at[0] == pytest.approx(1.5 * 5.0, rel=0.01)


@every
@pytest.mark.parametrize("levels", [[1.0, 1.0], [0.5, 1.0], [1.0, 0.0], []])
def test_levels_that_do_not_fall_are_refused(sampler, levels):
    with pytest.raises(ValueError, match="expected falling ones above 0"):
        sampler(Line(), torch.tensor(levels), normal(1, 3, 2))


def test_passes_of_a_consistency_model_take_the_same_arguments():
    told, given = [], []

    def data_step(clean, sigma, index):
        given.append((sigma.shape, sigma.item(), index))
        return clean + 1.0

    start = next(normal(3, 2, 1, 4, 5))
    found = multistep(
        lambda x, sigma: 0.0 * x, [8.0, 2.0], normal(1, 2, 1, 4, 5),
        data_step=data_step, callback=lambda *of: told.append(of[:2]), start=start,
    )  # fmt: skip
    assert torch.equal(found, torch.ones(2, 1, 4, 5))
    assert given == [((), 8.0, 0), ((), 2.0, 1)] and told == [(0, 2), (1, 2)]
