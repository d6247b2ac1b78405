"""The noise of an image as it is measured: level, exponent, correlation, edges."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d, fourier_gaussian, gaussian_filter

from betaplus.denoising.noise import EXPONENT, measure_noise, noise_width

SHAPE = (44, 40, 36)


def _noise(smoothness: float, seed: int = 0) -> np.ndarray:
    """Gaussian noise of SD 1."""
    noise = np.random.default_rng(seed).standard_normal(SHAPE)
    noise = np.fft.ifftn(fourier_gaussian(np.fft.fftn(noise), smoothness)).real
    return noise / noise.std()


def _measure(image: np.ndarray):
    return measure_noise(torch.from_numpy(image.astype(np.float32))[None, None])


def _kept(smoothness: float) -> float:
    """Share of the SD of noise that the first two bands hold, from its spectrum."""
    f = np.stack(np.meshgrid(*[np.fft.fftfreq(64)] * 3, indexing="ij"))
    power = np.exp(-((2 * np.pi * smoothness) ** 2) * (f**2).sum(0))
    bands, smooth = [], np.ones_like(power)
    for k in range(2):
        filtered = np.prod(np.cos(np.pi * f * 2**k) ** 2, 0)
        bands.append(((smooth * (1 - filtered)) ** 2 * power).sum() / power.sum())
        smooth = smooth * filtered
    return float(np.sqrt(sum(bands)))


@pytest.mark.parametrize("smoothness", [0.0, 0.8, 1.5])
def test_the_level_of_noise_on_even_uptake_is_found(smoothness):
    sd = 0.3
    found = _measure(4.0 + sd * _noise(smoothness))
    inner = (0, 0, *[slice(6, -6)] * 3)
    expected = sd * _kept(smoothness)
    assert float(found.sd[inner].mean()) == pytest.approx(expected, rel=0.08)


def test_the_level_goes_with_the_noise_and_not_with_the_uptake():
    quiet, loud = (_measure(3.0 + sd * _noise(0.7)).level.mean() for sd in (0.05, 0.5))
    assert float(loud / quiet) == pytest.approx(10.0, rel=0.1)
    # An image ten times as bright with noise as m^p has the same level.
    bright = _measure(30.0 + 0.5 * 10**EXPONENT * _noise(0.7)).level.mean()
    assert float(bright / loud) == pytest.approx(1.0, rel=0.1)


def test_a_few_edges_do_not_pass_for_noise():
    image = np.full(SHAPE, 2.0)
    image[10:18, 10:18, 10:18] = 20.0
    image = gaussian_filter(image, 0.8) + 0.1 * _noise(0.0, 1)
    plain = 2.0 + 0.1 * _noise(0.0, 1)
    far = (0, 0, slice(30, 40), slice(28, 36), slice(26, 34))
    ratio = _measure(image).sd[far].mean() / _measure(plain).sd[far].mean()
    assert float(ratio) == pytest.approx(1.0, rel=0.1)


def test_smoother_noise_is_in_coarser_bands():
    fine, coarse = (_measure(4.0 + 0.2 * _noise(s)).bands.mean((0, 2, 3, 4)) for s in (0.0, 2.0))
    assert fine[0] > 0.8 > coarse[0]
    assert coarse[1] > 2 * fine[1]
    squares = _measure(4.0 + 0.2 * _noise(1.0)).bands[:, :2].square().sum(1)
    assert float(squares.median()) == pytest.approx(1.0, abs=1e-3)


def test_noise_that_changes_from_place_to_place_is_followed():
    sd = np.linspace(0.15, 0.3, SHAPE[2])
    found = _measure(4.0 + sd * _noise(0.0, 2)).sd[0, 0].mean((0, 1)).numpy()
    assert found[6] == pytest.approx(sd[6], rel=0.2)
    assert found[-7] == pytest.approx(sd[-7], rel=0.2)
    assert found[-7] / found[6] > 1.3


def test_details_and_what_is_left_are_the_image():
    image = 3.0 + _noise(0.0)
    found = _measure(image)
    left = image
    for step in (1, 2, 4, 8):
        for axis in range(3):
            kernel = np.zeros(2 * step + 1)
            kernel[[0, step, 2 * step]] = 0.25, 0.5, 0.25
            left = convolve1d(left, kernel, axis=axis, mode="nearest")
    whole = found.details[0].sum(0).numpy() + left
    assert np.allclose(whole, image, atol=1e-5)


def test_structure_everywhere_does_not_raise_the_level_beyond_the_scan():
    """A part that is all edges, as a brain is, beside one that is not."""
    image = np.full(SHAPE, 3.0)
    image[:16] += 2.0 * (np.indices((16, *SHAPE[1:])).sum(0) // 3 % 2)
    found = _measure(gaussian_filter(image, 0.6) + 0.1 * _noise(0.0, 3))
    edges, quiet = (found.level[0, 0, part].mean() for part in (slice(4, 12), slice(30, 40)))
    assert float(edges / quiet) < 2.0
    assert float(found.sd[0, 0, 30:40].mean()) == pytest.approx(0.1, rel=0.25)


@pytest.mark.parametrize("smoothness", [0.0, 0.5, 0.8, 1.2])
def test_how_far_noise_is_correlated_is_found(smoothness):
    noise = 0.2 * _noise(smoothness, 5)
    found = _measure(3.0 + noise).width
    images = [torch.from_numpy(x.astype(np.float32))[None, None] for x in (3.0 + noise, noise)]
    known = noise_width(*images)
    assert float(known) == pytest.approx(smoothness, abs=0.1)
    # A low quantile over places errs towards fine noise.
    assert smoothness - 0.25 < float(found) < smoothness + 0.1


def test_a_part_is_told_the_correlation_of_its_scan():
    image = torch.from_numpy((3.0 + 0.1 * _noise(0.5)).astype(np.float32))[None, None]
    known, wider = (measure_noise(image, torch.tensor([w])) for w in (0.5, 1.2))
    assert (float(known.width), float(wider.width)) == (0.5, pytest.approx(1.2))
    assert float(known.sd.mean()) == pytest.approx(0.1 * _kept(0.5), rel=0.05)
    # As much speckle of smoother noise is much more noise, more of it in the second band.
    assert float(wider.sd.mean() / known.sd.mean()) > 2.0
    assert (wider.bands[:, 1] > known.bands[:, 1]).all()


def test_no_noise_is_told_from_little():
    quiet = 3.0 + gaussian_filter(np.random.default_rng(1).normal(size=SHAPE), 4.0)
    assert _measure(np.full(SHAPE, 3.0)).none
    assert not _measure(quiet + 0.01 * _noise(0.5)).none


def test_an_empty_image_has_a_level_above_nothing():
    found = _measure(np.zeros(SHAPE))
    assert torch.isfinite(found.sd).all()
    assert (found.sd > 0).all()
