"""Tissues of a person by their kinetics: moments, slopes, the search, and what it is good for."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np
import pytest
import torch
from tests.separation.small_study import small_problem

from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.tissue_components import TissueComponents, TissueState
from betaplus.separation.tissue_fit import TissueFit
from betaplus.separation.tissue_kinetics import voxel_logs
from betaplus.separation.tissue_person import PersonKinetics
from betaplus.separation.tissue_prior import TissuePrior
from betaplus.separation.tissues import tissue_mixture


@lru_cache(maxsize=1)
def person() -> PersonKinetics:
    problem, _ = small_problem()
    return PersonKinetics(problem.tissues.source, problem.spaces, problem.decay, problem.weights)


def moved(rng: np.random.Generator, size: float = 0.2) -> np.ndarray:
    """Kinetics of somebody; what has no spread over people stays."""
    kinetics = person()
    free = np.diagonal(np.linalg.inv(kinetics.precision)) > 1e-3
    change = size * rng.standard_normal(free.size) * free
    return kinetics.mean + np.clip(change, -0.4, 0.4).reshape(kinetics.mean.shape)


def test_curves_of_the_source_are_those_of_the_people():
    problem, _ = small_problem()
    source, curves = problem.tissues.source, problem.tissues
    for i in (0, 1):
        again = source.curves(i, source.kinetics.regions[i])
        np.testing.assert_allclose(
            again.reshape(curves.regions[i].shape), curves.regions[i], rtol=1e-5, atol=1e-7
        )
    scaled = curves.scaled((2.0, 3.0))
    np.testing.assert_allclose(
        scaled.source.curves(1, source.kinetics.voxels[1]).reshape(scaled.voxels[1].shape),
        3.0 * curves.voxels[1],
        rtol=1e-5,
        atol=1e-7,
    )


def test_voxels_are_drawn_as_the_voxels_of_people_are():
    """Their K1 have 60 % in common, and their means are those of the region."""
    rng = np.random.default_rng(0)
    logs = voxel_logs(rng.standard_normal((40_000, 10)))
    assert np.corrcoef(logs[0, :, 0], logs[1, :, 0])[0, 1] == pytest.approx(0.6, abs=0.02)
    assert abs(np.corrcoef(logs[0, :, 1], logs[1, :, 1])[0, 1]) < 0.02
    np.testing.assert_array_equal(logs[0, :, 4], logs[1, :, 4])
    np.testing.assert_allclose(logs.std(1), [[0.1, 0.1, 0.12, 0.08, 0.12]] * 2, rtol=0.02)
    np.testing.assert_allclose(np.exp(logs).mean(1), 1.0, atol=3e-3)


def test_moments_are_those_of_many_voxels():
    kinetics = person()
    phi = moved(np.random.default_rng(1))
    logs = voxel_logs(np.random.default_rng(2).standard_normal((3000, 10)))
    c = np.concatenate([kinetics.coefficients(i, phi[i] + logs[i][:, None]) for i in (0, 1)], -1)
    prior = kinetics.prior(phi, np.linalg.inv(kinetics.precision))
    spread = c.std(0)
    assert (np.abs(prior.mean - c.mean(0)) < 0.1 * spread + 1e-4).all()
    for r in range(kinetics.regions):
        covariance = np.cov(c[:, r].T)
        off = np.linalg.norm(prior.within[r] - covariance) / np.linalg.norm(covariance)
        assert off < 0.5  # of 64 voxels
        np.testing.assert_array_equal(prior.border[r, :, r], prior.within[r])
    assert np.linalg.eigvalsh(prior.between.reshape(len(prior.mean) * prior.size, -1)).min() > 0


def test_slopes_of_what_is_linear():
    """A curve is linear in K1 but for its blood: its slope in ln K1 is what K1 = 0 takes away."""
    kinetics = person()
    phi = moved(np.random.default_rng(3))
    slopes = kinetics.slopes(phi).reshape(kinetics.regions, -1, 2, kinetics.regions, 5)
    without = phi.copy()
    without[..., 0] = -60.0
    away = kinetics.means(phi) - kinetics.means(without)
    first = kinetics.spaces[0].size
    for r in range(kinetics.regions):
        size = np.abs(away[r]).max()
        np.testing.assert_allclose(slopes[r, :first, 0, r, 0], away[r, :first], atol=1e-3 * size)
        np.testing.assert_allclose(slopes[r, first:, 1, r, 0], away[r, first:], atol=1e-3 * size)
        assert (slopes[r, first:, 0] == 0).all()  # the other tracer's
        assert (np.delete(slopes[r], r, axis=2) == 0).all()  # other regions'


def test_uptake_of_twice_the_usual_varies_four_times_as_much():
    kinetics = person()
    usual, twice = kinetics.mean, kinetics.mean.copy()
    usual[..., 4] = twice[..., 4] = -20.0  # no blood, which would not double
    twice = twice.copy()
    twice[:, :, 0] += np.log(2.0)
    covariance = np.eye(usual.size)
    one, two = (kinetics.prior(phi, covariance).within for phi in (usual, twice))
    np.testing.assert_allclose(two, 4.0 * one, rtol=1e-3, atol=1e-6 * np.abs(two).max())


def test_the_search_ends_where_nothing_is_gained():
    """Central differences of the objective, along many ways, in units of the posterior."""
    kinetics, rng = person(), np.random.default_rng(4)
    size = kinetics.means(kinetics.mean).size
    root = rng.normal(size=(size, 2 * size))
    system = 30.0 * root @ root.T / size
    right = system @ kinetics.means(moved(rng)).reshape(-1)
    phi, covariance = kinetics.fitted(system, right, kinetics.mean, 25)
    values = [
        kinetics.objective(kinetics.fitted(system, right, kinetics.mean, n)[0], system, right)
        for n in (0, 1, 2, 4)
    ]
    assert values[0] > values[1] >= values[2] >= values[3]
    factor = np.linalg.cholesky(covariance)
    for way in (factor @ rng.standard_normal((phi.size, 12)) / np.sqrt(phi.size)).T:
        step = 0.05 * way.reshape(phi.shape)
        plus, minus = (kinetics.objective(phi + s * step, system, right) for s in (1.0, -1.0))
        assert abs(plus - minus) / 0.1 < 0.02  # of the objective, a change of which of 1/2 is 1 SD


def test_kinetics_are_found_again_where_the_data_say_them():
    kinetics, rng = person(), np.random.default_rng(5)
    true = moved(rng)
    theta = kinetics.means(true).reshape(-1)
    system = 1e8 * np.eye(theta.size)
    phi, _ = kinetics.fitted(system, system @ theta, kinetics.mean, 30)
    np.testing.assert_allclose(kinetics.means(phi).reshape(-1), theta, atol=2e-3)


def test_a_border_between_alike_regions_varies_as_they_do():
    """With one field on both sides, s d_a + (1 - s) d_b has the covariance of d."""
    rng = np.random.default_rng(6)
    root = rng.normal(size=(4, 4))
    W = root @ root.T
    zero = np.zeros((2, 4, 2, 4))
    prior = TissuePrior(
        mean=np.zeros((2, 4)), between=zero, within=np.stack([W, W]), lift=np.zeros((2, 4)),
        lifted=np.zeros((2, 4, 4)), hosts=(), first=2,
    )  # fmt: skip
    same = dataclasses.replace(prior, border=np.broadcast_to(W[None, :, None], zero.shape).copy())
    for each, share in ((prior, 2.0 / 3.0), (same, 1.0)):
        components = TissueComponents(each, 2.0)
        state = TissueState(theta=each.mean, uncertain=zero, weights=components.weights)
        _, covariance = components.moments(state)
        np.testing.assert_allclose(covariance[2], share * W, rtol=1e-12)


def error(problem, x, kinetics: bool) -> list[float]:
    mixture = tissue_mixture(problem, TissueFit(kinetics=kinetics))
    white = mixture.estimate.whitened(problem.mixture[problem.mask].double()).float()
    noise = problem.noise[problem.mask]
    shares, _ = mixture.responsibilities(white, noise)
    curves = mixture.estimate.curves(mixture.moments(white, noise, shares).mean)
    seen = torch.as_tensor(problem.seen)
    return [
        float((curve - x[i][problem.mask])[:, seen[i]].square().mean().sqrt())
        for i, curve in enumerate(curves)
    ]


def test_without_blood_nothing_changes():
    problem, x = small_problem(population=True)
    assert problem.tissues.source is None
    assert error(problem, x, True) == error(problem, x, False)


def test_what_is_not_seen_follows_from_the_model():
    """Half of the directions of theta are seen with hardly any noise, the others not at all."""
    kinetics, rng = person(), np.random.default_rng(7)
    prior = kinetics.prior(kinetics.mean, np.linalg.inv(kinetics.precision))
    flat = prior.between.reshape(len(prior.mean) * prior.size, -1)
    precision = np.linalg.inv(flat)
    basis = np.linalg.qr(rng.normal(size=(flat.shape[0], flat.shape[0] // 2)))[0]
    ours, theirs = 0.0, 0.0
    for _ in range(3):
        true = kinetics.means(moved(rng, 0.35)).reshape(-1)
        system = 1e4 * basis @ basis.T
        right = system @ true
        phi, _ = kinetics.fitted(system, right, kinetics.mean, 25)
        linear = np.linalg.solve(system + precision, right + precision @ prior.mean.reshape(-1))
        ours += np.square(kinetics.means(phi).reshape(-1) - true).sum()
        theirs += np.square(linear - true).sum()
    assert ours < 0.8 * theirs


def test_it_says_the_tissues_of_the_estimate_that_it_was_given():
    problem, _ = small_problem()
    mixture = tissue_mixture(problem, TissueFit(kinetics=True))
    assert isinstance(mixture.estimate, LinearEstimate)
    assert np.isfinite(mixture.mean).all() and np.exp(mixture.log_weight).sum() == pytest.approx(1)
