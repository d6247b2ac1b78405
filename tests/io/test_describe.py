"""`betaplus info`: everything at once, and never a raise for a defective sidecar."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.io.describe import describe

FIELDS = {
    "Units": "Bq/mL",
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
    "FrameTimesStart": [0, 60, 200],
    "FrameDuration": [60, 120, 300],
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
}


def write(folder, fields, data=None):
    data = np.ones((3, 4, 5, 3), np.float32) if data is None else data
    nibabel.save(nibabel.Nifti1Image(data, np.diag([2, 2, 3, 1.0])), folder / "a_pet.nii.gz")
    (folder / "a_pet.json").write_text(json.dumps(fields))
    return folder / "a_pet.nii.gz"


def texts(found, level):
    return [p["text"] for p in found["problems"] if p["level"] == level]


def test_a_good_image(tmp_path):
    found = describe(write(tmp_path, FIELDS))
    assert json.loads(json.dumps(found)) == found
    assert found["kind"] == "image" and found["shape"] == [3, 4, 5, 3]
    assert found["voxel_size_mm"] == [2, 2, 3] and found["range"] == [1, 1]
    assert found["frames"] == {
        "count": 3,
        "first_start_s": 0,
        "last_end_s": 500,
        "gaps": 1,
        "gap_total_s": 20,
    }
    assert found["tracer"] == {"name": "FDG", "radionuclide": "F18", "half_life_s": 6584.04}
    assert found["unit"] == "Bq/mL" and found["decay_corrected_to_s"] == 0
    assert texts(found, "error") == []
    assert "InjectionStart missing in a_pet.json" in texts(found, "remark")[0]
    assert "TimeZero, ScanStart" in texts(found, "remark")[1]


def test_every_defect_at_once(tmp_path):
    data = np.ones((3, 4, 5, 3), np.float32)
    data[0, 0, 0, 0] = np.nan
    data[..., 1] = 0
    bad = {
        "Units": "counts",
        "TracerRadionuclide": "F19",
        "FrameTimesStart": [0, 60],
        "FrameDuration": [60, 120],
        "ImageDecayCorrected": True,
        "InjectionStart": "noon",
    }
    found = describe(write(tmp_path, bad, data))
    errors = " / ".join(texts(found, "error"))
    for word in (
        "FrameDuration has 2 values but the image has 3 frames",
        "F19",
        "counts",
        "ImageDecayCorrectionTime is missing",
        "InjectionStart is 'noon'",
        "1 values of a_pet.nii.gz are NaN",
    ):
        assert word in errors
    assert "frames 2 are zero everywhere" in texts(found, "remark")
    assert len(texts(found, "error")) == len(set(texts(found, "error"))) == 6
    assert found["frames"] is None and found["unit"] is None
    assert found["decay_corrected_to_s"] is None


def test_no_sidecar_and_a_truncated_file(tmp_path):
    path = write(tmp_path, FIELDS, np.random.default_rng(0).random((9, 9, 9, 3), np.float32))
    path.with_name("a_pet.json").unlink()
    path.write_bytes(path.read_bytes()[:3000])
    found = describe(path, unit="SUV")
    assert found["unit"] == "SUV"
    assert "a_pet.nii.gz is truncated" in " ".join(texts(found, "error"))
    assert "no a_pet.json beside a_pet.nii.gz" in texts(found, "remark")


def test_not_decay_corrected(tmp_path):
    fields = {**FIELDS, "ImageDecayCorrected": False}
    del fields["ImageDecayCorrectionTime"]
    assert describe(write(tmp_path, fields))["decay_corrected_to_s"] == "none"


def test_a_folder_and_unknown_kinds(tmp_path):
    for name in (".", "x.mgz", "none.nii.gz"):
        with pytest.raises(InputError):
            describe(tmp_path / name)
    (tmp_path / "x.mgz").write_text("x")
    with pytest.raises(InputError, match="unsupported"):
        describe(tmp_path / "x.mgz")


def test_real_files(reference_data):
    examples = reference_data / "pet_bids_blood"
    found = describe(next(examples.rglob("*CIMBI36_pet.nii.gz")))
    errors = " / ".join(texts(found, "error"))
    assert "not end times" in errors and "zero everywhere" in errors
    assert found["tracer"]["radionuclide"] == "C11" and found["shape"] == [128, 128, 63, 21]
    assert texts(describe(next((examples / "pet003").rglob("*_pet.nii.gz"))), "error")
    blood = describe(next((examples / "pet003").rglob("*_blood.tsv")))
    assert blood["kind"] == "blood" and blood["series"]["plasma"]["peak"] == 33226.4655
    assert not texts(blood, "error")
    tacs = next((reference_data / "bids_mc1" / "derivatives").rglob("*_tacs.tsv"))
    assert len(texts(describe(tacs), "error")) == 1
    good = describe(tacs, unit="Bq/mL", radionuclide="C11", decay_corrected_to="injection")
    assert good["frames"]["count"] == 33 and not texts(good, "error")
