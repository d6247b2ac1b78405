"""Shares of noise in bands, against noise that was drawn and filtered."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d, fourier_gaussian

from betaplus.denoising.spectrum import noise_shares, width_of


def _smooth(image: np.ndarray, step: int) -> np.ndarray:
    kernel = np.zeros(2 * step + 1)
    kernel[[0, step, 2 * step]] = 0.25, 0.5, 0.25
    for axis in range(3):
        image = convolve1d(image, kernel, axis=axis, mode="wrap")
    return image


@pytest.mark.parametrize("width", [0.0, 0.6, 1.0, 1.5])
def test_shares_are_those_of_filtered_noise(width):
    image = np.random.default_rng(0).standard_normal((96, 96, 96))
    image = np.fft.ifftn(fourier_gaussian(np.fft.fftn(image), width)).real
    bent = [-1.0, 2.0, -1.0]
    speckle = np.sqrt(
        sum(
            (convolve1d(convolve1d(image, bent, a, mode="wrap"), bent, b, mode="wrap") / 6.0).var()
            for a, b in ((0, 1), (0, 2), (1, 2))
        )
        / 3.0
    )
    shares, smooth = [], image
    for step in (1, 2, 4, 8):
        coarser = _smooth(smooth, step)
        shares.append((smooth - coarser).std() / speckle)
        smooth = coarser
    assert noise_shares(width) == pytest.approx(shares, rel=0.05)
    assert width_of(shares[0]) == pytest.approx(width, abs=0.05)


def test_widths_outside_the_table_are_its_ends():
    assert width_of(1e-3) == 0.0
    assert width_of(1e3) == pytest.approx(1.6)
    assert noise_shares(np.array([0.5, 2.0])).shape == (2, 4)
    assert noise_shares(2.0) == pytest.approx(noise_shares(1.6))
