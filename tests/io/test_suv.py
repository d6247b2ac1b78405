"""SUV of PET-BIDS images: dose and times of the sidecar, weight of participants.tsv."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.io.derivatives import write_image
from betaplus.io.open import load
from betaplus.io.suv import from_suv, suv_conversion, to_suv
from betaplus.io.tsv import read_table

HALF_LIFE = 6584.04
FIELDS = {
    "Units": "kBq/mL",
    "TracerRadionuclide": "F18",
    "InjectedRadioactivity": 200,
    "InjectedRadioactivityUnits": "MBq",
    "ModeOfAdministration": "bolus",
    "InjectionStart": -3000,
    "FrameTimesStart": [0, 300],
    "FrameDuration": [300, 300],
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 600,
    "BodyWeight": 64,
}


def write(folder: Path, change=None, participants=None, description=None) -> Path:
    """Write a PET-BIDS data set of one scan; return its image."""
    pet = folder / "sub-01" / "ses-a" / "pet"
    pet.mkdir(parents=True)
    path = pet / "sub-01_ses-a_pet.nii.gz"
    values = np.random.default_rng(0).uniform(0, 50, (4, 5, 6, 2)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0])), path)
    fields = {k: v for k, v in (FIELDS | (change or {})).items() if v is not None}
    (pet / "sub-01_ses-a_pet.json").write_text(json.dumps(fields))
    if participants is not None:
        (folder / "participants.tsv").write_text(participants)
    if description is not None:
        (folder / "participants.json").write_text(json.dumps(description))
    return path


def by_hand(weight=64.0, elapsed=3600.0):
    """Return SUVbw per kBq/mL."""
    return 1e3 * weight * 1e3 / (200e6 * 2 ** (-elapsed / HALF_LIFE))


def test_to_suv_and_back(tmp_path):
    scan = load(write(tmp_path))
    conversion = suv_conversion(scan)
    assert conversion.factor == pytest.approx(by_hand(), rel=1e-9)
    suv = to_suv(scan, conversion)
    assert (suv.unit, suv.metadata["SUVType"]) == ("SUV", "SUVbw")
    values = np.asarray(suv.data)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, np.asarray(scan.data) * by_hand(), rtol=1e-6)
    np.testing.assert_array_equal(suv.data[1:3, :, 2, 1], values[1:3, :, 2, 1])
    back = from_suv(values, scan, conversion)
    assert (back.unit, back.decay_corrected_to) == ("kBq/mL", 600.0)
    np.testing.assert_allclose(np.asarray(back.data), np.asarray(scan.data), rtol=1e-6)
    record = conversion.record()
    assert record["InjectedRadioactivity_Bq"] == 200e6
    assert record["SecondsFromInjectionToDecayCorrection"] == 3600.0
    assert record["BodyWeight_kg"] == 64.0
    json.dumps(record)


def test_a_written_suv_image_says_its_type(tmp_path):
    scan = load(write(tmp_path))
    suv = to_suv(scan, suv_conversion(scan))
    out = tmp_path / "out_pet.nii.gz"
    write_image(out, suv)
    again = load(out)
    assert (again.unit, again.metadata["SUVType"]) == ("SUV", "SUVbw")
    assert again.metadata["SUVConversion"]["BodyWeight_kg"] == 64.0
    conversion = suv_conversion(again)
    assert conversion.factor == 1.0
    assert conversion.remarks == ()
    with pytest.raises(InputError, match=r"BodyHeight is missing.*no SUV"):
        suv_conversion(again, kind="SUL", sex="F")
    lean = 9270 * 64 / (8780 + 244 * 64 / 1.6**2)
    to_lean = suv_conversion(again, kind="SUL", sex="F", height=1.6)
    assert to_lean.factor == pytest.approx(lean / 64)


def test_without_decay_correction(tmp_path):
    change = {"ImageDecayCorrected": False, "ImageDecayCorrectionTime": None}
    scan = load(write(tmp_path, change))
    suv = to_suv(scan, suv_conversion(scan))
    rate = np.log(2) / HALF_LIFE
    start = np.array([3000.0, 3300.0])
    survived = (np.exp(-rate * start) - np.exp(-rate * (start + 300))) / (rate * 300)
    expected = np.asarray(scan.data, dtype=float) * 1e3 / survived * 64e3 / 200e6
    np.testing.assert_allclose(np.asarray(suv.data), expected, rtol=1e-6)
    assert suv.decay_corrected_to == -3000.0
    np.testing.assert_allclose(suv.data[..., 1], expected[..., 1], rtol=1e-6)


def test_weight_and_height_of_participants(tmp_path):
    table = "participant_id\tsex\tweight\theight\nsub-02\tM\t99\t199\nsub-01\tF\t58.5\t164\n"
    units = {"weight": {"Units": "kg"}, "height": {"Units": "cm"}}
    scan = load(write(tmp_path, {"BodyWeight": None}, table, units))
    conversion = suv_conversion(scan)
    assert conversion.remarks == ()
    assert conversion.factor == pytest.approx(by_hand(58.5))
    lean = 9270 * 58.5 / (8780 + 244 * 58.5 / 1.64**2)
    assert suv_conversion(scan, kind="SUL").factor == pytest.approx(by_hand(lean))


def test_participants_without_units(tmp_path):
    table = "participant_id\tweight\theight\nsub-01\t58.5\t1.64\n"
    scan = load(write(tmp_path, {"BodyWeight": None}, table))
    conversion = suv_conversion(scan, kind="SUVbsa")
    assert any("taken as kg" in text for text in conversion.remarks)
    assert any("can only be m" in text for text in conversion.remarks)
    area = 0.007184 * 58.5**0.425 * 164**0.725
    assert conversion.factor == pytest.approx(by_hand(10 * area))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"InjectedRadioactivity": None}, "InjectedRadioactivity is missing in sub-01"),
        ({"InjectedRadioactivityUnits": None}, "InjectedRadioactivityUnits is missing"),
        ({"InjectedRadioactivityUnits": "mg"}, "InjectedRadioactivityUnits is mg.*MBq"),
        (
            {"InjectedRadioactivityUnits": "Bq"},
            "InjectedRadioactivity is 200 Bq for 64 kg.*like MBq",
        ),
        ({"InjectedRadioactivity": "much"}, "InjectedRadioactivity is 'much'"),
        ({"BodyWeight": None}, "BodyWeight is missing in sub-01_ses-a_pet.nii.gz: no SUV"),
        ({"BodyWeight": 64, "PatientWeight": 74}, "BodyWeight 64, PatientWeight 74"),
        ({"InjectionStart": None}, "InjectionStart is missing"),
        ({"TracerRadionuclide": None}, "TracerRadionuclide is missing"),
    ],
)
def test_no_suv_says_which_field(tmp_path, change, says):
    scan = load(write(tmp_path, change))
    with pytest.raises(InputError, match=says):
        suv_conversion(scan)


@pytest.mark.parametrize(
    ("table", "description", "says"),
    [
        ("participant_id\tweight\nsub-01\tfat\n", None, "weight is 'fat' in participants.tsv"),
        ("participant_id\tweight\nsub-01\t140\n", {"weight": {"Units": "lb"}}, "weight is in 'lb'"),
        ("participant_id\tweight\nsub-01\tn/a\n", None, "BodyWeight is missing"),
        ("participant_id\tweight\nsub-02\t70\n", None, "BodyWeight is missing"),
        ("participant_id\tweight\theight\nsub-01\t70\t7\n", None, "height is 7.*m or cm"),
    ],
)
def test_participants_that_do_not_help(tmp_path, table, description, says):
    scan = load(write(tmp_path, {"BodyWeight": None}, table, description))
    with pytest.raises(InputError, match=says):
        suv_conversion(scan)


def test_options(tmp_path):
    change = {"BodyWeight": None, "InjectedRadioactivity": None}
    scan = load(write(tmp_path / "a", change))
    assert suv_conversion(scan, dose=200e6, weight=70).factor == pytest.approx(by_hand(70))
    whole = load(write(tmp_path / "b"))
    assert suv_conversion(whole, dose=200e6, weight=64).factor == pytest.approx(by_hand())
    with pytest.raises(UsageError, match="--weight is 65 but BodyWeight is 64"):
        suv_conversion(whole, weight=65)
    with pytest.raises(UsageError, match=r"--dose is 1\.9e"):
        suv_conversion(whole, dose=190e6)
    with pytest.raises(UsageError, match="--sex is x"):
        suv_conversion(whole, kind="SUL", sex="x")
    with pytest.raises(UsageError, match="type of SUV 'SUV'"):
        suv_conversion(whole, kind="SUV")


def test_infusion_is_remarked(tmp_path):
    scan = load(write(tmp_path, {"ModeOfAdministration": "bolus-infusion"}))
    assert "bolus-infusion" in suv_conversion(scan).remarks[0]


def test_real_data_set(reference_data, tmp_path):
    """[11C]MC1 (OpenNeuro ds004869), whose doses are in kBq although they say Bq."""
    root = reference_data / "bids_mc1"
    if not root.is_dir():
        pytest.skip("bids_mc1 is not there")
    source = next(root.glob("sub-01/ses-baseline/pet/*_pet.json"))
    fields = json.loads(source.read_text())
    pet = tmp_path / "sub-01" / "pet"
    pet.mkdir(parents=True)
    for name in ("participants.tsv", "participants.json"):
        shutil.copyfile(root / name, tmp_path / name)
    n = len(fields["FrameDuration"])
    image = nibabel.Nifti1Image(np.ones((1, 1, 1, n), np.float32), np.eye(4))
    nibabel.save(image, pet / "sub-01_pet.nii.gz")
    (pet / "sub-01_pet.json").write_text(json.dumps(fields))
    with pytest.raises(InputError, match=r"InjectedRadioactivity is 65\d+ Bq for 75\.8 kg.*kBq"):
        suv_conversion(load(pet / "sub-01_pet.nii.gz"))
    fields["InjectedRadioactivityUnits"] = "kBq"
    (pet / "sub-01_pet.json").write_text(json.dumps(fields))
    conversion = suv_conversion(load(pet / "sub-01_pet.nii.gz"))
    assert conversion.factor == pytest.approx(75.8 / fields["InjectedRadioactivity"])
    tacs = next((root / "derivatives").rglob("sub-01_ses-baseline*_tacs.tsv"))
    table = read_table(tacs)
    putamen = conversion.factor * np.array(table["Left-Putamen"], dtype=float)
    assert 1.0 < putamen.max() < 8.0  # a brain tracer's peak
