"""Noise keyed by voxel: normal, without memory, and the same in whatever box it is asked for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.generative.keyed_noise import keyed_noise, keyed_noises

SIZE = (70, 66, 75)  # parts of 27 blocks
NOISE = keyed_noise(5, 1, (0, 0, 0), SIZE)


@pytest.mark.parametrize(
    ("low", "shape"), [((9,), (200_000,)), ((-300, 40), (410, 500)), ((-7, 20, 3), (60, 55, 61))]
)
def test_values_are_standard_normal(low, shape):
    values = keyed_noise(11, 3, low, shape).astype(np.float64)
    assert values.shape == shape
    # The KS distance of n right values exceeds 1.95 / sqrt(n) once in a thousand times.
    assert kstest(values.ravel(), "norm").statistic < 1.95 / values.size**0.5
    for power, expected, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        error = 4 * (spread / values.size) ** 0.5
        assert (values**power).mean() == pytest.approx(expected, abs=error)


def test_neighbours_are_independent_also_across_blocks():
    n = NOISE.size
    for shift in itertools.product((0, 1), repeat=3):
        if any(shift):
            moved = np.roll(NOISE, shift, (0, 1, 2))
            for function in (lambda v: v, np.square):
                found = np.corrcoef(function(NOISE).ravel(), function(moved).ravel())[0, 1]
                assert abs(found) < 4 / n**0.5
    blocks = [NOISE[:32, :32, :32], NOISE[32:64, :32, :32], NOISE[:32, 32:64, :32]]
    for one, other in itertools.combinations(blocks, 2):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / one.size**0.5


def test_the_spectrum_is_flat():
    power = np.abs(np.fft.rfftn(NOISE[:64, :64, :64])) ** 2 / 64**3
    radius = np.sqrt(sum(np.square(k) for k in np.meshgrid(*[np.fft.fftfreq(64)] * 2, [0.0])))
    for low, high in itertools.pairwise(np.linspace(0, 0.7, 8)):
        ring = (radius[..., 0] >= low) & (radius[..., 0] < high)
        count = ring.sum() * power.shape[2]
        assert power[ring].mean() == pytest.approx(1.0, abs=5 * (2 / count) ** 0.5)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_box_is_part_of_any_other(data):
    low = [data.draw(st.integers(0, size - 1)) for size in SIZE]
    shape = [data.draw(st.integers(1, size - at)) for size, at in zip(SIZE, low, strict=True)]
    whole = NOISE[tuple(slice(at, at + n) for at, n in zip(low, shape, strict=True))]
    np.testing.assert_array_equal(keyed_noise(5, 1, low, shape), whole)


def test_boxes_may_reach_below_zero_and_far_out():
    whole = keyed_noise(1, 0, (-40, 90), (100, 80), channels=2)
    np.testing.assert_array_equal(
        keyed_noise(1, 0, (-3, 100), (20, 30), channels=2), whole[:, 37:57, 10:40]
    )
    far = keyed_noise(1, 0, (10**9, -(10**9)), (64, 64))
    assert abs(np.corrcoef(far.ravel(), keyed_noise(1, 0, (0, 0), (64, 64)).ravel())[0, 1]) < 0.07
    assert keyed_noise(1, 0, (5, 5), (0, 3)).shape == (0, 3)


def test_the_first_block_is_the_stream_of_the_draw():
    stream = generator(7, 4, 2).standard_normal((32, 32, 32), np.float32)
    np.testing.assert_array_equal(keyed_noise(7, 2, (0, 0, 0), (32, 32, 32), item=4), stream)


def test_each_key_has_noise_of_its_own():
    low, shape = (3, 5, 7), (20, 20, 20)
    keys = [
        {"seed": 1, "draw": 0},
        {"seed": 2, "draw": 0},
        {"seed": 1, "draw": 1},
        {"seed": 1, "draw": 0, "item": 1},
        {"seed": 1, "draw": 0, "step": 1},
    ]
    boxes = [keyed_noise(low=low, shape=shape, **key).ravel() for key in keys]
    boxes += list(keyed_noise(1, 0, low, shape, channels=3)[1:].reshape(2, -1))
    found = np.corrcoef(boxes) - np.eye(7)
    assert np.abs(found).max() < 4.5 / 8000**0.5
    np.testing.assert_array_equal(keyed_noise(1, 0, low, shape, channels=3)[0].ravel(), boxes[0])


def test_noises_of_a_batch():
    steps = keyed_noises(3, 1, (2, 4), (6, 9), items=(8, 5), channels=2)
    for step in range(3):
        noise = next(steps).numpy()
        assert noise.shape == (2, 2, 6, 9) and noise.dtype == np.float32
        one = keyed_noise(3, 1, (2, 4), (6, 9), item=5, channels=2, step=step)
        np.testing.assert_array_equal(noise[1], one)


@pytest.mark.parametrize(
    ("low", "shape", "more"),
    [
        ((0, 0), (4,), {}),
        ((), (), {}),
        ((0,) * 4, (2,) * 4, {}),
        ((0,), (4,), {"channels": 0}),
        ((0,), (4,), {"step": 1 << 16}),
    ],
)
def test_what_is_no_box_is_refused(low, shape, more):
    with pytest.raises(UsageError, match="expected"):
        keyed_noise(0, 0, low, shape, **more)
