"""Samplers with the exact denoiser of a mixture of Gaussians: their draws are the mixture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from betaplus.generative.samplers import adaptive_reverse_sde, ancestral, trajectory
from betaplus.generative.schedules import karras_levels, vp_levels

SHARE, CENTRE, SPREAD = (0.7, 0.3), (-0.6, 1.3), (0.35, 0.6)
MEAN = sum(p * m for p, m in zip(SHARE, CENTRE, strict=True))
SECOND = sum(p * (m * m + s * s) for p, m, s in zip(SHARE, CENTRE, SPREAD, strict=True))
SD = (SECOND - MEAN**2) ** 0.5
DRAWS = 4000


def cdf(x):
    return sum(p * norm(m, s).cdf(x) for p, m, s in zip(SHARE, CENTRE, SPREAD, strict=True))


class Denoiser:
    """E[clean | x] for each coordinate from the mixture, and how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        square = (sigma * sigma)[..., None].expand_as(x)
        logs, means = [], []
        for p, m, s in zip(SHARE, CENTRE, SPREAD, strict=True):
            total = s * s + square
            logs.append(np.log(p) - 0.5 * total.log() - 0.5 * (x - m) ** 2 / total)
            means.append((s * s * x + square * m) / total)
        return (torch.stack(logs).softmax(0) * torch.stack(means)).sum(0)


def normal(seed: int = 1, items: int = 2, draws: int = DRAWS // 2) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(items, draws, 2, generator=generator)


def check(x: torch.Tensor, furthest: float = 0.03) -> None:
    """Compare each of two independent coordinates with the mixture.

    At 4,000 draws the KS distance of a right sampler exceeds 0.031 once in a thousand times.
    """
    for values in x.reshape(-1, 2).T.numpy():
        assert kstest(values, cdf).statistic < furthest
        assert values.mean() == pytest.approx(MEAN, abs=4 * SD / DRAWS**0.5)
        assert values.std() == pytest.approx(SD, rel=0.05)
        for level in (0.05, 0.5, 0.95):
            assert cdf(np.quantile(values, level)) == pytest.approx(level, abs=0.03)
    assert abs(np.corrcoef(x.reshape(-1, 2).T.numpy())[0, 1]) < 0.06


def test_ancestral_sampling():
    denoised = Denoiser()
    check(ancestral(denoised, vp_levels(1000).float(), normal()))
    assert denoised.calls == 1000


def test_the_probability_flow():
    denoised = Denoiser()
    path = trajectory(denoised, karras_levels(41).float(), next(normal()))
    assert path.shape == (41, 2, DRAWS // 2, 2)
    assert denoised.calls == 80
    check(path[-1])


def test_the_path_of_the_flow_has_the_noise_of_each_level():
    levels = karras_levels(41).float()
    path = trajectory(Denoiser(), levels, next(normal()))
    expected = (SD**2 + levels**2).sqrt()
    torch.testing.assert_close(path.std((1, 2, 3)), expected, rtol=0.05, atol=0.0)


def test_the_reverse_sde():
    check(adaptive_reverse_sde(Denoiser(), 80.0, 0.002, normal(3), 0.02), furthest=0.035)


def test_calls_of_the_reverse_sde_fall_as_the_tolerance_grows():
    calls = []
    for tolerance in (0.01, 0.03, 0.1, 0.3):
        denoised = Denoiser()
        adaptive_reverse_sde(denoised, 80.0, 0.002, normal(draws=200), tolerance)
        calls.append(denoised.calls)
    assert np.all(np.diff(calls) < 0), calls
    assert calls[0] > 2 * calls[-1]


def test_an_item_of_the_reverse_sde_does_not_depend_on_its_neighbours():
    def draws(items: list[int]) -> torch.Tensor:
        streams = [normal(seed, 1, 50) for seed in items]

        def steps() -> Iterator[torch.Tensor]:
            while True:
                yield torch.cat([next(stream) for stream in streams])

        return adaptive_reverse_sde(Denoiser(), 80.0, 0.002, steps(), 0.1)

    torch.testing.assert_close(draws([5, 6, 7])[1:2], draws([6]), atol=1e-6, rtol=0.0)


def test_the_reverse_sde_ends_when_tries_run_out():
    for tries in (1, 12):
        denoised = Denoiser()
        check(adaptive_reverse_sde(denoised, 80.0, 0.002, normal(), 0.02, most_steps=tries))
        assert denoised.calls < 80
