"""The adaptive reverse SDE with the exact denoiser of a mixture: its draws are the mixture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from tests.generative.mixtures import Line, normal

from betaplus.generative.reverse_sde import adaptive_reverse_sde

SHAPE = (2, 2000, 2)


def check(x: torch.Tensor, furthest: float = 0.03) -> None:
    for values in x.reshape(-1, 2).T.numpy():
        assert kstest(values, Line().cdf).statistic < furthest
        assert values.mean() == pytest.approx(Line.mean, abs=4 * Line.sd / len(values) ** 0.5)
        assert values.std() == pytest.approx(Line.sd, rel=0.05)


def test_draws_are_of_the_mixture():
    check(adaptive_reverse_sde(Line(), 80.0, 0.002, normal(3, *SHAPE), 0.02), furthest=0.035)


def test_images_have_a_step_an_image():
    levels = []

    def denoised(x, sigma):
        levels.append(sigma)
        return Line()(x, sigma)

    found = adaptive_reverse_sde(denoised, 80.0, 0.002, normal(4, 2, 1, 50, 80), 0.02)
    check(found.reshape(-1, 2), furthest=0.035)
    assert {level.shape for level in levels} == {(2,)}
    assert any(level[0] != level[1] for level in levels)


def test_calls_fall_as_the_tolerance_grows():
    calls = []
    for tolerance in (0.01, 0.03, 0.1, 0.3):
        denoised = Line()
        adaptive_reverse_sde(denoised, 80.0, 0.002, normal(1, 2, 200, 2), tolerance)
        calls.append(denoised.calls)
    assert np.all(np.diff(calls) < 0), calls
    assert calls[0] > 2 * calls[-1]


def test_an_item_does_not_depend_on_its_neighbours():
    def draws(items: list[int]) -> torch.Tensor:
        streams = [normal(seed, 1, 50, 2) for seed in items]

        def steps() -> Iterator[torch.Tensor]:
            while True:
                yield torch.cat([next(stream) for stream in streams])

        return adaptive_reverse_sde(Line(), 80.0, 0.002, steps(), 0.1)

    torch.testing.assert_close(draws([5, 6, 7])[1:2], draws([6]), atol=1e-6, rtol=0.0)


def test_the_sampler_ends_when_tries_run_out():
    for tries in (1, 12):
        denoised = Line()
        noises = normal(1, *SHAPE)
        check(adaptive_reverse_sde(denoised, 80.0, 0.002, noises, 0.02, most_steps=tries))
        assert denoised.calls < 80


def test_a_data_step_is_on_every_estimate_and_a_start_takes_the_place_of_noise():
    told, given = [], []

    def data_step(clean, sigma, index):
        given.append((sigma.shape, index))
        return torch.full_like(clean, 3.0)

    start = 3.0 + 0.5 * next(normal(2, 2, 100, 2))
    found = adaptive_reverse_sde(
        Line(), 0.5, 0.002, normal(1, 2, 100, 2), 0.05,
        data_step=data_step, callback=lambda *of: told.append(of), start=start,
    )  # fmt: skip
    assert torch.equal(found, torch.full((2, 100, 2), 3.0))
    assert [index for index, *_ in told] == list(range(len(told)))
    # Two estimates a try and a last one.
    assert given == [((2,), i) for i in range(len(told)) for _ in "12"] + [((2,), len(told))]
