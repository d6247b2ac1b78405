"""Painting: the mean of a region, the texture inside it, and where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.simulation.phantom import Phantom
from betaplus.simulation.uptake import REGIONS, paint
from betaplus.simulation.uptake.paint import texture
from betaplus.simulation.uptake.regions import FAMILIES, family_of


@pytest.fixture(scope="module")
def slabs() -> Phantom:
    """Liver, muscle and air, each a slab of 120 mm."""
    labels = np.repeat(np.array([1, 2, 0], dtype=np.uint8), 30)[:, None, None]
    labels = np.broadcast_to(labels, (90, 40, 40)).copy()
    return Phantom(labels, np.diag([4.0, 4.0, 4.0, 1.0]), {1: "Liver", 2: "Muscle"})


def test_a_region_has_its_value_and_its_familys_texture(slabs):
    uptake = {"Liver": 2.0, "Muscle": 0.6}
    images = [paint(slabs, uptake, seed) for seed in range(12)]
    for label, name in slabs.names.items():
        values = np.stack([image[slabs.labels == label] for image in images])
        width = FAMILIES[family_of(name)].texture
        assert values.mean() == pytest.approx(uptake[name], rel=0.02)
        assert np.log(values).std() == pytest.approx(np.hypot(width, 0.035), rel=0.1)
    assert images[0].dtype == np.float32
    assert not images[0][slabs.labels == 0].any()


def test_texture_is_smooth_over_a_centimetre_or_two(slabs):
    for seed in range(5):
        fine, broad = texture(slabs, seed)

        def halved(field: np.ndarray) -> float:
            f = field - field.mean()
            along = [float((f[k:] * f[: len(f) - k]).mean() / f.var()) for k in range(30)]
            return 4.0 * float(np.argmax(np.array(along) < 0.5))

        # The autocorrelation of a field of FWHM w halves at w / sqrt(2).
        assert 4.0 <= halved(fine) <= 24.0
        assert halved(broad) > halved(fine)


def test_flat_regions_on_request_and_the_same_image_again(slabs):
    flat = paint(slabs, {"Liver": 2.0, "Muscle": 0.6}, 0, amount=0)
    assert set(np.unique(flat)) == {np.float32(0), np.float32(0.6), np.float32(2)}
    first, second = (paint(slabs, {"Liver": 2.0, "Muscle": 0.6}, 1) for _ in range(2))
    assert np.array_equal(first, second)


def test_texture_follows_the_world_not_the_array(slabs):
    turned = Phantom(
        slabs.labels[::-1].copy(),
        slabs.affine @ np.array([[-1, 0, 0, 89], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
        slabs.names,
    )
    uptake = dict.fromkeys(REGIONS, 1.0)
    assert paint(turned, uptake, 2)[::-1] == pytest.approx(paint(slabs, uptake, 2), rel=1e-4)
