"""SSIM against its definition, written as loops over voxels and windows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.evaluation.images import ssim, ssim_map

SHAPE = (13, 9, 6)


def naive(x: np.ndarray, y: np.ndarray, span: float) -> np.ndarray:
    """SSIM at every voxel, from two-pass moments under an explicit 11 x 11 x 11 window."""
    line = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = line[:, None, None] * line[None, :, None] * line[None, None, :]
    window /= window.sum()
    px, py = (np.pad(v, 5, mode="symmetric") for v in (x, y))
    out = np.empty(x.shape)
    for i, j, k in np.ndindex(x.shape):
        a, b = (p[i : i + 11, j : j + 11, k : k + 11] for p in (px, py))
        ma, mb = (window * a).sum(), (window * b).sum()
        va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
        vab = (window * (a - ma) * (b - mb)).sum()
        c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
        out[i, j, k] = (2 * ma * mb + c1) * (2 * vab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return out


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    reference = 5 + np.cumsum(rng.standard_normal(SHAPE), axis=0)
    return reference + rng.standard_normal(SHAPE), reference


def test_map_is_the_definition(pair):
    image, reference = pair
    np.testing.assert_allclose(ssim_map(image, reference, 7.0), naive(image, reference, 7.0), 1e-9)


def test_mean_over_a_mask_sees_voxels_beyond_it(pair):
    image, reference = pair
    mask = np.zeros(SHAPE, dtype=bool)
    mask[10:12, 2:4, 1:3] = True  # windows reach beyond the mask and the volume
    span = reference[mask].max()
    assert ssim(image, reference, mask) == pytest.approx(naive(image, reference, span)[mask].mean())
    assert ssim(image, reference, mask, data_range=3.0) == pytest.approx(
        naive(image, reference, 3.0)[mask].mean()
    )


def test_equal_images_have_1_and_the_order_does_not_matter(pair):
    image, reference = pair
    np.testing.assert_allclose(ssim_map(reference, reference, 5.0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(
        ssim_map(image, reference, 5.0), ssim_map(reference, image, 5.0), rtol=1e-12
    )


def test_constant_images_differ_by_luminance_alone():
    x, y, span = np.full(SHAPE, 2.0), np.full(SHAPE, 3.0), 4.0
    c1 = (0.01 * span) ** 2
    expected = (2 * 2 * 3 + c1) / (4 + 9 + c1)
    assert ssim(x, y, data_range=span) == pytest.approx(expected)


def test_no_range_and_bad_voxels(pair):
    image, reference = pair
    assert math.isnan(ssim(image, np.zeros(SHAPE)))
    image[0, 0, 0] = np.nan
    mask = np.zeros(SHAPE, dtype=bool)
    mask[12] = True
    assert np.isfinite(ssim(image, reference, mask))  # out of reach
    mask[:] = False
    mask[5, 5, 5] = True
    with pytest.raises(InputError, match="within a window"):
        ssim(image, reference, mask)
