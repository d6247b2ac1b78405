"""Region means, contrast recovery and background variability against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.evaluation.images import (
    background_variability,
    cold_recovery,
    contrast_recovery,
    region_means,
)


def test_means_of_regions_in_the_order_asked_for():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (7, 6, 5)) * 3
    image = rng.standard_normal((7, 6, 5))
    image[labels == 12] = np.nan  # not asked for
    found = region_means(image, labels, [9, 3, 6])
    for i, label in enumerate((9, 3, 6)):
        voxels = image[labels == label]
        assert found.voxels[i] == voxels.size
        assert found.mean[i] == pytest.approx(voxels.mean())
        assert found.sd[i] == pytest.approx(voxels.std(ddof=1))
    np.testing.assert_array_equal(found.labels, (9, 3, 6))


def test_one_voxel_has_no_sd_and_none_is_refused():
    labels = np.zeros((2, 2, 2), dtype=int)
    labels[0, 0, 0] = 4
    assert math.isnan(region_means(np.ones((2, 2, 2)), labels, [4]).sd[0])
    with pytest.raises(InputError, match="label 5 has no voxel"):
        region_means(np.ones((2, 2, 2)), labels, [4, 5])


@pytest.mark.parametrize("share", [0.0, 0.35, 1.0, 1.2])
@pytest.mark.parametrize("ratio", [4.0, 8.0, 0.25, 0.0])
def test_recovery_of_a_known_share_of_contrast(share, ratio):
    background = 2.5
    region = background * (1 + share * (ratio - 1))
    assert contrast_recovery(region, background, ratio) == pytest.approx(100 * share)
    if ratio == 0:
        assert cold_recovery(region, background) == pytest.approx(100 * share)


def test_hot_and_cold_as_nema_writes_them():
    assert contrast_recovery(7.0, 2.0, 4.0) == pytest.approx(100 * (7 / 2 - 1) / (4 - 1))
    assert cold_recovery(0.5, 2.0) == pytest.approx(100 * (1 - 0.5 / 2))


def test_no_contrast_to_recover():
    assert math.isnan(contrast_recovery(1.0, 1.0, 1.0))
    assert math.isnan(contrast_recovery(1.0, 0.0, 4.0))
    assert math.isnan(contrast_recovery(1.0, 1.0, math.nan))


def test_background_variability_has_k_minus_1():
    assert background_variability([9.0, 11.0]) == pytest.approx(100 * math.sqrt(2) / 10)
    assert background_variability([5.0] * 60) == 0
    assert math.isnan(background_variability([5.0]))
