"""Features of regions against direct sums, and the noise of their means against many draws."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.denoising.region_features import FEATURES, grid_labels, measure_regions
from betaplus.denoising.region_noise import autocorrelation, region_noise
from betaplus.denoising.volume import Volume
from betaplus.simulation.fields import gaussian_field

SHAPE = (40, 36, 32)


def scene(seed: int) -> tuple[Volume, np.ndarray, np.ndarray]:
    """An image, its truth and labels: a ball (1), a slab (2) and the rest (3)."""
    x, y, z = np.indices(SHAPE)
    labels = np.where(z < 8, 2, 3)
    labels[(x - 20) ** 2 + (y - 18) ** 2 + (z - 20) ** 2 < 36] = 1
    truth = np.choose(labels, (0.0, 3.0, 0.5, 1.0))
    noise = gaussian_field(SHAPE, (1.0, 1.0, 1.0), np.random.default_rng(seed))
    noisy = truth + 0.2 * truth**0.7 * noise
    return Volume(data=noisy.astype(np.float32), voxel=(3.0,) * 3, grid_voxel=3.0), truth, labels


def test_means_and_geometry_are_direct_sums() -> None:
    volume, truth, labels = scene(0)
    table = measure_regions(volume, truth, labels)
    assert set(FEATURES) == set(table.features)
    assert table.labels.tolist() == [1, 2, 3]
    for n, label in enumerate((1, 2, 3)):
        inside = labels == label
        assert table.volume[n] == pytest.approx(inside.sum() * 0.027)
        assert table.noisy[n] == pytest.approx(volume.data[inside].mean(dtype=float))
        assert table.denoised[n] == pytest.approx(truth[inside].mean())
    # The slab meets the rest over one face of 8 planes.
    assert np.exp(table.features["border"][1]) == pytest.approx(1 / 8)
    assert np.exp(table.features["step"][1]) == pytest.approx(0.5, abs=0.01)
    assert measure_regions(volume, truth, labels, [3, 9]).labels.tolist() == [3]


def test_the_noise_of_means_is_that_of_many_draws() -> None:
    means, told = [], []
    for seed in range(60):
        volume, truth, labels = scene(seed)
        table = measure_regions(volume, truth, labels)
        means.append(table.noisy)
        if seed < 6:
            told.append(np.exp(table.features["region noise"]))
    seen = np.std(means, axis=0, ddof=1)
    ball, *others = np.mean(told, axis=0) / seen
    assert others == pytest.approx([1.0, 1.0], abs=0.3)
    # Edges of a small hot ball pass for noise: known, 1.36 over 400 draws.
    assert 1.0 < ball < 1.4


def test_autocorrelation_of_white_noise_is_its_variance() -> None:
    noise = np.random.default_rng(1).normal(0.0, 2.0, SHAPE)
    mask = np.ones(SHAPE, bool)
    mask[:, 20:] = False
    kernel = autocorrelation(np.where(mask, noise, 0.0), mask, 3)
    assert kernel[3, 3, 3] == pytest.approx(4.0, rel=0.05)
    kernel[3, 3, 3] = 0.0
    assert np.abs(kernel).max() < 0.15


def test_an_output_that_takes_nothing_away_tells_no_noise() -> None:
    volume, _, labels = scene(2)
    assert not region_noise(volume, volume.coarse[0, 0].numpy(), labels, 4).any()


def test_draws_add_their_sd() -> None:
    volume, truth, labels = scene(3)
    draws = [truth + 0.1 * k for k in range(5)]
    table = measure_regions(volume, truth, labels, draws=draws)
    assert np.exp(table.features["draws"]) == pytest.approx(
        0.1 * np.std(range(5), ddof=1), rel=0.02
    )


def test_labels_on_the_grid_are_those_nearest() -> None:
    labels = np.repeat(np.arange(20), 2)[:, None, None] * np.ones((1, 8, 8), int)
    volume = Volume(data=np.ones(labels.shape, np.float32), voxel=(1.5, 3.0, 3.0), grid_voxel=3.0)
    assert grid_labels(labels, volume)[:, 0, 0].tolist() == list(range(20))


def test_another_grid_is_refused() -> None:
    volume, truth, labels = scene(4)
    with pytest.raises(InputError, match="one grid"):
        measure_regions(volume, truth, labels[1:])
