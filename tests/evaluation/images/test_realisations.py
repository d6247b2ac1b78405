"""Bias and SD over realisations: analytic values, and an identity with NRMSE."""

from __future__ import annotations

import math

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.evaluation.images import Realisations, bias_variance, nrmse

SHAPE = (40, 40, 25)  # 40,000 voxels


def draws(count: int, bias: float, sd: float, seed: int = 0) -> tuple[list, np.ndarray]:
    rng = np.random.default_rng(seed)
    reference = np.full(SHAPE, 10.0)
    return [reference + bias + sd * rng.standard_normal(SHAPE) for _ in range(count)], reference


@pytest.mark.parametrize("count", [2, 5, 20])
def test_known_bias_and_sd(count):
    images, reference = draws(count, bias=1.0, sd=2.0)
    found = bias_variance(images, reference)
    assert found.bias == pytest.approx(10.0, abs=0.25)
    assert found.sd == pytest.approx(20.0, rel=0.02)
    assert found.bias_uncorrected == pytest.approx(10 * math.sqrt(1 + 4 / count), rel=0.02)
    assert (found.realisations, found.voxels) == (count, 40_000)


def test_noise_alone_is_no_bias():
    squares = []
    for seed in range(8):
        images, reference = draws(4, bias=0.0, sd=2.0, seed=seed)
        found = bias_variance(images, reference)
        assert found.bias_uncorrected == pytest.approx(10.0, rel=0.03)
        # SD of the mean over n voxels of (m - r)^2 - s^2 / R, in percent^2: 100 * about 1.6 / 200
        assert abs(found.squared_bias) < 4.0
        assert found.bias == pytest.approx(math.sqrt(max(found.squared_bias, 0.0)))
        squares.append(found.squared_bias)
    assert min(squares) < 0 < max(squares)  # unbiased, so either sign


def test_bias_and_sd_make_up_the_mean_squared_nrmse():
    rng = np.random.default_rng(1)
    reference = rng.random((6, 5, 4)) + 0.5
    images = [1.3 * reference + rng.standard_normal((6, 5, 4)) for _ in range(7)]
    mask = rng.random((6, 5, 4)) > 0.4
    found = bias_variance(images, reference, mask)
    mean_square = np.mean([nrmse(image, reference, mask) ** 2 for image in images])
    assert found.squared_bias + found.sd**2 == pytest.approx(mean_square, rel=1e-12)


def test_running_moments_are_those_of_the_stack():
    rng = np.random.default_rng(2)
    stack = 1e6 + rng.standard_normal((9, 3, 4, 5))
    running = Realisations()
    for image in stack:
        running.add(image)
    np.testing.assert_allclose(running.mean, stack.mean(0), rtol=1e-15)
    np.testing.assert_allclose(running.variance(), stack.var(0, ddof=1), rtol=1e-6)


def test_refusals():
    with pytest.raises(InputError, match="1 realisation"):
        bias_variance([np.ones(3)], np.ones(3))
    with pytest.raises(InputError, match="one grid"):
        bias_variance([np.ones(3), np.ones(4)], np.ones(3))
    assert math.isnan(bias_variance([np.ones(3), np.ones(3)], np.zeros(3)).bias)
