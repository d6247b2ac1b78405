"""The means that the network starts from, against a mean written out voxel by voxel."""

import itertools

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from betaplus.denoising.noise import measure_noise
from betaplus.denoising.non_local import MEANS, non_local_means

SHAPE = (12, 11, 13)


def _image(level: float = 0.2) -> torch.Tensor:
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, SHAPE[0])[:, None, None]
    mean = np.where(x > 0.1, 4.0, 1.0) + np.zeros(SHAPE)
    return torch.from_numpy((mean * (1 + level * rng.standard_normal(SHAPE))).astype(np.float32))


def test_a_mean_is_that_of_alike_neighbours():
    image = _image()[None, None]
    noise = measure_noise(image)
    found = non_local_means(image, noise)[0, 1].numpy()  # weights exp(-10.8 times the distance)
    y, details = image[0, 0].numpy(), noise.details[0, 0].numpy()
    guide = y - details
    variance = (noise.bands[0, 1:].square().sum(0) * noise.sd[0, 0].square()).numpy()
    total, weight = y.astype(np.float64), np.ones(SHAPE)
    for shift in itertools.product((-2, -1, 0, 1, 2), repeat=3):
        if not 0 < sum(k * k for k in shift) <= 6:
            continue
        to = tuple(slice(max(0, -k), n - max(0, k)) for k, n in zip(shift, SHAPE, strict=True))
        of = tuple(slice(max(0, k), n - max(0, -k)) for k, n in zip(shift, SHAPE, strict=True))
        off = (guide[to] - guide[of]) ** 2 / (variance[to] + variance[of])
        alike = np.exp(-10.8 * uniform_filter(off, 3, mode="nearest"))
        total[to] += alike * y[of]
        weight[to] += alike
    assert np.allclose(found, total / weight, rtol=1e-4, atol=1e-4)


def test_grades_are_less_and_less_strict():
    image = _image()[None, None]
    means = non_local_means(image, measure_noise(image))
    assert means.shape == (1, MEANS, *SHAPE)
    right = [float(image[0, 0, 8:, 2:-2, 2:-2].std())]
    right += [float(mean[8:, 2:-2, 2:-2].std()) for mean in means[0]]
    assert all(after < before for before, after in itertools.pairwise(right))
    # The edge stays: nothing of the bright side comes over to the dark one.
    assert float(means[0, 2, :4].mean()) == pytest.approx(1.0, abs=0.1)


def test_what_is_constant_stays():
    image = torch.full((1, 1, *SHAPE), 2.5)
    assert torch.equal(non_local_means(image, measure_noise(image)), image.expand(1, MEANS, *SHAPE))
