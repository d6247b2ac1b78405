"""Twicing, against sums over voxels written out, and against a bias that is known."""

import dataclasses

import numpy as np
import pytest
import torch
from tests.patlak.gaussian import SHAPE, denoiser, problem

from betaplus.patlak.hqs import Hqs
from betaplus.patlak.noise_map import noise_correlation, noise_map
from betaplus.patlak.smoothed import matched_fwhm
from betaplus.patlak.twicing import twiced


def _unit(scan) -> np.ndarray:
    """Variance of the noise that voxels are compared by: of M^(1/2) u after the filter of `nlm`."""
    variance = noise_map(scan)
    correlation = noise_correlation(scan, variance)
    matched = matched_fwhm(scan, variance, correlation)
    return matched, variance.double().numpy() * correlation.left(0.7 * matched)


@pytest.mark.parametrize("coupled", [True, False])
def test_it_is_the_sum_over_voxels_that_are_alike(coupled: bool) -> None:
    scan = problem(noise=0.4)
    scan.mask[:2] = False
    rng = np.random.default_rng(1)
    u = torch.from_numpy(rng.uniform(0, 2, (2, *SHAPE)).astype(np.float32)) * scan.mask
    found = twiced(scan, u, alike=1.3, search=1.5, coupled=coupled).double().numpy()
    matched, variance = _unit(scan)
    inside = scan.mask.numpy()
    at = np.argwhere(inside)
    near = np.linalg.norm((at[:, None] - at[None]) * 4.0, axis=-1) <= 1.5 * matched
    noise = variance[inside]
    normal = scan.normal.numpy()[:, :, 0]
    values = u.double().numpy()[:, inside]
    left = scan.least_squares().double().numpy()[:, inside] - values
    for i in range(2):
        if coupled:  # (a - b)' M (a - b), over two channels
            change = values[:, :, None] - values[:, None]
            far = np.einsum("iab,ij,jab->ab", change, normal, change) / 2
        else:
            far = (values[i][:, None] - values[i]) ** 2 / np.linalg.inv(normal)[i, i]
        k = near * np.exp(-far / (noise[:, None] + noise) / 1.3**2)
        k /= k.sum(1, keepdims=True)
        np.testing.assert_allclose(found[i][inside], values[i] + k @ left[i], atol=2e-4)
    assert not found[:, ~inside].any()


def test_a_bias_goes_and_noise_stays_low() -> None:
    """Maps that are even, and .3 too low in a part of them."""
    scan = problem(noise=0.0)
    flat = torch.ones((2, *SHAPE))
    flat[0, :4] += 2.0
    rng = np.random.default_rng(5)
    normal = scan.normal.double()[:, :, 0]
    root = torch.linalg.cholesky(torch.linalg.inv(normal))
    white = torch.from_numpy(rng.standard_normal((2, *SHAPE)))
    fit = flat.double() + 0.3 * torch.einsum("ij,jxyz->ixyz", root, white)
    scan = dataclasses.replace(
        scan,
        h=torch.einsum("ij,jxyz->ixyz", normal, fit).float(),
        misfit=torch.from_numpy((0.09 * rng.chisquare(10, SHAPE)).astype(np.float32)),
        noise=torch.from_numpy((0.3 * rng.standard_normal(SHAPE)).astype(np.float32)),
    )
    biased = flat.clone()
    biased[0, :4] -= 0.3
    error = (twiced(scan, biased, alike=2.0, search=3.5) - flat)[0]
    noise = float((fit - flat)[0].std())
    assert abs(float(error[:4].mean())) < 0.1  # of .3
    assert abs(float(error[4:].mean())) < 0.1
    assert float(error[:4].std()) < 0.35 * noise


def test_threads_change_nothing_and_hqs_adds_it_in_the_end() -> None:
    scan = problem()
    plain = Hqs(Hqs.Settings(steps=2, twicing=False), denoiser).fit(scan).u
    full = Hqs(Hqs.Settings(steps=2, alike=1.1, search=1.7), denoiser).fit(scan, threads=3).u
    one = twiced(scan, plain, alike=1.1, search=1.7).clamp_min(0.0)
    assert torch.equal(full, one)
    assert not torch.equal(full, plain)
