"""The noise of frames against what was put in."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from tests.patlak import toy

from betaplus.core.errors import InputError
from betaplus.patlak.noise_map import (
    deviation,
    masked_mean,
    noise_correlation,
    noise_map,
    typical_noise,
)


@pytest.mark.parametrize("uptake", [0.0, 0.5, 0.8])
def test_noise_is_found_in_each_tissue(uptake: float) -> None:
    t = toy.make(40, uptake=uptake)
    s = noise_map(t.problem).sqrt().numpy()
    inside = t.problem.mask.numpy()
    ratio = np.log(s[inside] / t.s[inside])
    assert abs(ratio.mean()) < 0.03
    assert np.sqrt(np.mean(ratio**2)) < 0.2
    assert not s[~inside].any()


def test_noise_that_is_alike_everywhere_is_found_within_a_few_percent() -> None:
    t = toy.make(32, uptake=0.0, filtered=0.0)
    s = noise_map(t.problem, exponent=0.0).sqrt().numpy()[t.problem.mask.numpy()]
    np.testing.assert_allclose(s, t.s.flat[0], rtol=0.08)


def test_few_voxels_that_no_line_describes_hardly_count() -> None:
    t = toy.make(32)
    spoilt = t.problem.misfit.clone()
    wrong = torch.rand(spoilt.shape, generator=torch.Generator().manual_seed(0)) < 0.01
    spoilt[wrong] *= 100.0
    clean, rough = (
        noise_map(dataclasses.replace(t.problem, misfit=m))[t.problem.mask].sqrt().mean()
        for m in (t.problem.misfit, spoilt)
    )
    assert 1.0 < rough / clean < 1.12  # a mean of squares would rise by 41 %


def test_the_degrees_of_freedom_of_a_slice_are_its_own() -> None:
    t = toy.make(32, uptake=0.0, filtered=0.0)
    rng = np.random.default_rng(0)
    freedom = torch.ones(32)
    freedom[16:] = 6.0
    chi2 = np.concatenate([rng.chisquare(1, (32, 32, 16)), rng.chisquare(6, (32, 32, 16))], 2)
    misfit = torch.tensor(chi2 * 0.04, dtype=torch.float32)
    problem = dataclasses.replace(t.problem, misfit=misfit, freedom=freedom)
    s = noise_map(problem, exponent=0.0).sqrt().numpy()
    inside = t.problem.mask.numpy()
    for planes in (slice(0, 16), slice(16, 32)):
        assert s[..., planes][inside[..., planes]].mean() == pytest.approx(0.2, rel=0.03)


@pytest.mark.parametrize("filtered", [0.0, 0.8, 1.5])
def test_correlation_is_that_of_the_filter(filtered: float) -> None:
    t = toy.make(40, filtered=filtered)
    found = noise_correlation(t.problem, noise_map(t.problem))
    if filtered == 0.0:
        assert found.voxels < 2.0
        return
    np.testing.assert_allclose(found.sigma, 4.0 * filtered, rtol=0.2)
    assert found.voxels == pytest.approx((np.sqrt(4 * np.pi) * filtered) ** 3, rel=0.5)


def test_what_a_filter_leaves_of_the_variance() -> None:
    t = toy.make(40, uptake=0.0, filtered=1.0)
    found = noise_correlation(t.problem, noise_map(t.problem))
    noise = t.problem.least_squares()[0].numpy() - t.u[0]
    for fwhm in (6.0, 12.0):
        left = gaussian_filter(noise, fwhm / 2.3548 / 4.0)[8:-8, 8:-8, 8:-8].var()
        assert found.left(fwhm) == pytest.approx(left / noise.var(), rel=0.3)


def test_a_masked_mean_takes_nothing_from_outside() -> None:
    t = toy.make(24)
    inside = t.problem.mask.numpy()
    x = np.where(inside, 3.0, np.nan)
    found = masked_mean(x, inside, t.problem, 20.0)
    np.testing.assert_allclose(found[inside], 3.0, rtol=1e-5)
    assert np.isfinite(found).all()


def test_deviation_is_the_root_of_the_diagonal() -> None:
    t = toy.make(16)
    v = noise_map(t.problem)
    inverse = np.linalg.inv(t.basis.T @ (t.weight[:, None] * t.basis))
    for i in range(2):
        expected = np.sqrt(inverse[i, i] * v.numpy())
        np.testing.assert_allclose(deviation(t.problem, v)[i].numpy(), expected, rtol=1e-5)
    both = np.sqrt(0.5 * np.trace(inverse) * v.numpy())
    np.testing.assert_allclose(typical_noise(t.problem, v).numpy(), both, rtol=1e-5)


def test_without_noise_the_map_is_above_0() -> None:
    t = toy.make(16, 0.0)
    inside = noise_map(t.problem)[t.problem.mask]
    assert float(inside.min()) > 0.0 and float(inside.max()) < 1e-4


def test_too_few_frames_and_empty_masks_are_refused() -> None:
    t = toy.make(16)
    with pytest.raises(InputError, match="2 frames"):
        noise_map(dataclasses.replace(t.problem, freedom=torch.zeros(16)))
    with pytest.raises(InputError, match="no voxel"):
        noise_map(dataclasses.replace(t.problem, mask=torch.zeros(16, 16, 16, dtype=torch.bool)))
