"""Population curves scaled by hand, and what sidecars and tables say of activity and weight."""

from __future__ import annotations

import json

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.core.input_function import InputFunction
from betaplus.kinetics.blood.population import body_weight, injected_activity, scale_population


def suv(**fields):
    return InputFunction(
        time=[0, 30, 60, 3600],
        plasma=[0, 20, 12, 1.5],
        whole_blood=[0, 18, np.nan, 1.0],
        parent_fraction=[1, np.nan, 0.9, 0.2],
        **{"unit": "SUV", **fields},
    )


def test_scaling_by_hand():
    """370 MBq in 74 kg are 5000 Bq/g, so 1 SUV is 5000 Bq/mL."""
    blood = scale_population(suv(remarks=("mean of 10",)), 370e6, 74.0)
    np.testing.assert_allclose(blood.plasma, [0, 100_000, 60_000, 7_500], rtol=1e-14)
    np.testing.assert_allclose(blood.whole_blood, [0, 90_000, np.nan, 5_000], rtol=1e-14)
    np.testing.assert_array_equal(blood.parent_fraction, suv().parent_fraction)
    assert blood.unit == "Bq/mL" and blood.plasma_kind == "total"
    assert blood.remarks == (
        "mean of 10",
        "population curve scaled by 370 MBq over 74 kg: 1 SUV is 5000 Bq/mL",
    )
    assert scale_population(InputFunction(time=[0, 9, 99], plasma=[0, 2, 1], unit="SUV"), 1e6, 1.0)


@pytest.mark.parametrize(
    ("fields", "activity", "weight", "says"),
    [
        ({"unit": "Bq/mL"}, 1e8, 70, "is in Bq/mL; expected SUV"),
        ({}, 0.0, 70, "injected activity 0 Bq"),
        ({}, np.nan, 70, "injected activity nan Bq"),
        ({}, 1e8, 0, "the body weight is 0 kg"),
        ({}, 1e8, np.inf, "the body weight is inf kg"),
        ({}, 1e8, 75_000, "the body weight is 75000 kg"),
    ],
)
def test_scaling_refused(fields, activity, weight, says):
    with pytest.raises(InputError, match=says):
        scale_population(suv(**fields), activity, weight)


@pytest.mark.parametrize(
    ("value", "unit", "becquerels"),
    [
        (884, "MBq", 884e6),
        (5.5e5, "kBq", 5.5e8),
        (654160000.0, "Bq", 654160000),
        (10, "mCi", 370e6),
    ],
)
def test_activity(value, unit, becquerels):
    fields = {"InjectedRadioactivity": value, "InjectedRadioactivityUnits": unit}
    activity, remarks = injected_activity(fields, "a_pet.json")
    assert activity == becquerels and len(remarks) == 1 and "a_pet.json" in remarks[0]
    _, remarks = injected_activity({**fields, "InjectionStart": 30})
    assert "injection at 30 s" in remarks[1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"InjectedRadioactivity": None}, "InjectedRadioactivity is missing in a_pet.json"),
        ({"InjectedRadioactivityUnits": None}, "InjectedRadioactivityUnits is missing"),
        ({"InjectedRadioactivity": "884"}, "InjectedRadioactivity is '884'"),
        ({"InjectedRadioactivity": 0}, "InjectedRadioactivity is 0"),
        ({"InjectedRadioactivityUnits": "mBq"}, "Units is 'mBq' .* expected one of Bq, kBq, MBq"),
        ({"InjectedRadioactivityUnits": "mci"}, "so spelled"),
        ({"RadionuclideTotalDose": 884e3}, r"8.84e\+08 Bq but RadionuclideTotalDose 884000 Bq"),
    ],
)
def test_activity_refused(changes, says):
    fields = {"InjectedRadioactivity": 884, "InjectedRadioactivityUnits": "MBq", **changes}
    with pytest.raises(InputError, match=says):
        injected_activity(fields, "a_pet.json")


def study(
    folder, table="participant_id\tage\tweight\nsub-01\t30\t75.5\nsub-02\t40\tn/a\n", about=None
):
    scan = folder / "ds" / "sub-01" / "ses-1" / "pet" / "sub-01_ses-1_pet.nii.gz"
    scan.parent.mkdir(parents=True)
    if table is not None:
        (folder / "ds" / "participants.tsv").write_text(table)
    if about is not None:
        (folder / "ds" / "participants.json").write_text(json.dumps(about))
    return scan


def test_weight_from_sidecar_or_table(tmp_path):
    scan = study(tmp_path)
    assert body_weight(scan, {"BodyWeight": 68})[0] == 68
    weight, remarks = body_weight(scan, {})
    assert weight == 75.5
    assert remarks == ["body weight 75.5 kg (participants.tsv, no Units: kg, as BIDS has it)"]


def test_weight_in_grams_and_of_derivatives(tmp_path):
    about = {"weight": {"Units": "g"}}
    study(tmp_path, "participant_id\tweight\nsub-01\t312\n", about)
    derived = tmp_path / "ds" / "derivatives" / "x" / "sub-01" / "sub-01_pet.nii.gz"
    derived.parent.mkdir(parents=True)
    weight, remarks = body_weight(derived, {"BodyWeight": None})
    assert weight == pytest.approx(0.312) and "in g" in remarks[0]


def test_a_linked_file_is_found_where_it_is_seen(tmp_path):
    """As datalad keeps files: the link is in the data set, the content is not."""
    scan = study(tmp_path)
    (tmp_path / "content").write_text("x")
    scan.symlink_to(tmp_path / "content")
    assert body_weight(scan, {})[0] == 75.5


@pytest.mark.parametrize(
    ("name", "table", "about", "fields", "says"),
    [
        ("sub-01", None, None, {}, "no body weight for sub-01_ses-1_pet.nii.gz"),
        ("sub-01", ..., None, {"BodyWeight": -1}, "BodyWeight in the sidecar .* is -1 kg"),
        ("sub-01", ..., None, {"BodyWeight": "70"}, "BodyWeight is '70'"),
        ("sub-02", ..., None, {}, "weight of sub-02 is n/a"),
        ("sub-03", ..., None, {}, "sub-03 is in 0 rows"),
        ("sub-01", "participant_id\nsub-01\n", None, {}, "no column weight"),
        (
            "sub-01",
            "participant_id\tweight\nsub-01\theavy\n",
            None,
            {},
            "column weight holds 'heavy'",
        ),
        ("sub-01", "participant_id\tweight\nsub-01\t71200\n", None, {}, "is 71200 kg"),
        ("sub-01", ..., {"weight": {"Units": "lb"}}, {}, "weight is in 'lb'"),
        ("phantom", ..., None, {}, "no body weight for phantom"),
    ],
)
def test_weight_refused(tmp_path, name, table, about, fields, says):
    scan = study(tmp_path, *([] if table is ... else [table]), about=about)
    if name != "sub-01":
        scan = tmp_path / "ds" / f"{name}_pet.nii.gz"
    with pytest.raises(InputError, match=says):
        body_weight(scan, fields)


def test_real_sidecars(reference_data):
    """MC1 says Bq where it means kBq, and DICOM's field beside it shows it; the examples agree."""
    folder = reference_data / "bids_mc1" / "sub-01" / "ses-baseline" / "pet"
    scan = folder / "sub-01_ses-baseline_pet.nii.gz"
    fields = json.loads(scan.with_name("sub-01_ses-baseline_pet.json").read_text())
    with pytest.raises(InputError, match="653790 Bq but RadionuclideTotalDose 6"):
        injected_activity(fields, "sub-01_ses-baseline_pet.json")
    assert body_weight(scan, fields) == (75.8, ["body weight 75.8 kg (participants.tsv, in kg)"])
    path = reference_data / "pet_bids_blood" / "pet004" / "sub-01" / "pet" / "sub-01_pet.json"
    fields = json.loads(path.read_text())
    assert injected_activity(fields)[0] == 884e6
    assert body_weight(path, fields)[0] == 21.0
