"""The head in the scanner: where it is, and that grids, slabs and threads do not matter."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.frames import FrameTiming
from betaplus.core.grid import ImageGrid
from betaplus.core.scanners import find_scanner
from betaplus.physics.response import InputResponse
from betaplus.simulation.anatomy import Anatomy, Space
from betaplus.simulation.dynamic import frame_means
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.raw import head as head_module
from betaplus.simulation.raw.activity import draw_subject
from betaplus.simulation.raw.head import (
    HEAD_CENTRE,
    average,
    coarse_phantom,
    finer,
    make_head,
    scanner_grid,
)
from betaplus.simulation.subject import PARAMETERS
from betaplus.simulation.tracers import find_profile

GRID = ImageGrid(shape=(48, 56, 20), voxel_size=(4.0, 4.0, 4.0))


@pytest.fixture(scope="module")
def head():
    return make_head(GRID, seed=2, threads=1)


def _world(grid: ImageGrid) -> np.ndarray:
    """World position of each voxel by the grid's affine, shape (3, X, Y, Z)."""
    index = np.indices(grid.shape).reshape(3, -1)
    out = grid.affine[:3, :3] @ index + grid.affine[:3, 3:]
    return out.reshape(3, *grid.shape)


def test_labels_are_those_of_the_anatomy_at_the_voxels_world_positions(head):
    """The anatomy's own axes must rise, so it is asked on the flipped grid and flipped back."""
    points = _world(GRID) + np.array(HEAD_CENTRE)[:, None, None, None]
    flipped = [p[::-1, ::-1, ::-1].astype(np.float32) for p in points]
    expected = Anatomy(2).labels(Space(*flipped, 4.0))[::-1, ::-1, ::-1]
    assert (head.labels != expected).mean() < 1e-4  # single precision of positions


def test_slabs_and_threads_change_nothing(head, monkeypatch):
    monkeypatch.setattr(head_module, "_SLAB", 6)
    other = make_head(GRID, seed=2, threads=3)
    np.testing.assert_array_equal(head.labels, other.labels)
    np.testing.assert_array_equal(head.delivery, other.delivery)


@pytest.mark.parametrize("seed", [0, 5])
def test_no_head_reaches_out_of_the_box_that_is_searched(seed):
    axes = [np.arange(low, high, 5.0, np.float32) for low, high in ((-125, 126), (-150, 121))]
    axes.append(np.arange(-110.0, 121.0, 5.0, np.float32))
    points = np.meshgrid(*axes, indexing="ij")
    labels = Anatomy(seed).labels(Space(*points, 5.0))
    for position, (low, high) in zip(points, head_module._BOX, strict=True):
        assert not labels[(position < low) | (position > high)].any()


def test_delivery_is_log_normal_with_mean_one(head):
    inside = head.labels > 0
    assert not head.delivery[~inside].any()
    assert head.delivery[inside].mean() == pytest.approx(1.0, abs=0.02)
    assert np.log(head.delivery[inside]).std() == pytest.approx(0.1, rel=0.15)


def test_the_head_is_the_same_on_another_grid(head):
    fine = make_head(finer(GRID), seed=2)
    coarse = coarse_phantom(fine, GRID)
    both = (coarse.labels > 0) & (head.labels > 0)
    assert (coarse.labels > 0).sum() == pytest.approx((head.labels > 0).sum(), rel=0.01)
    delivery = average(fine.delivery)
    whole = average((fine.labels > 0).astype(np.float32)) == 1.0
    difference = (delivery - head.delivery)[whole & both]
    assert np.abs(difference).max() < 0.03
    assert np.corrcoef(delivery[whole & both], head.delivery[whole & both])[0, 1] > 0.99


def test_average_keeps_the_total():
    image = np.random.default_rng(0).uniform(size=(6, 4, 8)).astype(np.float32)
    assert 8.0 * average(image).sum(dtype=float) == pytest.approx(image.sum(dtype=float), rel=1e-6)
    assert average(image)[1, 0, 2] == pytest.approx(image[2:4, 0:2, 4:6].mean(), rel=1e-6)


def test_grids():
    full, small = (scanner_grid(find_scanner(n)) for n in ("mMR", "teaching"))
    assert full.shape == (128, 128, 127) and full.voxel_size == (2.0, 2.0, 2.03125)
    assert small.shape == (128, 128, 16) and small.voxel_size == (2.0, 2.0, 2.0)
    fine = finer(full)
    assert fine.shape == (256, 256, 254) and fine.voxel_size == (1.0, 1.0, 1.015625)
    edge = full.first[2] - full.voxel_size[2] / 2
    assert fine.first[2] - fine.voxel_size[2] / 2 == pytest.approx(edge)


@pytest.mark.parametrize("tracer", ["FDG", "PBR28"])
def test_activity_against_the_model_voxel_by_voxel(head, tracer):
    profile = find_profile(tracer)
    frames = FrameTiming(np.array([30.0, 600.0, 2400.0]), np.array([10.0, 120.0, 600.0]))
    subject = draw_subject(profile, frames, seed=2)
    end = float(frames.end[-1])
    response = InputResponse(subject.blood.curve(end), frames, profile.tracer.half_life)
    inside = np.flatnonzero(head.labels)[::61]
    maps = subject.maps(head)
    values = {p: maps[p].ravel()[inside].astype(float) for p in PARAMETERS}
    expected = frame_means(response, values, subject.delay)
    found = np.stack([subject.image(head, n).ravel()[inside] for n in range(3)], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
    assert np.unique(head.labels.ravel()[inside]).size > 8


def test_the_person_is_that_of_the_dynamic_simulation():
    from betaplus.core.seeds import generator

    profile = find_profile("FDG")
    subject = draw_subject(profile, profile.frames, seed=3)
    end = float(profile.frames.end[-1])
    rng = generator(3, item=0, draw=5)
    blood = draw_blood(profile.blood, profile.activity_per_gram, end, rng)
    np.testing.assert_array_equal(subject.blood.plasma, blood.plasma)
    assert subject.delay == float(rng.uniform(*profile.delay))
