"""Spaces of curves, and the closed-form estimate against a dense Bayesian solve."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.separation.toy import FDG, FMZ, bolus, frames_with, grey, make_problem

from betaplus.core.errors import UsageError
from betaplus.physics.dual import Mixing
from betaplus.physics.response import InputResponse
from betaplus.separation.basis import (
    CurveSpace,
    curve_space,
    draw_curves,
    draw_kinetics,
    space_of_curves,
)
from betaplus.separation.linear import Linear
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.smoothing import noise_left, smoothed
from betaplus.simulation.dynamic import frame_means
from betaplus.simulation.fields import gaussian_field, sigma_of_fwhm
from betaplus.simulation.tracers import find_profile

T = 12


def random_spaces(sizes=(3, 2), seed=0):
    rng = np.random.default_rng(seed)
    decay = np.vstack([rng.random(T) + 0.2, np.r_[np.zeros(4), rng.random(T - 4) + 0.2]])
    spaces = []
    for k, d in zip(sizes, decay, strict=True):
        mean, basis = rng.random(T) * (d > 0), rng.standard_normal((T, k)) * (d > 0)[:, None]
        spaces.append(CurveSpace(mean=mean, basis=basis, explained=np.ones(T)))
    return (spaces[0], spaces[1]), decay, rng.random(T) + 0.5


@pytest.mark.parametrize("sizes", [(3, 2), (9, 8)])
@pytest.mark.parametrize("noise", [0.05, 3.0])
def test_estimate_is_the_dense_posterior(sizes, noise):
    """(17 coefficients of 12 frames: some of them only the prior knows.)"""
    spaces, decay, w = random_spaces(sizes)
    estimate = LinearEstimate(spaces, decay, w)
    A = np.concatenate([d[:, None] * s.basis for d, s in zip(decay, spaces, strict=True)], 1)
    mu = sum(d * s.mean for d, s in zip(decay, spaces, strict=True))
    precision = np.eye(A.shape[1]) + (A.T * w) @ A / noise**2
    cov = np.linalg.inv(precision)
    m = np.random.default_rng(1).random((6, T))
    expected = (cov @ (A.T * w) @ (m - mu).T / noise**2).T
    level = torch.full((6,), noise, dtype=torch.float64)
    found = estimate.coefficients(torch.from_numpy(m), level)
    assert found.numpy() == pytest.approx(expected, abs=1e-9)
    assert estimate.covariance(noise) == pytest.approx(cov, abs=1e-9)
    assert estimate.deviation(level).numpy() == pytest.approx(
        np.sqrt(np.diag(cov))[None].repeat(6, 0), abs=1e-9
    )
    assert (m - mu) @ estimate.estimator(noise).T == pytest.approx(expected, abs=1e-9)
    curves = estimate.curve_deviation(level)
    k = sizes[0]
    for i, (s, block) in enumerate(zip(spaces, (cov[:k, :k], cov[k:, k:]), strict=True)):
        sd = np.sqrt(np.diag(s.basis @ block @ s.basis.T))
        assert curves[i, 0].numpy() == pytest.approx(sd, abs=1e-9)


def test_whitened_noise_is_white_and_leverage_is_what_a_fit_takes():
    spaces, decay, w = random_spaces()
    estimate = LinearEstimate(spaces, decay, w)
    noise = 0.3
    rng = np.random.default_rng(2)
    n = torch.from_numpy(noise / np.sqrt(w) * rng.standard_normal((40000, T)))
    white = estimate.whitened(torch.from_numpy(estimate.mean) + n)
    assert np.cov(white.numpy().T) == pytest.approx(noise**2 * np.eye(5), abs=0.004)
    c = estimate.coefficients(torch.from_numpy(estimate.mean) + n, noise)
    first, second = estimate.curves(c)
    left = n + torch.from_numpy(estimate.mean) - torch.from_numpy(decay[0]) * first
    left = (left - torch.from_numpy(decay[1]) * second).numpy()
    assert left.var(0) * w / noise**2 == pytest.approx(1 - estimate.leverage(noise), abs=0.03)


def test_space_holds_the_curves_of_other_people():
    """Four directions hold all but a little of curves that were not drawn for them."""
    frames = frames_with(1200.0)
    mixing = Mixing(frames, (FMZ, FDG), (0.0, 1200.0))
    for i, name in enumerate(("FMZ", "FDG")):
        profile, blood = find_profile(name), bolus(7000.0)
        space = curve_space(profile, mixing, i, blood=blood, arrival=0.0, size=4, subjects=40)
        curves = draw_curves(profile, mixing, i, blood=blood, arrival=0.0, subjects=8, seed=9)
        seen = mixing.seen[i]
        root = np.sqrt(frames.duration[seen]) * mixing.decay[i, seen]
        off, basis = (curves - space.mean[seen]) * root, space.basis[seen] * root[:, None]
        left = off - off @ np.linalg.pinv(basis).T @ basis.T
        assert np.sum(left**2) < 0.01 * np.sum(off**2)
        assert space.explained[3] > 0.99 and (np.diff(space.explained) >= 0).all()
        assert (space.mean[~seen] == 0).all() and (space.basis[~seen] == 0).all()
        c = np.linalg.lstsq(basis, off.T, rcond=None)[0]
        assert 0.5 < c[:2].std() < 2.0
        half = space.scaled(0.5).first(2)
        assert half.size == 2 and half.mean == pytest.approx(0.5 * space.mean)
    with pytest.raises(UsageError, match="directions"):
        curve_space(find_profile("FMZ"), mixing, 0, size=0)


def test_a_space_is_that_of_the_curves_of_kinetics_drawn_before():
    mixing = Mixing(frames_with(1200.0), (FMZ, FDG), (0.0, 1200.0))
    profile, kinetics = find_profile("FDG"), draw_kinetics(find_profile("FDG"), 1, 6, 3)
    known = {"blood": bolus(7000.0), "arrival": 2.0, "seed": 3}
    curves = draw_curves(profile, mixing, 1, kinetics=kinetics, **known)
    made = space_of_curves(curves, mixing, 1, size=3)
    whole = curve_space(profile, mixing, 1, subjects=6, size=3, **known)
    np.testing.assert_array_equal(made.mean, whole.mean)
    np.testing.assert_array_equal(made.basis, whole.basis)
    n = kinetics["K1"].size
    assert n == 6 * len(profile.regions) and len(curves) == n
    own = mixing.own_frames(1)
    response = InputResponse(known["blood"].curve(own.end[-1] + 1.0), own, profile.tracer.half_life)
    exact = frame_means(response, kinetics, 2.0)
    np.testing.assert_allclose(curves, exact, rtol=1e-9)


def test_without_blood_people_take_that_of_the_population_in_turn():
    mixing = Mixing(frames_with(1200.0), (FMZ, FDG), (0.0, 1200.0))
    profile = find_profile("FDG")
    kinetics = draw_kinetics(profile, 1, 2, 0)
    same = {p: np.concatenate([v[:17], v[:17]]) for p, v in kinetics.items()}  # one person twice
    first, second = np.split(draw_curves(profile, mixing, 1, kinetics=same), 2)
    ratio = second[:, 2:] / first[:, 2:]
    assert (first[:, 2:] > 0).all() and np.abs(np.log(ratio)).min() > 1e-5
    assert ratio.min() > 0.3 and ratio.max() < 3.0


def test_linear_separates_what_its_prior_holds_and_says_how_well():
    spaces, decay, w = random_spaces((2, 2), seed=4)
    problem, _ = make_problem(grey(3), delay=1200.0)
    rng = np.random.default_rng(0)
    c = rng.standard_normal((2, 3000, 2))
    x = np.stack([s.curves(c[i]) for i, s in enumerate(spaces)])
    noise = 0.2
    m = np.einsum("if,inf->nf", decay, x) + noise / np.sqrt(w) * rng.standard_normal((3000, T))
    shape = (3000, 1, 1)
    toy = dataclasses.replace(
        problem,
        mixture=torch.from_numpy(m.astype(np.float32)).reshape(*shape, T),
        decay=decay,
        weights=w,
        noise=torch.full(shape, noise),
        mask=torch.ones(shape, dtype=torch.bool),
        spaces=spaces,
    )
    found = Linear().fit(toy)
    off = (found.x[:, :, 0, 0].numpy() - x) / found.std[:, :, 0, 0].numpy().clip(1e-9)
    seen = np.stack([decay > 0] * 3000, 1)
    assert off[seen].std() == pytest.approx(1.0, abs=0.03)
    with pytest.raises(UsageError, match="no spaces of curves"):
        Linear().fit(dataclasses.replace(toy, spaces=None))


@pytest.mark.parametrize("own", [0.0, 5.0])
def test_smoothing_leaves_the_noise_that_it_says(own):
    voxel, fwhm = 2.0, 6.0
    left = noise_left(fwhm, own, (voxel,) * 3)
    problem, _ = make_problem(grey(1))
    shape = (40, 40, 40)
    field = gaussian_field(shape, [sigma_of_fwhm(own) / voxel] * 3, np.random.default_rng(1))
    scan = dataclasses.replace(
        problem,
        mixture=torch.from_numpy(field[..., None].astype(np.float32)),
        noise=torch.ones(shape),
        noise_fwhm=own,
        mask=torch.ones(shape, dtype=torch.bool),
    )
    found = smoothed(scan, fwhm)
    inner = found.mixture[8:-8, 8:-8, 8:-8]
    assert float(inner.var()) == pytest.approx(left, rel=0.15)
    assert float(found.noise[20, 20, 20]) == pytest.approx(np.sqrt(left), rel=0.01)
    assert smoothed(scan, 0.0) is scan
    with pytest.raises(UsageError, match="fwhm"):
        smoothed(scan, -1.0)
