"""Scanners: where lines are, and numbers that no scanner has."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.core.scanners import SCANNERS, find_scanner

TEACHING = SCANNERS["teaching"]


@pytest.mark.parametrize("name", SCANNERS)
def test_every_bin_is_a_pair_of_its_own(name: str) -> None:
    scanner = SCANNERS[name]
    pairs = np.sort(scanner.pairs.reshape(-1, 2), axis=1)
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_radial_bins_are_where_the_crystals_put_them() -> None:
    ends = TEACHING.detector_xy[TEACHING.pairs]
    along = ends[..., 1, :] - ends[..., 0, :]
    normal = np.stack([along[..., 1], -along[..., 0]], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    distance = (ends[..., 0, :] * normal).sum(-1)
    t = np.arange(TEACHING.radial) - TEACHING.radial // 2
    expected = TEACHING.effective_radius * np.sin(np.pi * t / TEACHING.detectors)
    assert np.allclose(np.abs(distance), np.abs(expected)[None], atol=1e-9)
    assert np.allclose(distance[:, t > 0].std(0), 0.0, atol=1e-9)  # one side for all views
    assert np.isclose(np.diff(np.abs(distance[0, t >= 0]))[0], TEACHING.bin_width, rtol=1e-3)


def test_the_mmr_has_its_numbers() -> None:
    scanner = find_scanner("mmr")
    assert scanner.shape == (252, 344, 837)
    assert scanner.is_gap.sum() == 56
    assert np.isclose(scanner.bin_width, 2.0882, atol=1e-3)
    assert scanner.axial_length == 260.0


def test_time_of_flight_in_mm() -> None:
    vision = find_scanner("Vision 600")
    assert vision.shape == (399, 520, 6400, 33)
    assert np.isclose(vision.tof_bin, 21.465, atol=1e-3)
    assert np.isclose(vision.tof_sigma * 2.3548, 32.08, atol=0.01)


WRONG = {
    "radius": {"radius": -3.0},
    "a crowd of crystals": {"detectors": 32400},
    "few crystals": {"detectors": 36, "radial": 20, "block": 1, "gap": 0},
    "odd": {"detectors": 323},
    "blocks": {"block": 7},
    "bins": {"radial": 324},
    "rings": {"rings": 0},
    "pitch": {"ring_pitch": 80.0},
    "not a number": {"ring_pitch": float("nan")},
    "span": {"span": 2},
    "difference": {"max_ring_difference": 8},
    "depth": {"depth": 60.0},
    "even bins of time": {"tof_bins": 4},
    "bins of no time": {"tof_bins": 5},
}


@pytest.mark.parametrize("case", WRONG)
def test_implausible_scanners(case: str) -> None:
    with pytest.raises(UsageError, match="expected") as error:
        TEACHING.replace(**WRONG[case])
    assert "\n" not in str(error.value)


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"scanner 'Explorer' is unknown; expected one of mMR"):
        find_scanner("Explorer")
