"""Variants without the coupling: what they know of each other's map, and what they are told."""

import dataclasses

import numpy as np
import pytest
import torch

from betaplus.patlak.hqs import Hqs
from betaplus.patlak.noise_map import deviation, noise_map, tissue
from betaplus.pipeline.benchmark.patlak.ablation.uncoupled import (
    VARIANTS,
    each_map,
    noise_of_maps,
    one_call,
    run_variant,
    uncoupled,
)
from betaplus.pipeline.benchmark.patlak.cases import make_case

SETTINGS = {"steps": 3, "correlated": False, "twicing": False}  # of the data step alone


@pytest.fixture(scope="module")
def problem(simulated):
    return make_case(simulated, 0.1).problem


def nothing(u, sigma):
    """A prior of empty images."""
    return torch.zeros_like(u)


def with_more_V0(problem, more=0.5):
    """The problem whose least squares have more of u_2, and as much noise."""
    h = (
        problem.h
        + torch.einsum("iz,->iz", problem.normal[:, 1], torch.tensor(more).double())[
            :, None, None
        ].float()
    )
    return dataclasses.replace(problem, h=h)


def Ki_change(problem, solve):
    # One noise level for both, so that nothing but the data step differs.
    before, after = (solve(p, nothing) for p in (problem, with_more_V0(problem)))
    positive = (before[0] > 0) & (after[0] > 0)
    return float((after[0] - before[0])[positive].abs().median())


def test_only_the_coupled_data_step_lets_V0_speak_of_Ki(problem):
    full = Ki_change(problem, lambda p, prior: Hqs(Hqs.Settings(**SETTINGS), prior).fit(p).u)
    apart = Ki_change(problem, lambda p, prior: uncoupled(p, prior, SETTINGS))
    assert full > 5.0 * apart


def test_one_call_is_told_the_noise_of_each_map(problem):
    told = []

    def prior(u, sigma):
        told.append(sigma)
        return u

    found = one_call(problem, prior, {"level": 2.0})
    sd = deviation(problem, noise_map(problem))[:, torch.from_numpy(tissue(problem))]
    assert told == pytest.approx([2.0 * float(x.median()) for x in sd])
    least = problem.least_squares().clamp_min(0.0) * problem.mask
    assert torch.equal(found, least)


def test_each_map_is_the_uncoupled_one_at_levels_of_its_own(problem):
    own = noise_of_maps(problem)
    both = np.sqrt(np.mean(np.square(own)))
    assert own[0] > own[1]  # the slope is noisier
    told = []

    def prior(u, sigma):
        told.append(float(sigma))
        return u

    each_map(problem, prior, SETTINGS)
    first, second = told[:3], told[3:]
    assert np.array(first) / np.array(second) == pytest.approx(own[0] / own[1], rel=1e-6)
    told.clear()
    uncoupled(problem, prior, SETTINGS)
    assert first[0] / told[0] == pytest.approx(own[0] / both, rel=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_give_maps_of_the_grid(simulated, variant):
    case = make_case(simulated, 0.1)
    settings = {"level": 1.0} if variant == "one call" else SETTINGS
    maps = run_variant(case.study, variant, lambda u, sigma: u, settings)
    assert {name: m.shape for name, m in maps.items()} == {"Ki": (20,) * 3, "V0": (20,) * 3}
    assert np.isfinite(maps["Ki"]).all() and (maps["Ki"] >= 0).all()
