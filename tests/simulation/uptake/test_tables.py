"""Tables of uptake: complete, ordered, and together no more than was injected."""

from __future__ import annotations

import pytest

from betaplus.core.errors import UsageError
from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.body.regions import BODY_LABELS
from betaplus.simulation.uptake import REGIONS, UPTAKE, find_uptake
from betaplus.simulation.uptake.regions import FAMILIES

# Reference adult male, ICRP Publication 89 [kg]; adipose without the part in the breast, heart and
# vessels with their blood, bowel with its contents, urine of a half-full bladder.
MASS = {
    "GreyMatter": 0.75, "WhiteMatter": 0.6, "CSF": 0.15, "LacrimalGlands": 0.0014,
    "SalivaryGlands": 0.085, "Thyroid": 0.02, "Lungs": 1.2, "Myocardium": 0.33, "HeartBlood": 0.51,
    "Aorta": 0.34, "VenaCava": 1.0, "Liver": 1.8, "Gallbladder": 0.068, "Spleen": 0.15,
    "KidneyCortex": 0.25, "RenalPelvis": 0.02, "Adrenals": 0.014, "Pancreas": 0.14,
    "Stomach": 0.4, "SmallBowel": 1.0, "Colon": 0.67, "Bladder": 0.2, "Prostate": 0.017,
    "Testes": 0.035, "SpinalCord": 0.03, "Muscle": 29.0, "Fat": 18.2, "CorticalBone": 4.4,
    "RedMarrow": 2.3, "SoftTissue": 8.0,
}  # fmt: skip
WEIGHT = 73.0


def test_every_region_of_both_phantoms_has_an_uptake_and_a_family():
    named = {*LABELS.values(), *BODY_LABELS.values()} - {"Lesion"}
    assert set(REGIONS) == named
    members = [m for family in FAMILIES.values() for m in family.members]
    assert sorted(members) == sorted(named)
    for profile in UPTAKE.values():
        assert set(profile.regions) == named


@pytest.mark.parametrize("tracer", UPTAKE)
def test_quantiles_rise_and_shares_sum_to_one(tracer):
    profile = UPTAKE[tracer]
    tables = [profile.regions, *(g.regions for g in profile.groups.values())]
    for name, (low, middle, high) in (item for table in tables for item in table.items()):
        assert (low, middle, high) == (0, 0, 0) or 0 < low < middle < high, name
    assert sum(g.share for g in profile.groups.values()) == pytest.approx(1.0)
    assert profile.regions["Airways"] == profile.regions["BowelGas"] == (0, 0, 0)


@pytest.mark.parametrize("tracer", UPTAKE)
def test_the_median_body_holds_about_what_was_injected(tracer):
    regions = UPTAKE[tracer].regions
    held = sum(mass * regions[name][1] for name, mass in MASS.items()) / WEIGHT
    assert 0.55 < held < 1.1, held


def test_ratios_that_define_a_tracer():
    fdg, fmz, raclopride = (UPTAKE[t].regions for t in ("FDG", "FMZ", "raclopride"))
    assert 2.5 < fdg["FrontalCortex"][1] / fdg["WhiteMatter"][1] < 4.0
    assert fdg["Bladder"][0] == 5 and fdg["Bladder"][2] == 100
    assert fdg["Myocardium"][2] / fdg["Myocardium"][0] > 8
    assert fmz["Brainstem"][1] < 0.3 * fmz["OccipitalCortex"][1]
    bpnd = raclopride["Putamen"][1] / raclopride["CerebellarCortex"][1] - 1.0
    assert 2.0 < bpnd < 3.5
    amyloid = UPTAKE["amyloid"]
    positive = amyloid.groups["amyloid-positive"].regions
    reference = amyloid.regions["CerebellarCortex"][1]
    assert amyloid.regions["FrontalCortex"][1] / reference < 1.11  # the threshold of Joshi et al.
    assert positive["FrontalCortex"][1] / reference > 1.3
    psma = UPTAKE["PSMA"].regions
    assert psma["KidneyCortex"][1] == max(q[1] for q in psma.values())


def test_names_are_found_in_any_spelling_and_unknown_ones_are_named():
    assert find_uptake("dpa714") is UPTAKE["DPA-714"]
    assert find_uptake("Amyloid") is UPTAKE["amyloid"]
    with pytest.raises(UsageError, match="tracer 'water' is unknown; expected one of FDG"):
        find_uptake("water")
