"""The image quality phantom: volumes, places and what is measured in it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from betaplus.core.errors import UsageError
from betaplus.evaluation.images.recovery import image_quality
from betaplus.simulation.nema import BACKGROUND_CIRCLES, DIAMETERS, make_nema

TORSO = math.pi * 147**2 / 2 + math.pi * 77**2 / 2 + 140 * 77  # inner cross-section [mm2]


@pytest.mark.parametrize("voxel", [2.0, (4.07, 4.07, 3.0)])
def test_what_it_holds(voxel):
    made = make_nema(voxel, ratio=8.0, background=2.0)
    volume = float(np.prod(made.voxel_size))
    spheres = sum(math.pi / 6 * d**3 for d in DIAMETERS)
    walls = sum(math.pi / 6 * (d + 2) ** 3 for d in DIAMETERS)
    expected = 2.0 * ((TORSO - math.pi * 25**2) * 180 - walls + 8 * spheres)
    assert made.activity.sum(dtype=float) * volume == pytest.approx(expected, rel=2e-3)
    assert made.activity.dtype == made.mu.dtype == np.float32
    assert made.activity.max() == pytest.approx(16.0)
    wall = (math.pi * (150**2 + 80**2) / 2 + 140 * 80) * 186 - TORSO * 180
    attenuation = 0.0096 * (TORSO - math.pi * 25**2) * 180 + 0.0029 * math.pi * 25**2 * 180
    attenuation += 0.0111 * wall
    assert made.mu.sum(dtype=float) * volume == pytest.approx(attenuation, rel=2e-3)


def test_spheres_and_lung_are_where_they_are_said_to_be():
    made = make_nema(2.0, shift=(0.7, -0.4, 0.9))
    inverse = np.linalg.inv(made.affine)

    def at(points):
        voxels = np.column_stack([points, np.ones(len(points))]) @ inverse.T
        return map_coordinates(made.activity, voxels[:, :3].T, order=1)

    assert at(made.spheres) == pytest.approx(4.0)
    backgrounds = np.column_stack([made.backgrounds, np.zeros(12)])
    assert at(backgrounds) == pytest.approx(1.0)
    assert at(np.array([[*made.lung, 30.0]])) == pytest.approx(0.0)
    np.testing.assert_allclose(np.hypot(*made.spheres[:, :2].T), 57.2)


def test_background_circles_keep_the_distances_of_the_standard():
    made = make_nema(6.0)
    for n, (x, y) in enumerate(BACKGROUND_CIRCLES):
        for centre, d in zip(made.spheres, DIAMETERS, strict=True):
            assert math.dist((x, y), centre[:2]) >= d / 2 + 18.5 + 15
        assert math.hypot(x, y) >= 25 + 18.5
        up = y + 35.0
        edge = 147 - math.hypot(x, up) if up >= 0 else 77 - math.hypot(max(abs(x) - 70, 0), up)
        assert edge >= 18.5 + 15 - 1e-9
        for other in BACKGROUND_CIRCLES[:n]:
            assert math.dist((x, y), other) >= 37


def test_without_blur_all_contrast_is_recovered():
    made = make_nema((1.0, 1.0, 2.5), ratio=4.0, sphere_wall=0.0)
    found = image_quality(
        made.activity,
        made.affine,
        spheres=made.spheres,
        diameters=made.diameters,
        backgrounds=made.backgrounds,
        ratio=made.ratio,
        lung=made.lung,
    )
    # voxels at the rim of a circle are only partly sphere: 2 % for the largest, 8 % for the least
    assert (found.recovery > 90).all() and (found.recovery < 100.5).all()
    assert found.recovery[0] > 97.5
    np.testing.assert_allclose(found.background, 1.0, rtol=1e-5)
    np.testing.assert_allclose(found.variability, 0.0, atol=1e-3)
    assert found.lung_error == pytest.approx(0.0, abs=1e-6)


def test_what_cannot_be_made():
    with pytest.raises(UsageError, match="voxel edges"):
        make_nema(0.1)
    with pytest.raises(UsageError, match="ratio"):
        make_nema(4.0, ratio=-1.0)
