"""Region kinetics follow the table; voxels vary smoothly about their region."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.simulation.brain import make_brain
from betaplus.simulation.subject import (
    PARAMETERS,
    draw_region_kinetics,
    from_scores,
    voxel_kinetics,
)
from betaplus.simulation.tracers import PROFILES, find_profile

# 5/50/95 % in the project's table of 80 healthy adults, written out again here.
TABLE = {
    "FrontalCortex": {
        "K1": (0.096, 0.119, 0.158),
        "k2": (0.080, 0.163, 0.257),
        "k3": (0.064, 0.108, 0.165),
        "k4": (0.005, 0.012, 0.018),
        "VB": (0.022, 0.027, 0.037),
    },
    "WhiteMatter": {
        "K1": (0.071, 0.082, 0.104),
        "k2": (0.073, 0.136, 0.198),
        "k3": (0.053, 0.090, 0.138),
        "k4": (0.005, 0.010, 0.016),
        "VB": (0.013, 0.017, 0.021),
    },
}
KI = {"FrontalCortex": (0.034, 0.048, 0.065), "WhiteMatter": (0.025, 0.032, 0.040)}


@pytest.fixture(scope="module")
def people():
    return [draw_region_kinetics(PROFILES["FDG"], seed) for seed in range(1500)]


def _column(people, region, parameter):
    return np.array([person[region][parameter] for person in people])


@pytest.mark.parametrize("region", TABLE)
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_quantiles_are_the_table_s(people, region, parameter):
    values = _column(people, region, parameter)
    for level, expected in zip((0.05, 0.5, 0.95), TABLE[region][parameter], strict=True):
        share = np.mean(values < expected)
        assert share == pytest.approx(level, abs=4.5 * np.sqrt(level * (1 - level) / len(people)))


@pytest.mark.parametrize("region", KI)
def test_ki_spreads_as_in_the_table(people, region):
    K1, k2, k3 = (_column(people, region, p) for p in ("K1", "k2", "k3"))
    found = np.quantile(K1 * k3 / (k2 + k3), (0.05, 0.5, 0.95))
    assert found == pytest.approx(KI[region], rel=0.12)


def test_scores_hit_the_quantiles_exactly():
    quantiles = (0.2, 0.5, 4.0)
    z = 1.6448536269514722
    assert from_scores(quantiles, np.array([-z, 0.0, z])) == pytest.approx(quantiles)
    assert (np.diff(from_scores(quantiles, np.linspace(-4, 4, 101))) > 0).all()


def test_regions_of_a_person_differ_less_than_people_do(people):
    front, parietal = (np.log(_column(people, f"{r}Cortex", "K1")) for r in ("Frontal", "Parietal"))
    assert np.std(front - parietal) < 0.75 * np.std(front)
    assert np.std(front - parietal) > 0.2 * np.std(front)


def test_pbr28_is_reversible_and_fdg_hardly():
    for seed in range(20):
        fdg = draw_region_kinetics(find_profile("fdg"), seed)["FrontalCortex"]
        pbr28 = draw_region_kinetics(find_profile("pbr28"), seed)["FrontalCortex"]
        assert fdg["k4"] * 50 < 1.5 < pbr28["k4"] * 60
        VT = pbr28["K1"] / pbr28["k2"] * (1 + pbr28["k3"] / pbr28["k4"])
        assert 1.5 < VT < 9


def test_voxels_vary_smoothly_inside_regions():
    phantom = make_brain("small", 0)
    regions = draw_region_kinetics(PROFILES["FDG"], 0)
    maps = voxel_kinetics(phantom, regions, 0)
    label = next(i for i, name in phantom.names.items() if name == "WhiteMatter")
    inside = phantom.labels == label
    values = np.full(inside.shape, np.nan)
    values[inside] = np.log(maps["K1"][inside] / regions["WhiteMatter"]["K1"])
    assert np.nanstd(values) == pytest.approx(0.08, abs=0.02)
    assert np.nanmean(values) == pytest.approx(0, abs=0.02)
    step = np.nanstd(np.diff(values, axis=0))
    spread = 14.0 / np.sqrt(8 * np.log(2)) / 4.5  # voxels
    expected = np.nanstd(values) * np.sqrt(2 - 2 * np.exp(-0.25 / spread**2))
    assert step == pytest.approx(expected, rel=0.1)
    assert maps["VB"].max() <= 0.98
