"""Subjects: the quantiles of the tables, what regions share, and groups of people."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.simulation.uptake import UPTAKE, draw_dose, draw_group, draw_uptake

N = 1500
NAMES = ["FrontalCortex", "ParietalCortex", "Liver", "Bladder", "Aorta", "HeartBlood", "BowelGas"]


@pytest.fixture(scope="module")
def people() -> dict[str, np.ndarray]:
    drawn = [draw_uptake(NAMES, "FDG", seed) for seed in range(N)]
    return {name: np.array([d[name] for d in drawn]) for name in NAMES}


@pytest.mark.parametrize("name", NAMES[:-1])
def test_over_people_a_region_has_the_quantiles_of_its_table(people, name):
    for share, expected in zip((0.05, 0.5, 0.95), UPTAKE["FDG"].regions[name], strict=True):
        below = (people[name] < expected).mean()
        assert abs(below - share) < 4 * np.sqrt(share * (1 - share) / N)


def test_regions_share_as_much_as_their_families_say(people):
    def correlation(a: str, b: str) -> float:
        return float(np.corrcoef(np.log(people[a]), np.log(people[b]))[0, 1])

    assert correlation("FrontalCortex", "ParietalCortex") == pytest.approx(0.85, abs=0.04)
    assert correlation("Aorta", "HeartBlood") > 0.95
    assert correlation("Liver", "Bladder") < 0.3
    assert not people["BowelGas"].any()


def test_a_region_does_not_depend_on_the_others_asked_for():
    assert draw_uptake(["Liver"], "PSMA", 3)["Liver"] == draw_uptake(NAMES, "PSMA", 3)["Liver"]
    assert draw_uptake(["Liver"], "PSMA", 3) != draw_uptake(["Liver"], "PSMA", 4)


def test_groups_come_with_their_shares_and_change_only_their_regions():
    groups = [draw_group("amyloid", seed) for seed in range(N)]
    assert np.mean([g == "amyloid-positive" for g in groups]) == pytest.approx(0.4, abs=0.05)
    names = ["FrontalCortex", "CerebellarCortex"]
    negative = draw_uptake(names, "amyloid", 5, "amyloid-negative")
    positive = draw_uptake(names, "amyloid", 5, "amyloid-positive")
    assert positive["FrontalCortex"] > 1.2 * negative["FrontalCortex"]
    assert positive["CerebellarCortex"] == negative["CerebellarCortex"]


def test_heavier_people_are_given_more():
    drawn = np.array([draw_dose("FDG", seed) for seed in range(400)])
    assert np.corrcoef(np.log(drawn).T)[0, 1] == pytest.approx(0.6, abs=0.12)
    assert np.median(drawn[:, 0]) == pytest.approx(75, rel=0.05)
    assert draw_dose("FDG", 1, 120.0)[1] > draw_dose("FDG", 1, 50.0)[1]


def test_what_has_no_uptake_is_named():
    with pytest.raises(UsageError, match="no uptake for Tail"):
        draw_uptake(["Liver", "Tail"], "FDG", 0)
    with pytest.raises(UsageError, match="group 'tall' is unknown; expected one of all"):
        draw_uptake(["Liver"], "FDG", 0, "tall")
