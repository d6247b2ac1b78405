"""The table of kinetics against what is measured in people."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputFunction
from betaplus.simulation.dynamic_study.kinetics import (
    FDG_ORGANS,
    TUMOUR,
    draw_tumour,
    influx,
    organ_kinetics,
)
from betaplus.simulation.dynamic_study.protocol import DYNAMIC
from betaplus.simulation.dynamic_study.response_table import ResponseTable
from betaplus.simulation.dynamic_study.truth import patlak_basis, patlak_fit
from betaplus.simulation.input_functions import feng, sample_times
from betaplus.simulation.subject import PARAMETERS
from betaplus.simulation.uptake import REGIONS
from betaplus.simulation.uptake.fdg import FDG

HALF_LIFE = FDG_ORGANS.tracer.half_life


@pytest.fixture(scope="module")
def blood() -> InputFunction:
    """Blood of the middle of the population, 1 Bq/mL the SUV."""
    profile, time = FDG_ORGANS.blood, sample_times(4500.0)
    plasma = np.maximum(feng((time - 16.0) / 60.0, profile.amplitudes, profile.rates), 0.0)
    return InputFunction(
        time=time, plasma=plasma, whole_blood=0.92 * plasma, dispersion_corrected=False
    )


def _medians(name: str) -> dict[str, np.ndarray]:
    region = FDG_ORGANS.regions[name]
    table = FDG_ORGANS.tissues[region.tissue]
    return {p: np.array([table[p][1] * region.factors.get(p, 1.0)]) for p in PARAMETERS}


@pytest.mark.parametrize(
    ("name", "measured"),
    [("GreyMatter", 0.032), ("WhiteMatter", 0.022), ("Liver", 0.003), ("Muscle", 0.0016),
     ("KidneyCortex", 0.005)],
)  # fmt: skip
def test_patlak_slopes_are_those_measured_within_a_factor_of_2(
    blood: InputFunction, name: str, measured: float
) -> None:
    timing = DYNAMIC.late().timing(0)
    frames = ResponseTable(blood, 4500.0, timing, HALF_LIFE).frame_means(_medians(name))
    basis = patlak_basis(blood, timing, HALF_LIFE, 1.0)[None]
    Ki, V0 = patlak_fit(frames[:, None, None], basis)
    assert measured / 2 < Ki.item() < measured * 2
    assert 0.0 < V0.item() < 2.0


def test_an_hour_after_injection_it_is_the_static_image(blood: InputFunction) -> None:
    table = ResponseTable(blood, 4500.0, FDG.frames, HALF_LIFE)
    ratios = {
        name: table.frame_means(_medians(name)).item() / FDG.regions[name][1]
        for name in FDG_ORGANS.regions
    }
    grey = {n: r for n, r in ratios.items() if FDG_ORGANS.regions[n].tissue == "GreyMatter"}
    for name, ratio in ratios.items():
        low = 0.55 if name in grey else 1 / 1.4  # measured in other people than the static table
        assert low < ratio < 1.4, f"{name}: {ratio:.2f}"


def test_every_region_has_kinetics_and_people_differ() -> None:
    one, two = organ_kinetics(REGIONS, 1), organ_kinetics(REGIONS, 2)
    assert set(one) == set(REGIONS)
    assert one["Liver"] == organ_kinetics(["Liver"], 1)["Liver"] != two["Liver"]
    assert one["Airways"]["K1"] == 0.0
    with pytest.raises(UsageError, match="Gills"):
        organ_kinetics(["Gills"], 1)


def test_tumours_take_up_what_tumours_do() -> None:
    drawn = [draw_tumour(910_000, item) for item in range(400)]
    Ki = influx(*(np.array([d[p] for d in drawn]) for p in ("K1", "k2", "k3")))
    assert 0.018 < np.median(Ki) < 0.030  # .0276 fitted in liver tumours
    assert np.median([d["k3"] for d in drawn]) == pytest.approx(TUMOUR["k3"][1], rel=0.15)


def test_influx_is_0_where_nothing_leaves() -> None:
    Ki = influx(np.array([0.1, 0.2]), np.array([0.3, 0.0]), np.array([0.1, 0.0]))
    np.testing.assert_allclose(Ki, [0.025, 0.0])
