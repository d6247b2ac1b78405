"""Coverage, z-scores and sparsification where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from betaplus.core.errors import InputError
from betaplus.evaluation.coverage import INTERVALS
from betaplus.evaluation.images import normal_coverage, sparsification, voxel_scores

N = 200_000


@pytest.fixture(scope="module")
def gaussian() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, SD and reference, with errors that the SD describes."""
    rng = np.random.default_rng(3)
    reference = rng.random(N)
    sd = np.exp(0.5 * rng.standard_normal(N))
    return reference + sd * rng.standard_normal(N), sd, reference


@pytest.mark.parametrize("factor", [1.0, 0.5, 2.0])
def test_coverage_of_gaussians(gaussian, factor):
    image, sd, reference = gaussian
    nominal = np.array(INTERVALS)
    expected = 2 * norm.cdf(factor * norm.ppf((1 + nominal) / 2)) - 1
    error = np.sqrt(expected * (1 - expected) / N)
    found = normal_coverage(image, factor * sd, reference)
    assert (np.abs(found - expected) < 4.5 * error + 1e-12).all()


def test_z_scores_of_gaussians(gaussian):
    image, sd, reference = gaussian
    found = voxel_scores(image + 0.3 * sd, 2 * sd, reference)
    assert found.mean == pytest.approx(0.15, abs=4.5 * 0.5 / math.sqrt(N))
    assert found.sd == pytest.approx(0.5, abs=4.5 * 0.5 / math.sqrt(2 * N))
    assert found.count == N


def test_voxels_without_an_sd():
    image, reference = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 1.0])
    sd = np.array([0.0, 0.0, 1.0])
    np.testing.assert_allclose(normal_coverage(image, sd, reference, intervals=(0.9,)), 1 / 3)
    assert voxel_scores(image, sd, reference).count == 1
    assert math.isnan(voxel_scores(image, np.zeros(3), reference).mean)
    with pytest.raises(InputError, match="is -1"):
        normal_coverage(image, -sd, reference)


def test_an_sd_that_ranks_errors_perfectly(gaussian):
    image, _, reference = gaussian
    found = sparsification(image, np.abs(image - reference) ** 1.7, reference)
    np.testing.assert_allclose(found.error, 0.0, atol=1e-9)
    assert found.ause == pytest.approx(0.0, abs=1e-9)


def test_an_sd_that_says_nothing_against_the_closed_form(gaussian):
    _, _, reference = gaussian
    image = reference + np.random.default_rng(8).standard_normal(N)
    found = sparsification(image, np.full(N, 0.7), reference)
    np.testing.assert_allclose(found.curve[:-1], 1.0, rtol=1e-9)  # random order, on average
    # The oracle leaves a normal cut at +-a, whose variance is known.
    share = 1 - found.removed[1:-1]
    a = norm.ppf((1 + share) / 2)
    inside = np.concatenate([[1.0], 1 - 2 * a * norm.pdf(a) / share])
    np.testing.assert_allclose(found.oracle[:-1], np.sqrt(inside), atol=0.01)
    assert found.curve[-1] == found.oracle[-1] == 0
    area = np.trapezoid([*(1 - np.sqrt(inside)), 0.0], found.removed)
    assert found.ause == pytest.approx(area, abs=0.002)


def test_curves_are_the_removal_itself():
    rng = np.random.default_rng(5)
    error, sd = rng.standard_normal(250), rng.random(250)
    found = sparsification(error, sd, np.zeros(250))
    whole = np.sqrt(np.mean(error**2))
    for order, curve in ((sd, found.curve), (np.abs(error), found.oracle)):
        for percent in range(100):
            kept = math.ceil(250 * (100 - percent) / 100)
            rest = error[np.argsort(order)[:kept]]
            assert curve[percent] == pytest.approx(np.sqrt(np.mean(rest**2)) / whole)
    assert found.ause > 0
    mirrored = sparsification(error, -sd + 1, np.zeros(250))
    better = sparsification(error, sd + np.abs(error), np.zeros(250))
    assert better.ause < found.ause and better.ause < mirrored.ause


def test_ties_do_not_depend_on_the_order_of_voxels():
    rng = np.random.default_rng(6)
    error, sd = rng.standard_normal(500), rng.integers(1, 4, 500).astype(float)
    a = sparsification(error, sd, np.zeros(500))
    turn = rng.permutation(500)
    b = sparsification(error[turn], sd[turn], np.zeros(500))
    np.testing.assert_allclose(a.curve, b.curve, rtol=1e-12)


def test_no_error_at_all():
    assert math.isnan(sparsification(np.ones(5), np.ones(5), np.ones(5)).ause)
