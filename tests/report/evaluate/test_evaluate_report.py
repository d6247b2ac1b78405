"""The report of images against a reference: one colour scale, left is left."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest

from betaplus.report.evaluate.comparison import Shown, comparison_panel, shared_ranges

SHAPE = (20, 16, 12)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def pixels(data: str) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


@pytest.fixture
def reference() -> np.ndarray:
    return np.random.default_rng(0).random(SHAPE)


def test_ranges_hold_for_all_images(reference) -> None:
    mask = np.ones(SHAPE, dtype=bool)
    mask[0] = False
    near, far = reference + 0.1, reference - 0.4
    far[0] = 1e6  # outside the mask
    shown = [Shown("near", "", near, 0 * near + 0.1), Shown("far", "", far, 0 * far + 0.3)]
    found = shared_ranges(reference, shown, mask)
    assert found["image"] == (0.0, pytest.approx(np.percentile(reference[mask], 99.5)))
    assert found["difference"] == (pytest.approx(-0.4), pytest.approx(0.4))
    assert found["SD"] == (0.0, pytest.approx(0.3))


def test_equal_images_have_ranges(reference) -> None:
    found = shared_ranges(0 * reference, [Shown("a", "", 0 * reference)], reference >= 0)
    assert all(low < high for low, high in found.values())


@pytest.mark.parametrize("flip", [False, True])
def test_left_is_left_whatever_the_voxel_order(flip: bool) -> None:
    reference = np.zeros(SHAPE)
    image = np.zeros(SHAPE)
    image[4:7, 6:10, 4:8] = 1.0  # at low x: the left of the subject
    affine = AFFINE.copy()
    mask = np.ones(SHAPE, dtype=bool)
    if flip:
        image, affine = image[::-1], affine @ np.diag([-1.0, 1, 1, 1])
        affine[0, 3] = 2.0 * (SHAPE[0] - 1)
    ranges = {"image": (0.0, 1.0), "difference": (-1.0, 1.0), "SD": (0.0, 1.0)}
    made = comparison_panel(reference, [Shown("a", "", image)], mask, affine, "", ranges)
    drawn = pixels(made.data)
    red = (drawn[..., 0] > 90) & (drawn[..., 1] < 20) & (drawn[..., 2] < 60)  # RdBu_r at 1
    columns = np.flatnonzero(red.sum(0) > 20)
    columns = columns[columns < 0.85 * drawn.shape[1]]  # without the colour bar
    # The image's panel is the right one of two.
    panel = [c for c in range(drawn.shape[1]) if (drawn[:, c].sum(-1) < 60).sum() > 100]
    left, right = min(panel), max(panel)
    middle = left + 0.75 * (right - left)
    assert columns.size and columns.max() < middle
