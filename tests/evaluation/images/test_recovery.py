"""Recovery and variability of the image quality phantom against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from betaplus.core.errors import InputError
from betaplus.evaluation.images.recovery import disc_mean, image_quality, recovery_at_noise

SPHERES = np.array([[30.0, 0.0, 5.0], [-30.0, 2.0, 5.0]])
DIAMETERS = (20.0, 12.0)
BACKGROUNDS = np.array([[0.0, 25.0], [0.0, -25.0], [-25.0, -25.0], [25.0, 25.0]])
EDGE = 1.0
SHAPE = (101, 81, 61)
AFFINE = np.diag([EDGE, EDGE, EDGE, 1.0])
AFFINE[:3, 3] = -50.0, -40.0, -25.0


def world():
    axes = (AFFINE[a, 3] + EDGE * np.arange(n) for a, n in enumerate(SHAPE))
    return np.meshgrid(*axes, indexing="ij")


def blurred_sphere(r, radius, s):
    """A ball of activity 1 after a Gaussian of SD s, at a distance r > 0 from its centre."""
    a, b = (radius + r) / s, (radius - r) / s
    edge = s / (r * math.sqrt(2 * math.pi)) * (np.exp(-(b**2) / 2) - np.exp(-(a**2) / 2))
    return norm.cdf(a) + norm.cdf(b) - 1 - edge


def phantom(ratio, s):
    x, y, z = world()
    image = np.ones(SHAPE)
    for (a, b, c), d in zip(SPHERES, DIAMETERS, strict=True):
        r = np.sqrt((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2)
        image += (ratio - 1) * blurred_sphere(np.maximum(r, 1e-3), d / 2, s)
    return image


def measure(image, ratio, **more):
    return image_quality(
        image,
        AFFINE,
        spheres=SPHERES,
        diameters=DIAMETERS,
        backgrounds=BACKGROUNDS,
        ratio=ratio,
        **more,
    )


@pytest.mark.parametrize("ratio", [4.0, 8.0])
def test_blurred_spheres_have_the_recovery_of_their_profile(ratio):
    s = 3.0
    found = measure(phantom(ratio, s), ratio)
    for n, d in enumerate(DIAMETERS):
        total, _ = quad(lambda r, d=d: 2 * math.pi * r * blurred_sphere(r, d / 2, s), 1e-6, d / 2)
        expected = 100 * total / (math.pi * d * d / 4)
        assert expected < 90
        assert found.recovery[n] == pytest.approx(expected, abs=0.5)
    assert found.variability.max() < 0.5 and math.isnan(found.lung_error)


def test_spheres_without_blur_have_all_their_contrast():
    image = np.ones(SHAPE)
    x, y, _ = world()
    for (a, b, _), d in zip(SPHERES, DIAMETERS, strict=True):
        image[np.hypot(x - a, y - b) <= d / 2 + 1.5] = 4.0
    found = measure(image, 4.0)
    np.testing.assert_allclose(found.recovery, 100.0)
    np.testing.assert_allclose(found.variability, 0.0, atol=1e-12)


def test_variability_is_the_sd_over_circles_and_slices():
    """Each slice and side has a level of its own: SD and mean of 4 circles x 5 slices."""
    x, _, z = world()
    level = 2.0 + 0.1 * np.round((z - 5) / 10) + np.where(x > 12, 0.5, 0.0)
    found = measure(level, 4.0)
    values = [
        2.0 + 0.1 * k + (0.5 if x > 12 else 0.0) for k in (-2, -1, 0, 1, 2) for x, _ in BACKGROUNDS
    ]
    assert found.variability[1] == pytest.approx(100 * np.std(values, ddof=1) / np.mean(values))
    assert found.background[1] == pytest.approx(np.mean(values))


def test_lung_error_is_relative_to_the_largest_circles():
    x, y, _ = world()
    image = np.where(np.hypot(x, y) <= 17, 0.3, 2.0)
    found = image_quality(
        image,
        AFFINE,
        spheres=[[35.0, 0.0, 5.0]],
        diameters=[10.0],
        backgrounds=[[0.0, 30.0], [0.0, -30.0]],
        ratio=4.0,
        lung=(0.0, 0.0),
    )
    assert found.lung_error == pytest.approx(15.0)


def test_a_circle_counts_parts_of_voxels():
    affine = np.diag([-4.0, 4.0, 6.0, 1.0])  # x to the left
    affine[:3, 3] = 40.0, -40.0, -30.0
    x = 40.0 - 4.0 * np.arange(21)[:, None, None]
    y = -40.0 + 4.0 * np.arange(21)[:, None]
    ramp = np.broadcast_to(7.0 + 0.2 * x - 0.3 * y, (21, 21, 11))
    for centre in ((0.0, 0.0, 0.0), (3.3, -7.1, 8.0)):
        expected = 7.0 + 0.2 * centre[0] - 0.3 * centre[1]
        assert disc_mean(ramp, affine, centre, 13.0) == pytest.approx(expected, abs=0.02)
    half = np.broadcast_to(np.where(x > 2.0, 1.0, 0.0), (21, 21, 11))  # x > 2: voxels of x >= 4
    # the part of a circle of radius R beyond x = 2
    r, h = 10.0, 2.0
    segment = r * r * math.acos(h / r) - h * math.sqrt(r * r - h * h)
    assert disc_mean(half, affine, (0, 0, 0), 20.0) == pytest.approx(
        segment / (math.pi * r * r), abs=0.003
    )


def test_the_slice_is_the_nearest_one():
    image = np.broadcast_to(np.arange(61.0), SHAPE)
    assert disc_mean(image, AFFINE, (0, 0, 5.4), 10.0) == pytest.approx(30.0)
    assert disc_mean(image, AFFINE, (0, 0, 5.6), 10.0) == pytest.approx(31.0)


def test_a_curve_is_read_between_its_points():
    noise, recovery = [10.0, 5.0, 2.0], [90.0, 70.0, 40.0]
    assert recovery_at_noise(5.0, noise, recovery) == 70.0
    assert recovery_at_noise(3.5, noise, recovery) == pytest.approx(55.0)
    assert math.isnan(recovery_at_noise(1.0, noise, recovery))
    assert math.isnan(recovery_at_noise(11.0, noise, recovery))
    with pytest.raises(InputError, match="pairs"):
        recovery_at_noise(1.0, [1.0], [])


def test_what_cannot_be_used():
    image = np.ones(SHAPE)
    with pytest.raises(InputError, match="not in the image"):
        disc_mean(image, AFFINE, (48.0, 0.0, 0.0), 20.0)
    with pytest.raises(InputError, match="not in the image"):
        disc_mean(image, AFFINE, (0.0, 0.0, 90.0), 20.0)
    oblique = AFFINE.copy()
    oblique[0, 1] = 0.2
    with pytest.raises(InputError, match="oblique"):
        disc_mean(image, oblique, (0.0, 0.0, 0.0), 20.0)
    with pytest.raises(InputError, match="one slice"):
        image_quality(
            image,
            AFFINE,
            spheres=[[0, 0, 0], [20, 0, 4]],
            diameters=[10, 10],
            backgrounds=BACKGROUNDS,
            ratio=4.0,
        )
    image[50, 40, 30] = np.nan
    with pytest.raises(InputError, match="finite"):
        disc_mean(image, AFFINE, (0.0, 0.0, 5.0), 20.0)
