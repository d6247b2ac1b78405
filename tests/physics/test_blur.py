"""The Gaussian blur: many images at a time against one at a time, and its width."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.physics.blur import GaussianBlur


@pytest.mark.parametrize("shape", [(9, 12, 7), (1, 8, 5), (6, 9, 1), (5, 1, 4)])
def test_a_stack_is_blurred_as_its_images_are(shape) -> None:
    images = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    blur = GaussianBlur(shape, (2.0, 3.0, 2.5), 6.0)
    each = np.stack([blur.forward(image) for image in images])
    np.testing.assert_allclose(blur.stack(images), each, atol=1e-6)
    none = GaussianBlur(shape, (2.0, 3.0, 2.5), 0.0)
    np.testing.assert_array_equal(none.stack(images), images)


def test_a_point_gets_the_width_asked_for() -> None:
    point = np.zeros((1, 61, 1, 1), np.float32)
    point[0, 30] = 1.0
    seen = GaussianBlur((61, 1, 1), (0.5, 1.0, 1.0), 6.0).stack(point)[0, :, 0, 0]
    assert seen.sum() == pytest.approx(1.0, abs=1e-5)
    away = 0.5 * (np.arange(61) - 30)
    sd = np.sqrt(np.sum(seen * away**2))
    assert 2.3548 * sd == pytest.approx(6.0, rel=0.01)
