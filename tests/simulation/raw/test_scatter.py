"""Scatter: a smooth version of the trues that does not know where a turn begins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve1d
from tests.physics.projector.cases import SMALL, TIMED

from betaplus.core.scanners import find_scanner
from betaplus.simulation.raw.scatter import WIDTH, scatter_shape

TEACHING = find_scanner("teaching")


def _roughness(x: np.ndarray) -> float:
    return float(np.abs(np.diff(x, axis=0)).max() / x.max())


def test_uniform_trues_stay_uniform_in_the_middle():
    scanner = TEACHING
    found = scatter_shape(scanner, np.ones(scanner.shape, np.float32))
    middle = scanner.radial // 2
    np.testing.assert_allclose(found[:, middle], 1.0, atol=5e-3)
    assert found.min() > 0.4  # half of the kernel is outside at the edges
    assert found[:, 0].max() < 0.6


def test_a_spot_becomes_the_gaussian_that_is_stated():
    """A line source at the centre: a ridge across, which keeps its counts and gets its width."""
    scanner = TEACHING
    trues = np.zeros(scanner.shape, np.float32)
    middle = scanner.radial // 2
    trues[:, middle] = 1.0
    found = scatter_shape(scanner, trues)
    profile = found[10, :, 5].astype(float)
    place = (np.arange(scanner.radial) - middle) * scanner.bin_width
    assert profile.sum() == pytest.approx(1.0, rel=0.01)
    assert np.sum(place * profile) / profile.sum() == pytest.approx(0.0, abs=0.5)
    width = np.sqrt(np.sum(place**2 * profile) / profile.sum())
    assert width == pytest.approx(WIDTH, rel=0.06)


@pytest.mark.parametrize("scanner", [SMALL, TIMED, TEACHING], ids=["small", "tof", "teaching"])
def test_turning_all_views_turns_the_scatter(scanner):
    """Beginning to count views half a turn earlier or later must not show."""
    rng = np.random.default_rng(1)
    trues = rng.uniform(0.0, 1.0, scanner.shape).astype(np.float32)
    trues[:, 0] = 0.0  # the one bin without a mirror image
    turned = _half_turn(scanner, trues)
    found = _half_turn(scanner, scatter_shape(scanner, trues))
    np.testing.assert_allclose(scatter_shape(scanner, turned)[:, 1:], found[:, 1:], rtol=1e-4)


def _half_turn(scanner, x):
    """The same lines with their ends exchanged."""
    out = np.zeros_like(x)
    segments = {s.number: s.slice for s in scanner.michelogram.segments}
    for n, part in segments.items():
        other = x[:, :, segments[-n]]
        out[:, 1:, part] = other[:, :0:-1]
    return out[..., ::-1] if x.ndim == 4 else out


def test_no_seam_between_the_last_view_and_the_first():
    scanner = SMALL
    rng = np.random.default_rng(2)
    trues = rng.uniform(0.0, 1.0, scanner.shape).astype(np.float32)
    trues[:, 0] = 0.0
    found = scatter_shape(scanner, trues)
    seam = _half_turn(scanner, found)[0] - found[-1]  # the view after the last
    usual = np.abs(np.diff(found, axis=0)).max()
    assert np.abs(seam[1:]).max() < 1.5 * usual


def test_against_plain_convolution():
    """Without thinning (a scanner of few views) it is scipy's convolution of a whole turn."""
    scanner = SMALL
    rng = np.random.default_rng(3)
    trues = rng.uniform(0.0, 1.0, scanner.shape).astype(np.float32)
    trues[:, 0] = 0.0
    first = scanner.michelogram.segments[0]
    part = trues[:, 1:, first.slice].astype(float)  # odd number of bins: a clean mirror image
    turn = np.concatenate([part, part[:, ::-1]])
    for axis, sigma, mode in (
        (0, 0.4 * scanner.views / np.pi, "wrap"),
        (1, WIDTH / scanner.bin_width, "constant"),
        (2, WIDTH / (0.5 * first.step * scanner.ring_pitch), "nearest"),
    ):
        reach = int(3.0 * sigma + 0.5)
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        turn = convolve1d(turn, kernel / kernel.sum(), axis=axis, mode=mode)
    found = scatter_shape(scanner, trues)[:, 1:, first.slice]
    np.testing.assert_allclose(found, turn[: scanner.views], rtol=1e-4)


def test_it_is_much_smoother_than_the_trues():
    rng = np.random.default_rng(4)
    trues = rng.uniform(0.0, 1.0, TEACHING.shape).astype(np.float32)
    found = scatter_shape(TEACHING, trues)
    assert _roughness(found) < 0.05 * _roughness(trues)
