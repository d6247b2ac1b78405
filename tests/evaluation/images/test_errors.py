"""NRMSE, PSNR and bias against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.evaluation.images import mean_bias, nrmse, peak, psnr

REFERENCE = np.arange(1.0, 25.0).reshape(2, 3, 4)


def test_a_scaled_image():
    image = 1.1 * REFERENCE
    assert nrmse(image, REFERENCE) == pytest.approx(10.0)
    assert mean_bias(image, REFERENCE) == pytest.approx(10.0)
    # RMSE = .1 sqrt(mean of 1^2 ... 24^2), the sum of squares is n (n + 1) (2 n + 1) / 6
    rmse = 0.1 * math.sqrt(25 * 49 / 6)
    assert psnr(image, REFERENCE) == pytest.approx(20 * math.log10(24 / rmse))
    assert psnr(image, REFERENCE, top=240.0) == pytest.approx(20 * math.log10(240 / rmse))


def test_errors_that_cancel_are_no_bias():
    image = REFERENCE + np.where(np.arange(24).reshape(2, 3, 4) % 2, 3.0, -3.0)
    assert mean_bias(image, REFERENCE) == pytest.approx(0.0, abs=1e-12)
    assert nrmse(image, REFERENCE) == pytest.approx(
        100 * math.sqrt(24 * 9 / (24 * 25 * 49 / 6)), rel=1e-12
    )


def test_only_the_mask_counts():
    mask = REFERENCE <= 4
    image = np.where(mask, REFERENCE + 1, np.nan)
    assert nrmse(image, REFERENCE, mask) == pytest.approx(100 * math.sqrt(4 / 30))
    assert psnr(image, REFERENCE, mask) == pytest.approx(20 * math.log10(4))
    assert mean_bias(image, REFERENCE, mask) == pytest.approx(40.0)
    assert peak(REFERENCE, mask) == 4.0


def test_nothing_to_compare_with():
    zero = np.zeros((2, 2, 2))
    assert math.isnan(nrmse(zero + 1, zero)) and math.isnan(psnr(zero + 1, zero))
    assert math.isnan(mean_bias(zero + 1, zero))
    assert psnr(REFERENCE, REFERENCE) == math.inf and nrmse(REFERENCE, REFERENCE) == 0


def test_float32_images_are_summed_in_double():
    reference = np.full((200, 200, 50), 1e4, dtype=np.float32)
    assert nrmse(reference + np.float32(1), reference) == pytest.approx(0.01, rel=1e-9)


def test_unusable_arrays_are_refused():
    with pytest.raises(InputError, match="shapes differ"):
        nrmse(REFERENCE[:1], REFERENCE)
    with pytest.raises(InputError, match="no voxel"):
        nrmse(REFERENCE, REFERENCE, np.zeros(REFERENCE.shape, dtype=bool))
    image = REFERENCE.copy()
    image[1, 2, 3] = np.inf
    with pytest.raises(InputError, match=r"image holds inf at voxel \(1, 2, 3\)"):
        psnr(image, REFERENCE)
