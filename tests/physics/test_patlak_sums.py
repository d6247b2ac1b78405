"""Sums over frames against dense least squares, and weights against counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from betaplus.core.frames import FrameTiming
from betaplus.physics.patlak import PatlakSums, frame_weights

SHAPE, FRAMES = (6, 5, 3), 8


def scan(noise, seed=0):
    rng = np.random.default_rng(seed)
    rise = np.linspace(0.4, 1.0, FRAMES)[:, None] * np.linspace(0.9, 1.1, SHAPE[2])
    design = np.stack([rise, rise**-0.6], 1)
    weight = rng.uniform(0.5, 2.0, rise.shape)
    u = rng.uniform(0.1, 5.0, (2, *SHAPE)) * 1e4
    y = np.einsum("fiz,ixyz->fxyz", design, u)
    y = (y * (1 + noise * rng.normal(size=y.shape))).astype(np.float32)
    return design, weight, y


@pytest.mark.parametrize("noise", [0.2, 0.01, 1e-4])
def test_equals_dense_least_squares(noise):
    """Down to noise of 1e-4 the misfit is that of the float32 frames, to 1e-6."""
    design, weight, y = scan(noise)
    sums = PatlakSums(design, weight, SHAPE)
    for plane in range(SHAPE[2]):
        sums.add(plane, y[..., plane])
    assert sums.complete
    for x, j, z in np.ndindex(SHAPE):
        root = np.sqrt(weight[:, z])
        b, right = design[:, :, z] * root[:, None], y[:, x, j, z].astype(float) * root
        values, left = np.linalg.lstsq(b, right, rcond=None)[:2]
        np.testing.assert_allclose(sums.normal[:, :, z], b.T @ b, rtol=1e-12)
        np.testing.assert_allclose(sums.h[:, x, j, z], b.T @ right, rtol=1e-7)
        np.testing.assert_allclose(sums.misfit[x, j, z], left[0], rtol=1e-6)
        found = np.linalg.solve(sums.normal[:, :, z], sums.h[:, x, j, z].double())
        np.testing.assert_allclose(found, values, rtol=1e-4)


def test_order_of_reading_does_not_matter():
    """Frame by frame (all planes open) and plane by plane: the same bits; open planes are held."""
    design, weight, y = scan(0.1)
    one, other = (PatlakSums(design, weight, SHAPE) for _ in range(2))
    for plane in (2, 0, 1):
        one.add(plane, y[..., plane])
    for f in range(FRAMES):
        assert other.complete == (f == 0)
        for plane in range(SHAPE[2]):
            other.add(plane, np.asfortranarray(y[f : f + 1, ..., plane]))
    assert other.complete
    assert torch.equal(one.h, other.h) and torch.equal(one.misfit, other.misfit)
    assert torch.equal(one.noise, other.noise)
    h, misfit = other.scaled(0.5)
    assert torch.equal(h, 0.5 * one.h) and torch.equal(misfit, 0.25 * one.misfit)
    assert h.data_ptr() == other.h.data_ptr()


def test_the_image_of_noise_holds_no_line_and_has_the_variance_of_a_frame_of_weight_one():
    design, weight, y = scan(0.0)
    sums = PatlakSums(design, weight, SHAPE)
    for plane in range(SHAPE[2]):
        sums.add(plane, y[..., plane])
    assert float(sums.noise.abs().max()) < 1e-4 * float(y.max())
    rng, s = np.random.default_rng(5), 3.0
    found = PatlakSums(design, weight, (200, 200, SHAPE[2]))
    for plane in range(SHAPE[2]):
        white = rng.normal(size=(len(weight), 200, 200))
        found.add(plane, s * white / np.sqrt(weight[:, plane])[:, None, None])
    assert float(found.noise.std()) == pytest.approx(s, rel=0.02)


def test_one_frame_too_many():
    design, weight, y = scan(0.1)
    sums = PatlakSums(design, weight, SHAPE)
    sums.add(0, y[:-1, ..., 0])
    with pytest.raises(ValueError, match="more than 8 frames"):
        sums.add(0, y[:2, ..., 0])


def test_weights_are_inverse_variances_of_counts():
    """Poisson counts of a decaying source in frames, decay-corrected: w var is the same in all."""
    frames = FrameTiming.from_durations([60.0, 60, 300, 600, 1200])
    half_life, mean = 1221.66, np.array([5.0, 4.0, 3.0, 2.5, 2.0])
    factors = frames.decay_factors(half_life)
    rng = np.random.default_rng(0)
    counts = rng.poisson(20 * mean * frames.duration / factors, (40_000, 5))
    variance = (counts * factors / frames.duration / 20).var(0)
    weight = frame_weights(frames.duration, factors, mean)
    assert weight.mean() == pytest.approx(1.0)
    product = weight * variance
    np.testing.assert_allclose(product / product.mean(), 1.0, atol=0.03)
    both = frame_weights(frames.duration[:, None] * [1, 1], factors[:, None] * [1, 1], 7 * mean)
    np.testing.assert_allclose(both, np.stack([weight, weight], 1), rtol=1e-12)


def test_frames_without_activity_do_not_rule():
    weight = frame_weights(np.ones(3), np.ones(3), np.array([2.0, -1.0, 0.0]))
    assert np.isfinite(weight).all() and weight.max() / weight.min() == pytest.approx(1000)
    np.testing.assert_allclose(frame_weights(np.ones(3), np.ones(3), np.zeros(3)), 1.0)
