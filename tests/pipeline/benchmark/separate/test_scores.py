"""Scores: closed forms, and what is true scores as true."""

import math

import numpy as np
import pytest

from betaplus.pipeline.benchmark.separate.crosstalk import lesion_uptake, means_of
from betaplus.pipeline.benchmark.separate.real.run import curve_error
from betaplus.pipeline.benchmark.separate.scores import Targets, digits, image_scores


def test_an_image_that_is_a_tenth_too_large():
    rng = np.random.default_rng(0)
    truth = rng.uniform(1000.0, 9000.0, (12, 12, 12, 2))
    inside = np.ones((12, 12, 12), bool)
    found = image_scores(1.1 * truth, truth, inside, np.array([60.0, 300.0]))
    assert found["nrmse"] == pytest.approx(0.1)
    assert found["nrmse_time"] == pytest.approx(0.1)
    mse = np.mean((0.1 * truth) ** 2)
    assert found["mse"] == pytest.approx(mse / 1e6)
    assert found["psnr"] == pytest.approx(20 * math.log10(truth.max() / math.sqrt(mse)))
    assert found["ssim"] < 1.0


def test_long_frames_count_for_more_where_time_weighs():
    truth = np.ones((12, 12, 12, 2))
    image = truth + np.array([0.3, 0.0])
    inside = np.ones(truth.shape[:3], bool)
    found = image_scores(image, truth, inside, np.array([100.0, 800.0]))
    assert found["nrmse"] == pytest.approx(0.3 / math.sqrt(2))
    assert found["nrmse_time"] == pytest.approx(0.1)


def test_only_the_head_counts():
    truth = np.ones((12, 12, 12, 1))
    image = truth.copy()
    image[0] = 50.0
    inside = np.ones(truth.shape[:3], bool)
    inside[:7] = False  # beyond the reach of a window of SSIM, too
    found = image_scores(image, truth, inside, np.ones(1))
    assert found["nrmse"] == 0.0 and found["psnr"] == math.inf
    assert found["ssim"] == pytest.approx(1.0)


def test_the_truth_has_no_error_and_its_regions_are_those_of_the_reference(simulated):
    targets = Targets(simulated)
    found = targets.score(simulated.x)
    reference = targets.reference
    assert reference["regions"] and reference["tracers"] == ["FMZ", "FDG"]
    for one, curves in zip(found, reference["curves"], strict=True):
        assert one["nrmse"] == 0.0
        assert one["curves"] == curves
    voxel = np.prod(simulated.voxel) / 1000.0
    assert all(mask.sum() * voxel >= 1.0 for mask in targets.regions.values())
    assert "VenousSinus" not in targets.regions


def test_numbers_that_are_none_are_written_as_none():
    assert digits(np.array([[1.234567, np.nan]])) == [[1.2346, None]]


def test_uptake_is_a_mean_over_voxels_and_time_per_injected_activity():
    difference = np.zeros((2, 2, 2, 2))
    difference[0, 0, 0] = [400.0, 100.0]
    difference[0, 0, 1] = [0.0, 100.0]
    core = np.zeros((2, 2, 2), bool)
    core[0, 0] = True
    found = lesion_uptake(difference, core, np.array([10.0, 30.0]), 50.0)
    assert found == pytest.approx((200 * 10 + 100 * 30) / 40 / 50)


def test_leaks_do_not_cancel():
    rows = [
        {"method": "a", "delay": 20.0, "kind": "first", "inserted": 2.0, "kept": 1.8, "leaked": v}
        for v in (0.4, -0.2)
    ]
    rows.append({"method": "a", "delay": 0.0, "kind": "first", "skipped": "why"})
    (found,) = means_of(rows)
    assert found["leak"] == pytest.approx(0.15)
    assert found["signed"] == pytest.approx(0.05)
    assert found["largest"] == pytest.approx(0.2)
    assert found["recovered"] == pytest.approx(0.9)


def test_error_of_curves():
    truth, duration, off = np.array([3.0, 4.0]), np.ones(2), np.array([0.5, 0.0])
    assert curve_error(truth + off, truth, duration) == pytest.approx(0.1)
    both = np.stack([truth + off, truth])
    assert curve_error(both, truth, duration) == pytest.approx(0.1 / math.sqrt(2))
