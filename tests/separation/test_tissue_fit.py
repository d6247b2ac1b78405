"""The fit of a person's tissues: its objective, its linear system, and what it finds."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from tests.separation.test_linear import random_spaces
from tests.separation.toy import grey, make_problem

from betaplus.core.errors import UsageError
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.tissue_components import TissueComponents, TissueState
from betaplus.separation.tissue_fit import (
    TissueFit,
    fit_tissues,
    mixture_of,
    objective,
    step,
    voxels_alike,
)
from betaplus.separation.tissue_mixture import TissueMixture
from betaplus.separation.tissue_prior import TissuePrior

R, K = 3, 4


def model(seed: int = 0, common: float = 0.8):
    """Spaces, a prior of three regions, one of which may hold altered tissue."""
    spaces, decay, w = random_spaces((2, 2), seed=seed)
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(R * K, R * K)) * 0.1
    whole = (
        root @ root.T + common * np.kron(np.ones((R, R)), np.eye(K)) * 0.1 + 0.02 * np.eye(R * K)
    )
    within = np.stack([np.diag(rng.uniform(0.005, 0.02, K)) for _ in range(R)])
    prior = TissuePrior(
        mean=1.5 * rng.normal(size=(R, K)),
        between=whole.reshape(R, K, R, K),
        within=within,
        lift=np.tile(np.array([1.0, -0.5, 0.7, 0.2]), (R, 1)),
        lifted=np.stack([0.3 * np.eye(K)] * R),
        hosts=(1,),
        first=2,
    )
    return LinearEstimate(spaces, decay, w), prior, rng


def scan(estimate, prior, rng, n: int = 400, noise: float = 0.1):
    """Draw a person and voxels of it: y, s, and the true tissues."""
    theta = prior.mean.reshape(-1) + np.linalg.cholesky(prior.between.reshape(R * K, -1)) @ (
        rng.standard_normal(R * K)
    )
    theta = theta.reshape(R, K)
    of = rng.integers(R, size=n)
    c = theta[of] + np.sqrt(np.einsum("rkk->rk", prior.within))[of] * rng.standard_normal((n, K))
    y = c @ estimate.response.T + noise * rng.standard_normal((n, len(estimate.singular)))
    return torch.from_numpy(y), torch.full((n,), noise, dtype=torch.float64), theta


@pytest.mark.parametrize("stands", [1.0, 0.1])
def test_no_step_lowers_the_objective(stands):
    estimate, prior, rng = model()
    white, noise, _ = scan(estimate, prior, rng)
    components = TissueComponents(prior, 2.0)
    precision = np.linalg.inv(prior.between.reshape(R * K, -1))
    state = components.first
    start = mixture_of(components, state, estimate)
    values = []
    for _ in range(12):
        mean, _ = components.moments(state)
        held = TissueMixture(estimate, mean, start.covariance, np.log(state.weights))
        shares, evidence = held.responsibilities(white, noise)
        values.append(objective(state, components, precision, evidence, stands))
        state = step(held, components, precision, white, noise, shares, stands)
    gains = np.diff(values)
    assert (gains > -1e-7 * abs(values[-1])).all()
    assert values[-1] > values[0] + 1.0


def test_the_step_is_where_the_gradient_vanishes():
    """The expected complete log density, written out and differentiated by autograd."""
    estimate, prior, rng = model(seed=2)
    white, noise, _ = scan(estimate, prior, rng, n=60)
    components = TissueComponents(prior, 2.0)
    precision = np.linalg.inv(prior.between.reshape(R * K, -1))
    held = mixture_of(components, components.first, estimate)
    shares, _ = held.responsibilities(white, noise)
    state = step(held, components, precision, white, noise, shares, 0.3)
    F = torch.as_tensor(estimate.response)
    H, offset = (torch.as_tensor(a) for a in (components.shares, components.offset))
    covariances = torch.as_tensor(held.covariance)

    def expected(theta: torch.Tensor) -> torch.Tensor:
        off = (theta - torch.as_tensor(prior.mean)).reshape(-1)
        total = -0.5 * off @ torch.as_tensor(precision) @ off
        means = (H @ theta + offset) @ F.T
        for k in range(held.count - 1):
            cov = F @ covariances[k] @ F.T + noise[0] ** 2 * torch.eye(len(F))
            left = white - means[k]
            total = (
                total
                - 0.15 * (shares[:, k] * (left * torch.linalg.solve(cov, left.T).T).sum(1)).sum()
            )
        return total

    theta = torch.as_tensor(state.theta).requires_grad_()
    slope = torch.autograd.functional.jacobian(expected, theta)
    size = torch.autograd.functional.jacobian(expected, torch.as_tensor(prior.mean)).abs().max()
    assert slope.abs().max() < 1e-8 * size
    curved = torch.autograd.functional.hessian(expected, theta.detach()).reshape(R * K, R * K)
    np.testing.assert_allclose(
        -np.linalg.inv(curved.numpy()), state.uncertain.reshape(R * K, -1), rtol=1e-6, atol=1e-10
    )
    counted = 0.3 * shares.sum(0).numpy() + 20.0 * components.weights
    np.testing.assert_allclose(state.weights, counted / counted.sum(), rtol=1e-10)


def test_the_person_is_found_to_the_uncertainty_that_is_said():
    scores, before, after = [], 0.0, 0.0
    for seed in range(12):
        estimate, prior, rng = model(seed=seed)
        white, noise, theta = scan(estimate, prior, rng, n=300, noise=0.05)
        components = TissueComponents(prior, 2.0)
        precision = np.linalg.inv(prior.between.reshape(R * K, -1))
        state = components.first
        for _ in range(10):
            mixture = mixture_of(components, state, estimate)
            shares, _ = mixture.responsibilities(white, noise)
            state = step(mixture, components, precision, white, noise, shares, 1.0)
        off = state.theta - theta
        before += float(np.sum((prior.mean - theta) ** 2))
        after += float(np.sum(off**2))
        sd = np.sqrt(np.diag(state.uncertain.reshape(R * K, -1)))
        scores.append(off.reshape(-1) / sd)
    assert after < 0.1 * before
    assert 0.7 < np.median(np.abs(scores)) / 0.6745 < 1.6


def test_voxels_that_depart_together_tell_as_much_as_the_whole_covariance_says():
    """The posterior of theta with the covariance of all voxels of all regions written out."""
    estimate, prior, rng = model(seed=5)
    together, groups, noise = 6, 4, 0.05
    components = TissueComponents(prior, 2.0)
    known = TissueState(
        theta=prior.mean, uncertain=np.zeros_like(prior.between), weights=components.weights
    )
    mixture = mixture_of(components, known, estimate)
    F, n = estimate.response, together * groups
    theta = prior.mean + 0.3 * rng.normal(size=(R, K))
    root = np.sqrt(np.einsum("rkk->rk", prior.within))
    departed = np.repeat(root[:, None] * rng.standard_normal((R, groups, K)), together, axis=1)
    y = (theta[:, None] + departed) @ F.T + noise * rng.standard_normal((R, n, len(F)))
    shares = np.zeros((R, n, components.count))
    for r in range(R):
        shares[r, :, r] = 1.0
    precision = np.linalg.inv(prior.between.reshape(R * K, -1))
    found = step(
        mixture, components, precision, torch.from_numpy(y.reshape(R * n, -1)),
        torch.full((R * n,), noise, dtype=torch.float64),
        torch.from_numpy(shares.reshape(R * n, -1)), 1.0, float(together),
    )  # fmt: skip
    system, right = precision.copy(), precision @ prior.mean.reshape(-1)
    for r in range(R):
        alike = np.kron(np.eye(groups), np.ones((together, together)))
        whole = np.kron(alike, F @ prior.within[r] @ F.T) + noise**2 * np.eye(n * len(F))
        to = np.linalg.solve(whole, np.tile(F, (n, 1)))
        own = slice(r * K, (r + 1) * K)
        system[own, own] += np.tile(F, (n, 1)).T @ to
        right[own] += to.T @ y[r].reshape(-1)
    covariance = np.linalg.inv(system)
    np.testing.assert_allclose(
        found.uncertain.reshape(R * K, -1), covariance, rtol=1e-6, atol=1e-9 * covariance.max()
    )
    np.testing.assert_allclose(found.theta.reshape(-1), covariance @ right, rtol=1e-6, atol=1e-8)


def test_components_are_what_they_say():
    _, prior, rng = model(seed=4)
    components = TissueComponents(prior, 2.0)
    assert components.count == R + 3 + 3 + 1
    assert components.weights.sum() == pytest.approx(1.0)
    mean, cov = components.moments(components.first)
    theta, within = prior.mean, prior.within
    n = 200_000
    drawn = np.linalg.cholesky(prior.between.reshape(R * K, -1)) @ rng.standard_normal((R * K, n))
    people = theta + drawn.T.reshape(n, R, K)
    each = people + rng.standard_normal((n, R, K)) * np.sqrt(np.einsum("rkk->rk", within))
    share = rng.uniform(size=(n, 1))
    blend = share * each[:, 0] + (1 - share) * each[:, 1]
    np.testing.assert_allclose(mean[R], blend.mean(0), atol=0.02)
    np.testing.assert_allclose(cov[R], np.cov(blend.T), atol=0.03 * np.abs(cov[R]).max())
    np.testing.assert_allclose(cov[0], np.cov(each[:, 0].T), atol=0.03 * np.abs(cov[0]).max())
    first = R + 3
    np.testing.assert_allclose(mean[first] - theta[1], [1.0, -0.5, 0.0, 0.0])
    np.testing.assert_allclose(mean[first + 1] - theta[1], [0.0, 0.0, 0.7, 0.2])
    np.testing.assert_allclose(np.diag(cov[first + 2] - cov[1]), 0.3)
    np.testing.assert_allclose(np.diag(cov[first] - cov[1]), [0.3, 0.3, 0.0, 0.0])
    assert (mean[-1] == 0).all() and np.array_equal(cov[-1], 4.0 * np.eye(K))


def test_people_at_large_where_nothing_is_fitted_and_what_is_not_there_left_out():
    estimate, prior, rng = model()
    white, noise, theta = scan(estimate, prior, rng, n=500)
    base, _ = make_problem(grey(2))
    mixture = np.linalg.lstsq(
        (estimate._q * estimate.root[:, None]).T, white.numpy().T, rcond=None
    )[0]
    problem = dataclasses.replace(
        base,
        mixture=torch.from_numpy(mixture.T + estimate.mean).float().reshape(500, 1, 1, -1),
        noise=noise.float().reshape(500, 1, 1),
        mask=torch.ones(500, 1, 1, dtype=torch.bool),
    )
    large = fit_tissues(problem, estimate, prior, TissueFit(steps=0))
    assert np.array_equal(large.mean[:R], prior.mean)
    fitted = fit_tissues(problem, estimate, prior, TissueFit(steps=8, sample=300))
    assert fitted.count <= large.count
    off, before = fitted.mean[:R] - theta, prior.mean - theta
    assert np.abs(off).mean() < 0.5 * np.abs(before).mean()
    again = fit_tissues(problem, estimate, prior, TissueFit(steps=8, sample=300))
    assert np.array_equal(again.mean, fitted.mean)
    with pytest.raises(UsageError, match="1 voxel or more"):
        TissueFit(sample=0)
    with pytest.raises(UsageError, match="0 to 100 mm"):
        TissueFit(alike=-1.0)


def test_voxels_that_share_one_noise():
    """As many as the kernel's square holds, of area one: (4 pi)^(1/2) sigma an axis."""
    problem, _ = make_problem(grey(1))
    wide = dataclasses.replace(
        problem, noise_fwhm=8.0, voxel=(1.0, 1.0, 1.0),
        mixture=problem.mixture.expand(40, 40, 40, -1),
    )  # fmt: skip
    sigma = 8.0 / math.sqrt(8.0 * math.log(2.0))
    kernel = np.exp(-0.5 * (np.arange(-20, 21) / sigma) ** 2)
    square = np.convolve(kernel, kernel)  # correlation of the noise
    assert voxels_alike(wide) == pytest.approx((square.sum() / square.max()) ** 3, rel=0.01)
    assert voxels_alike(dataclasses.replace(problem, noise_fwhm=0.0)) == 1.0
    assert voxels_alike(dataclasses.replace(wide, noise_fwhm=0.0), 8.0) == voxels_alike(wide)
