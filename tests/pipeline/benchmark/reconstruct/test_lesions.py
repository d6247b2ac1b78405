"""Hot balls in white matter: where they are, and what is left of their contrast."""

from __future__ import annotations

import math

import numpy as np
import pytest

from betaplus.core.grid import ImageGrid
from betaplus.pipeline.benchmark.reconstruct.defaults import fastest
from betaplus.pipeline.benchmark.reconstruct.lesions import add_balls, coarse_balls, contrasts
from betaplus.pipeline.benchmark.reconstruct.table_parts import lesion_lines, speed_lines
from betaplus.simulation.raw.head import Head

GRID = ImageGrid(shape=(120, 120, 60), voxel_size=(1.0, 1.0, 1.0))


def white_head() -> Head:
    x, y, z = np.meshgrid(*(GRID.axis(i) for i in range(3)), indexing="ij")
    labels = np.where(np.sqrt(x**2 + y**2 + z**2) < 55.0, 5, 0).astype(np.uint8)
    return Head(grid=GRID, labels=labels, delivery=np.ones(GRID.shape, np.float32))


def test_balls_have_their_size_and_activity_and_lie_apart() -> None:
    head = white_head()
    activity = np.where(head.labels == 5, 2.0, 0.0).astype(np.float32)
    found, balls = add_balls(head, activity, radii=(6.0, 4.0), multiple=2.5)
    assert np.array_equal(found != activity, (balls == 1) | (balls == 2))
    assert np.allclose(found[(balls == 1) | (balls == 2)], 5.0)
    centres = []
    for n, radius in ((1, 6.0), (2, 4.0)):
        assert (balls == n).sum() == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.06)
        assert (head.labels[balls == n] == 5).all()
        centres.append(np.argwhere(balls == n).mean(0))
    assert np.linalg.norm(centres[0] - centres[1]) > 6.0 + 4.0 + 12.0
    places = np.argwhere(balls == 255)[::97]
    for centre, radius in zip(centres, (6.0, 4.0), strict=True):
        assert (np.linalg.norm(places - centre, axis=1) > radius + 5.5).all()


def test_coarse_voxels_are_those_that_are_whole() -> None:
    fine = np.zeros((4, 2, 2), np.uint8)
    fine[:2], fine[2:], fine[3, 0, 0] = 1, 255, 0
    assert coarse_balls(fine).ravel().tolist() == [1, 0]


def test_what_is_left_of_contrast() -> None:
    balls = np.full((8, 8, 8), 255, np.uint8)
    balls[:2, :2, :2], balls[5:7, 5:7, 5:7] = 1, 2
    truth = np.where(balls == 255, 1.0, 3.0)
    image = np.where(balls == 1, 2.0, truth)  # half of the contrast of one of two
    image *= 7.0  # whatever the unit
    found = contrasts(image, 7.0 * truth, balls)
    assert found["recovery"] == pytest.approx(75.0)
    assert found["least"] == pytest.approx(50.0)
    assert found["noise"] == pytest.approx(0.0, abs=1e-6)
    noisy = image + 0.7 * np.random.default_rng(0).standard_normal(image.shape)
    assert contrasts(noisy, 7.0 * truth, balls)["noise"] == pytest.approx(10.0, rel=0.1)


def test_the_fastest_that_is_as_good() -> None:
    rows = [
        {"method": "dds-published", "settings": {}, "NRMSE": 30.0, "seconds": 100.0},
        {"method": "dds", "settings": {"steps": 2}, "NRMSE": 31.0, "seconds": 2.0},
        {"method": "dds", "settings": {"steps": 3}, "NRMSE": 30.0, "seconds": 4.0},
        {"method": "dds", "settings": {}, "NRMSE": 28.0, "seconds": 20.0},
    ]
    assert fastest(rows) == rows[2]
    assert fastest(rows[:2]) is None
    assert "in 0.04 of its time" in speed_lines({"seed": 1, "rows": rows})[-1]
    assert not any("of its time" in line for line in speed_lines({"seed": 1, "rows": rows[:2]}))


def test_lesions_in_the_table() -> None:
    row = {"recovery": 61.0, "least": 40.0, "noise": 8.0, "seed": 3}
    lines = lesion_lines({"RDP": [row, {**row, "recovery": 71.0, "least": 30.0}]})
    assert lines[-1] == "| RDP | 66 | 30 | 8.0 |"
