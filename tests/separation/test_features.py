"""What the network is shown: against the filters on frames, and without a unit of activity."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from tests.separation.small_study import small_problem

from betaplus.core.errors import UsageError
from betaplus.separation.features import (
    WIDTHS,
    condition_count,
    context_count,
    features,
    noise_level,
    reach,
    relative_noise,
)
from betaplus.separation.smoothing import smoothed

K = 8


def test_images_are_the_linear_estimates_of_the_scan_and_of_it_smoothed():
    problem, _ = small_problem()
    shown = features(problem)
    assert shown.condition.shape == (condition_count(K), 16, 16, 16)
    assert shown.context.shape == (context_count(K),)
    mask = problem.mask
    for j, width in enumerate((0.0, *WIDTHS)):
        seen = smoothed(problem, width)
        c = shown.estimate.coefficients(seen.mixture[mask], seen.noise[mask]).clamp(-6, 6)
        found = shown.condition[K * j : K * (j + 1), mask].T
        torch.testing.assert_close(found, c, atol=2e-4, rtol=1e-3)
    middle = float(problem.noise[mask].median())
    deviation = torch.as_tensor(shown.estimate.covariance(middle)).diagonal().sqrt()
    torch.testing.assert_close(shown.spread.flatten().double(), deviation, rtol=1e-4, atol=1e-6)
    wide = smoothed(problem, WIDTHS[-1])
    c = shown.estimate.coefficients(wide.mixture[mask], wide.noise[mask])
    away = (shown.linear[:, mask] - c.T) / shown.spread.flatten(1)
    for found in (shown.condition[3 * K : 4 * K, mask], shown.start[:, mask]):
        torch.testing.assert_close(found.sinh(), away, rtol=2e-3, atol=5e-3)
    assert away.abs().max() > 1.5 * shown.start.abs().max()
    torch.testing.assert_close(shown.coefficients(shown.start), shown.linear, rtol=1e-4, atol=1e-5)
    assert (shown.condition[:, ~mask] == 0).all() and (shown.condition[-1, mask] == 1).all()


def test_the_misfit_is_that_of_the_curves():
    problem, _ = small_problem()
    shown = features(problem)
    mask = problem.mask
    noise = problem.noise[mask]
    pair = shown.estimate.curves(shown.linear[:, mask].T)
    d = torch.as_tensor(problem.decay).float()
    left = problem.mixture[mask] - d[0] * pair[0] - d[1] * pair[1]
    weights = torch.as_tensor(problem.weights).float()
    expected = 0.5 * torch.log(1e-6 + (left.square() * weights).mean(1) / noise.square())
    torch.testing.assert_close(shown.condition[-3, mask], expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("factor", [1e-3, 40.0])
def test_they_have_no_unit(factor):
    problem, _ = small_problem()
    other = dataclasses.replace(
        problem,
        mixture=problem.mixture * factor,
        noise=problem.noise * factor,
        scale=problem.scale / factor,
        spaces=tuple(space.scaled(factor) for space in problem.spaces),
    )
    one, two = features(problem), features(other)
    torch.testing.assert_close(one.linear, two.linear, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(one.condition, two.condition, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(one.context, two.context, atol=1e-4, rtol=1e-4)
    assert relative_noise(problem) == pytest.approx(relative_noise(other), rel=1e-5)


def test_numbers_tell_the_scan():
    problem, _ = small_problem()
    later, _ = small_problem(0.0)
    one, two = features(problem).context, features(later).context
    assert one[K] == pytest.approx(0.0) and two[K] == pytest.approx(-1.0)
    hours = [tracer.half_life / 3600.0 for tracer in problem.tracers]
    assert one[K + 1 : K + 3].tolist() == pytest.approx([math.log(h) for h in hours])
    spread = torch.cat([one[:K], two[:K]])
    assert (spread > 0).all() and (spread <= 1.0 + 1e-6).all()
    assert two[:K].sum() > one[:K].sum() + 1.0  # together they are hard to tell apart


def test_a_part_with_its_surroundings_shows_what_the_whole_does():
    problem, _ = small_problem()
    voxel = (2.0, 2.0, 2.0)
    fine = dataclasses.replace(problem, voxel=voxel)
    whole = features(fine)
    edge = reach(voxel)[0]
    cut = (slice(0, 4 + edge), slice(None), slice(None))
    part = dataclasses.replace(
        fine, mixture=fine.mixture[cut], noise=fine.noise[cut], mask=fine.mask[cut]
    )
    shown = features(part, level=noise_level(fine))
    torch.testing.assert_close(shown.condition[:, :4], whole.condition[:, :4])
    torch.testing.assert_close(shown.linear[:, :4], whole.linear[:, :4])
    assert torch.equal(shown.context, whole.context)


def test_spaces_are_needed():
    problem, _ = small_problem()
    with pytest.raises(UsageError, match="no spaces"):
        features(dataclasses.replace(problem, spaces=None))
