"""SUVmean, SUVmax, SUVpeak, TLG and the liver's variation against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.evaluation.images.suv import (
    PEAK_VOLUME,
    coefficient_of_variation,
    deepest_sphere,
    eroded,
    region_suvs,
    sphere_means,
    suv_bias,
)

VOXEL = (2.0, 3.0, 1.5)
SHAPE = (31, 23, 41)
WHOLE = tuple(slice(0, n) for n in SHAPE)


def grid(shape=SHAPE, voxel=VOXEL):
    return np.meshgrid(
        *((np.arange(n) - n // 2) * e for n, e in zip(shape, voxel, strict=True)), indexing="ij"
    )


def test_sphere_means_of_polynomials():
    """Over a sphere of radius R a ramp has the value at its centre; x^2 has R^2 / 5 more."""
    x, y, z = grid()
    found = sphere_means(2.0 + 0.3 * x - 0.1 * y + z, WHOLE, VOXEL, PEAK_VOLUME)
    inner = (slice(5, -5),) * 3
    np.testing.assert_allclose(found[inner], (2.0 + 0.3 * x - 0.1 * y + z)[inner], atol=1e-9)
    radius = (6 * PEAK_VOLUME / math.pi) ** (1 / 3) / 2
    assert 2 * radius == pytest.approx(12.407, abs=1e-3)
    square = sphere_means(x**2, WHOLE, VOXEL, PEAK_VOLUME)[15, 11, 20]
    # voxels count as far as they are in it: the sphere is as good as blurred by a voxel
    assert square == pytest.approx(radius**2 / 5 + VOXEL[0] ** 2 / 12, rel=0.01)


def test_sphere_means_at_the_border_and_in_thick_slices():
    np.testing.assert_allclose(sphere_means(np.full(SHAPE, 4.0), WHOLE, VOXEL, PEAK_VOLUME), 4.0)
    thick = np.zeros((5, 5, 5))
    thick[2, 2, 2] = 1.0
    whole = sphere_means(thick, (slice(0, 5),) * 3, (20.0, 20.0, 20.0), PEAK_VOLUME)
    np.testing.assert_allclose(whole, thick, atol=1e-12)


def test_a_hot_voxel_has_its_share_of_the_sphere():
    image = np.zeros(SHAPE)
    image[15, 11, 20] = 50.0
    found = region_suvs(image, (image > 0).astype(int), [1], VOXEL)
    assert found.maximum[0] == found.mean[0] == 50.0
    assert found.peak[0] == pytest.approx(50.0 * np.prod(VOXEL) / PEAK_VOLUME, rel=0.01)
    assert found.volume[0] == pytest.approx(np.prod(VOXEL) / 1000)
    assert found.tlg[0] == pytest.approx(50.0 * np.prod(VOXEL) / 1000)


def test_the_peak_is_the_highest_mean_and_need_not_be_at_the_maximum():
    x, y, z = grid()
    image = 8.0 * (np.sqrt((x + 12) ** 2 + y**2 + z**2) <= 9.0)
    image[26, 11, 20] = 30.0
    found = region_suvs(image, np.ones(SHAPE, int), [1], VOXEL)
    assert found.maximum[0] == 30.0
    assert found.peak[0] == pytest.approx(8.0)


def test_regions_in_the_order_asked_for():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, SHAPE) * 5
    image = rng.gamma(2.0, 1.0, SHAPE)
    found = region_suvs(image, labels, [15, 5], VOXEL)
    means = sphere_means(image, WHOLE, VOXEL, PEAK_VOLUME)
    for n, label in enumerate((15, 5)):
        region = labels == label
        assert found.labels[n] == label
        assert found.mean[n] == pytest.approx(image[region].mean())
        assert found.maximum[n] == image[region].max()
        assert found.peak[n] == pytest.approx(means[region].max())
        assert found.tlg[n] == pytest.approx(image[region].sum() * np.prod(VOXEL) / 1000)
    with pytest.raises(InputError, match="label 7 has no voxel"):
        region_suvs(image, labels, [5, 7], VOXEL)
    with pytest.raises(InputError, match="finite"):
        region_suvs(np.where(labels == 0, np.nan, image), labels, [5], VOXEL)


def test_bias_of_a_scaled_image():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, SHAPE)
    image = rng.gamma(2.0, 1.0, SHAPE)
    reference = region_suvs(image, labels, [1, 2], VOXEL)
    found = suv_bias(region_suvs(0.93 * image, labels, [1, 2], VOXEL), reference)
    for name in ("mean", "maximum", "peak", "tlg"):
        np.testing.assert_allclose(getattr(found, name), -7.0, rtol=1e-9)
    np.testing.assert_array_equal(found.volume, reference.volume)
    nothing = region_suvs(0 * image, labels, [1, 2], VOXEL)
    assert np.isnan(suv_bias(reference, nothing).mean).all()
    with pytest.raises(InputError, match="same"):
        suv_bias(reference, region_suvs(image, labels, [1], VOXEL))


def test_variation_of_a_liver():
    rng = np.random.default_rng(2)
    x, y, z = grid((61, 41, 61), VOXEL)
    organ = np.sqrt(x**2 + y**2 + z**2) <= 40.0
    image = np.where(organ, 2.0 + 0.3 * rng.standard_normal(organ.shape), 0.0)
    for mask in (eroded(organ, VOXEL, 10.0), deepest_sphere(organ, VOXEL)):
        assert coefficient_of_variation(image, mask) == pytest.approx(15.0, rel=0.05)
    assert coefficient_of_variation(np.array([9.0, 11.0]), np.ones(2, bool)) == pytest.approx(
        100 * math.sqrt(2) / 10
    )
    assert math.isnan(coefficient_of_variation(np.ones(1), np.ones(1, bool)))


def test_eroded_and_deepest_sphere_in_mm():
    x, y, z = grid((61, 41, 61), VOXEL)
    away = np.sqrt(x**2 + y**2 + z**2)
    organ = away <= 40.0
    inner = eroded(organ, VOXEL, 10.0)
    assert inner[away <= 29.5].all() and not inner[away > 32.5].any()
    sphere = deepest_sphere(organ, VOXEL)
    assert sphere.sum() * np.prod(VOXEL) == pytest.approx(math.pi / 6 * 30**3, rel=0.03)
    assert not (sphere & ~organ).any()
    with pytest.raises(InputError, match="from its surface"):
        deepest_sphere(away <= 12.0, VOXEL)
    with pytest.raises(InputError, match="no voxel"):
        deepest_sphere(away < 0, VOXEL)
    edge = np.zeros((9, 9, 9), bool)
    edge[:5] = True
    assert not eroded(edge, (1.0, 1.0, 1.0), 1.0)[0].any()  # beyond the border is outside
