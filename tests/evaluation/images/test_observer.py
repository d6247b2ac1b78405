"""The observer against the closed form of a known signal in Gaussian noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from betaplus.core.errors import InputError, UsageError
from betaplus.evaluation.images.observer import (
    detectability,
    dog_channels,
    observer_auc,
    roc_area,
)

SHAPE = (33, 33)


def blob(shape, width, height):
    square = sum(
        ((np.arange(n) - n // 2) ** 2).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        for axis, n in enumerate(shape)
    )
    return height * np.exp(-square / (2 * width**2))


@pytest.mark.parametrize("internal", [0.0, 1.5])
@pytest.mark.parametrize("shape", [SHAPE, (13, 13, 13)])
def test_white_noise_has_the_closed_form(shape, internal):
    rng = np.random.default_rng(0)
    channels = dog_channels(shape)[3:8]
    flat = channels.reshape(len(channels), -1)
    signal = blob(shape, 2.0, 0.45 if len(shape) == 2 else 0.33)
    noise = rng.standard_normal((2, 3000, *shape))
    found = observer_auc(noise[0] + signal, noise[1], channels, internal=internal, splits=10)
    d = detectability(signal, flat @ flat.T, channels, internal=internal)
    expected = norm.cdf(d / math.sqrt(2))
    assert 0.7 < expected < 0.97
    assert found.auc == pytest.approx(expected, abs=0.012)
    assert found.snr == pytest.approx(math.sqrt(2) * norm.ppf(found.auc))
    if internal:
        assert d < detectability(signal, flat @ flat.T, channels)


def test_a_signal_that_channels_hold_is_seen_as_well_as_by_the_ideal_observer():
    channels = dog_channels(SHAPE)
    flat = channels.reshape(len(channels), -1)
    signal = 3.0 * channels[6]
    d = detectability(signal, 0.25 * flat @ flat.T, channels)
    assert d == pytest.approx(np.linalg.norm(signal) / 0.5, rel=1e-6)


def test_coloured_noise_is_whitened():
    """In two channels: d' = sqrt(m' S^-1 m)."""
    channels = np.eye(2).reshape(2, 2)
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    mean = np.array([0.6, -0.3])
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky(covariance)
    absent = rng.standard_normal((4000, 2)) @ root.T
    present = rng.standard_normal((4000, 2)) @ root.T + mean
    found = observer_auc(present, absent, channels, splits=10)
    d = math.sqrt(mean @ np.linalg.solve(covariance, mean))
    assert found.auc == pytest.approx(norm.cdf(d / math.sqrt(2)), abs=0.012)


def test_nothing_to_see_is_guessing():
    """No more than that, with few images and many channels: it is not tested on what it knows."""
    rng = np.random.default_rng(2)
    areas = [
        observer_auc(*rng.standard_normal((2, 30, *SHAPE)), dog_channels(SHAPE), seed=n).auc
        for n in range(8)
    ]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.06)


def test_channels_are_the_dense_set():
    channels = dog_channels((65, 65))
    assert channels.shape == (10, 65, 65)
    np.testing.assert_allclose(np.linalg.norm(channels.reshape(10, -1), axis=1), 1.0)
    profiles = np.abs(np.fft.fft2(np.fft.ifftshift(channels, axes=(1, 2))))
    f = np.fft.fftfreq(65)[:33]
    for j in (4, 7):
        s = 0.005 * 1.4**j
        expected = np.exp(-((f / (1.67 * s)) ** 2) / 2) - np.exp(-((f / s) ** 2) / 2)
        np.testing.assert_allclose(
            profiles[j, 0, :33] / profiles[j, 0, :33].max(), expected / expected.max(), atol=1e-6
        )
    for channel in channels:
        np.testing.assert_allclose(channel, channel[::-1, ::-1], atol=1e-9)
        np.testing.assert_allclose(channel, channel.T, atol=1e-9)


def test_channels_of_long_voxels():
    """Every second voxel of a fine channel along an axis is the channel of voxels twice as long."""
    fine = dog_channels((65, 65), (2.0, 2.0))[5]
    long = dog_channels((65, 33), (2.0, 4.0))[5]
    part = fine[:, ::2]
    assert np.corrcoef(part.ravel(), long.ravel())[0, 1] > 0.999


def test_area_counts_pairs():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 9, 70), rng.integers(0, 7, 50)
    assert roc_area(a, b) == pytest.approx(mannwhitneyu(a, b).statistic / (70 * 50))
    assert roc_area(np.array([2.0]), np.array([1.0])) == 1.0


def test_the_same_seed_gives_the_same():
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((2, 60, *SHAPE))
    channels = dog_channels(SHAPE)
    one, two = (observer_auc(a, b, channels, internal=1.0, splits=5, seed=s) for s in (7, 7))
    assert one == two
    assert one != observer_auc(a, b, channels, internal=1.0, splits=5, seed=8)


def test_what_cannot_be_used():
    channels = dog_channels(SHAPE)
    images = np.zeros((40, *SHAPE))
    with pytest.raises(InputError, match="expected the same"):
        observer_auc(images[:, 1:], images, channels)
    with pytest.raises(InputError, match="6 images"):
        observer_auc(images[:6], images[:6], channels)
    with pytest.raises(InputError, match="finite"):
        observer_auc(images * np.nan, images, channels)
    with pytest.raises(UsageError, match="splits"):
        observer_auc(images, images, channels, splits=0)
    with pytest.raises(UsageError, match="channels"):
        dog_channels(SHAPE, channels=0)
