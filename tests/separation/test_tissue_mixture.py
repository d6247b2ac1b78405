"""The mixture of tissues against dense posteriors and integrals over a grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from tests.separation.test_linear import T, random_spaces

from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.tissue_mixture import TissueMixture


def whitened(estimate: LinearEstimate, mixtures: np.ndarray) -> torch.Tensor:
    return estimate.whitened(torch.from_numpy(mixtures))


def test_one_component_is_the_linear_estimate():
    spaces, decay, w = random_spaces((3, 2))
    estimate = LinearEstimate(spaces, decay, w)
    mixture = TissueMixture(estimate, np.zeros((1, 5)), np.eye(5)[None], np.zeros(1))
    m = np.random.default_rng(1).random((40, T))
    noise = torch.linspace(0.05, 2.0, 40, dtype=torch.float64)
    white = whitened(estimate, m)
    shares, evidence = mixture.responsibilities(white, noise)
    assert torch.equal(shares, torch.ones(40, 1, dtype=torch.float64))
    spread = torch.as_tensor(estimate.frame_basis)
    found = mixture.moments(white, noise, shares, spread=spread)
    expected = estimate.coefficients(torch.from_numpy(m), noise)
    torch.testing.assert_close(found.mean, expected, rtol=1e-9, atol=1e-10)
    sd = estimate.curve_deviation(noise).movedim(0, 1).flatten(1)
    torch.testing.assert_close(found.variance.sqrt(), sd, rtol=1e-7, atol=1e-8)
    F = mixture.seen
    for y, s, log in zip(white.numpy(), noise.numpy(), evidence.numpy(), strict=True):
        cov = F @ F.T + s**2 * np.eye(len(F))
        assert log == pytest.approx(multivariate_normal(np.zeros(len(F)), cov).logpdf(y), abs=1e-8)


@pytest.mark.parametrize("noise", [0.1, 0.6])
def test_two_tissues_against_the_integral_over_coefficients(noise):
    """(One coefficient a tracer: the posterior is on a plane, and sums over a fine grid.)"""
    spaces, decay, w = random_spaces((1, 1), seed=3)
    estimate = LinearEstimate(spaces, decay, w)
    mean = np.array([[0.8, -0.5], [-1.0, 0.4]])
    cov = np.array([[[0.3, 0.1], [0.1, 0.2]], [[0.15, -0.05], [-0.05, 0.5]]])
    weight = np.array([0.35, 0.65])
    mixture = TissueMixture(estimate, mean, cov, np.log(weight))
    rng = np.random.default_rng(5)
    c = rng.normal(size=(6, 2))
    clean = sum(d * s.curves(c[:, [i]]) for i, (d, s) in enumerate(zip(decay, spaces, strict=True)))
    m = clean + noise / np.sqrt(w) * rng.standard_normal((6, T))
    axis = np.linspace(-5.0, 5.0, 801)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    prior = sum(
        p * multivariate_normal(a, b).pdf(grid) for p, a, b in zip(weight, mean, cov, strict=True)
    )
    curves = sum(
        d * s.curves(grid[:, [i]]) for i, (d, s) in enumerate(zip(decay, spaces, strict=True))
    )
    white = whitened(estimate, m)
    level = torch.full((6,), noise, dtype=torch.float64)
    shares, _ = mixture.responsibilities(white, level)
    assert ((shares[:, 0] > 0.1) & (shares[:, 0] < 0.9)).sum() >= 2  # both count
    found = mixture.moments(white, level, shares, spread=torch.eye(2))
    for n in range(6):
        log = -0.5 * np.sum(w * (m[n] - curves) ** 2, 1) / noise**2
        density = prior * np.exp(log - log.max())
        density /= density.sum()
        expected = density @ grid
        variance = density @ (grid - expected) ** 2
        # components of less than a thousandth are left out
        np.testing.assert_allclose(found.mean[n], expected, atol=3e-3)
        np.testing.assert_allclose(found.variance[n], variance, rtol=0.03, atol=1e-4)


def test_some_of_the_components_share_the_weight():
    spaces, decay, w = random_spaces((2, 2))
    estimate = LinearEstimate(spaces, decay, w)
    rng = np.random.default_rng(0)
    cov = np.stack([np.eye(4) * v for v in (0.5, 1.0, 2.0)])
    mixture = TissueMixture(estimate, rng.normal(size=(3, 4)), cov, np.log([0.2, 0.3, 0.5]))
    kept = mixture.kept(np.array([True, False, True]))
    assert np.exp(kept.log_weight) == pytest.approx([2 / 7, 5 / 7])
    white = whitened(estimate, rng.random((8, T)))
    noise = torch.full((8,), 0.3, dtype=torch.float64)
    every, log = mixture.responsibilities(white, noise)
    some, _ = kept.responsibilities(white, noise)
    both = every[:, [0, 2]]
    torch.testing.assert_close(some, both / both.sum(1, keepdim=True))
    own = torch.log(torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)).expand(8, 3)
    again, other = mixture.responsibilities(white, noise, own)
    torch.testing.assert_close(again, every)
    torch.testing.assert_close(other, log)
