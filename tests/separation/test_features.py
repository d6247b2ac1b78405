"""What the network is shown: against the methods that it is of, and without a unit of activity."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from tests.separation.small_study import small_problem

from betaplus.core.errors import UsageError
from betaplus.physics.blur import GaussianBlur
from betaplus.separation.features import (
    NARROW,
    WIDE,
    condition_count,
    context_count,
    features,
    reach,
)
from betaplus.separation.known import FIT, known_of, relative_noise
from betaplus.separation.smoothing import smoothed
from betaplus.separation.tissues import Tissues

K = 12


def test_images_are_estimates_of_the_scan_and_of_it_smoothed():
    problem, _ = small_problem()
    shown = features(problem)
    assert shown.condition.shape == (condition_count(K), 16, 16, 16)
    assert shown.context.shape == (context_count(K),)
    mask = problem.mask
    tissues = Tissues(Tissues.Settings(steps=FIT.steps, sample=FIT.sample)).fit(problem)
    curves = shown.estimate.curves(shown.base[:, mask].T)
    for i in range(2):
        torch.testing.assert_close(curves[i], tissues.x[i][mask], atol=1e-4, rtol=1e-3)
    base, spread = shown.base[:, mask], shown.spread.flatten(1)
    for j, width in ((2, 0.0), (3, NARROW)):
        seen = smoothed(problem, width)
        c = shown.estimate.coefficients(seen.mixture[mask], seen.noise[mask])
        away = ((c.T - base) / spread).asinh().clamp(-6, 6)
        found = shown.condition[K * j : K * (j + 1), mask]
        torch.testing.assert_close(found, away, atol=0.02, rtol=1e-3)
    blur = GaussianBlur(problem.shape, problem.voxel, WIDE)
    inside = blur.forward(mask.float().numpy())[mask]
    wide = np.stack([blur.forward(image.numpy())[mask] / inside for image in shown.base])
    away = (base - torch.from_numpy(wide)) / spread
    for found in (shown.condition[K : 2 * K, mask], shown.start[:, mask]):
        torch.testing.assert_close(found, away.asinh(), rtol=2e-3, atol=2e-2)
    assert away.abs().max() > 1.5 * shown.start.abs().max()
    torch.testing.assert_close(shown.coefficients(shown.start), shown.base, rtol=1e-4, atol=1e-5)
    assert (shown.condition[:, ~mask] == 0).all() and (shown.condition[-1, mask] == 1).all()


def test_the_spread_is_that_of_the_posterior():
    problem, _ = small_problem()
    shown = features(problem)
    known, mask = shown.known, problem.mask
    white = shown.estimate.whitened(problem.mixture[mask].double()).float()
    noise = problem.noise[mask]
    shares, _ = known.mixture.responsibilities(white, noise)
    moments = known.mixture.moments(white, noise, shares, spread=torch.eye(K))
    usual = moments.variance.mean(0).sqrt()
    torch.testing.assert_close(known.spread, usual.clamp_min(1e-3), rtol=0.1, atol=1e-4)
    told = shown.condition[4 * K : 5 * K, mask]
    expected = (moments.variance / known.spread**2 + 1e-4).log() / 2
    torch.testing.assert_close(told.T, expected, rtol=1e-3, atol=1e-3)
    sure = shown.condition[-2, mask]
    torch.testing.assert_close(sure, (shares.amax(1) + 0.01).log(), rtol=1e-3, atol=1e-3)


def test_the_misfit_is_that_of_the_curves():
    problem, _ = small_problem()
    shown = features(problem)
    mask = problem.mask
    noise = problem.noise[mask]
    linear = shown.estimate.coefficients(problem.mixture[mask].double(), noise.double())
    pair = shown.estimate.curves(linear)
    d = torch.as_tensor(problem.decay)
    left = problem.mixture[mask] - d[0] * pair[0] - d[1] * pair[1]
    weights = torch.as_tensor(problem.weights)
    expected = 0.5 * torch.log(1e-6 + (left.square() * weights).mean(1) / noise.square())
    torch.testing.assert_close(shown.condition[-4, mask].double(), expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("factor", [1e-3, 40.0])
def test_they_have_no_unit(factor):
    problem, _ = small_problem()
    other = dataclasses.replace(
        problem,
        mixture=problem.mixture * factor,
        noise=problem.noise * factor,
        scale=problem.scale / factor,
        spaces=tuple(space.scaled(factor) for space in problem.spaces),
        tissues=problem.tissues.scaled((factor, factor)),
    )
    one, two = features(problem), features(other)
    torch.testing.assert_close(one.base, two.base, atol=2e-3, rtol=1e-2)
    away = (one.condition - two.condition).abs()
    assert away.mean() < 2e-3 and away.quantile(0.99) < 0.02
    torch.testing.assert_close(one.context, two.context, atol=1e-4, rtol=1e-4)
    assert relative_noise(problem) == pytest.approx(relative_noise(other), rel=1e-5)


def test_numbers_tell_the_scan():
    problem, _ = small_problem()
    later, _ = small_problem(0.0)
    one, two = features(problem).context, features(later).context
    assert one[K] == pytest.approx(0.0) and two[K] == pytest.approx(-1.0)
    hours = [tracer.half_life / 3600.0 for tracer in problem.tracers]
    assert one[K + 1 : K + 3].tolist() == pytest.approx([math.log(h) for h in hours])
    spread = features(problem).known.spread
    assert torch.allclose(one[:K], 0.5 * spread.log())
    assert two[:K].sum() > one[:K].sum() + 0.5  # together they are hard to tell apart


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
    shown = features(part, known=known_of(fine))
    torch.testing.assert_close(shown.condition[:, :4], whole.condition[:, :4])
    torch.testing.assert_close(shown.base[:, :4], whole.base[:, :4])
    assert torch.equal(shown.context, whole.context)


def test_spaces_are_needed():
    problem, _ = small_problem()
    for name in ("spaces", "tissues"):
        with pytest.raises(UsageError, match="no tissues"):
            features(dataclasses.replace(problem, **{name: None}))
