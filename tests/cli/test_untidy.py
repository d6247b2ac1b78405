"""Real files that are merely untidy work, and the record says what was done about it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import RunCli

from betaplus.io.tsv import column_numbers, read_table, write_table

REGIONS = ("FC", "TC", "STR", "THA", "WB", "CBL")


def read_csv(path: Path, subject: str) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["PET"] == subject]
    return {name: np.array([float(r[name]) for r in rows]) for name in rows[0] if name != "PET"}


def write_pbr28(source: Path, folder: Path, subject: str) -> tuple[Path, Path]:
    """Write one [11C]PBR28 scan as it comes, in the files that betaplus reads."""
    folder.mkdir()
    tacs = read_csv(source / "pbr28_tacdata.csv", subject)
    blood = read_csv(source / "pbr28_blooddata.csv", subject)
    start = tacs["StartTime"]
    columns = {"frame_start": start, "frame_end": start + tacs["Duration"]}
    sidecar = {
        "Units": "kBq/mL",
        "TracerRadionuclide": "C11",
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
        "InjectionStart": 0,
    }
    curves = folder / f"sub-{subject.replace('_', '')}_tacs.tsv"
    write_table(curves, columns | {name: tacs[name] for name in REGIONS}, sidecar)
    samples = folder / f"sub-{subject.replace('_', '')}_inputfunction.tsv"
    unit = {"Units": "kBq/mL"}
    write_table(
        samples,
        {
            "time": blood["Time"],
            "AIF": blood["Cpl_metabcorr"],
            "whole_blood_radioactivity": blood["Cbl_dispcorr"],
        },
        {"time": {"Units": "s"}, "AIF": unit, "whole_blood_radioactivity": unit},
    )
    return curves, samples


def record(out: Path) -> dict:
    (path,) = out.glob("*_kinetics_run.json")
    return json.loads(path.read_text())


def numbers(out: Path) -> dict[str, np.ndarray]:
    (path,) = out.glob("*_kinpar.tsv")
    columns = read_table(path)
    del columns["region"]
    return {name: column_numbers(values, name, path.name) for name, values in columns.items()}


@pytest.mark.parametrize("subject", ["kzcp_1", "rwrd_1"])
def test_pbr28_as_it_comes(
    subject: str, reference_data: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    """Blood that ends before the scan, and a first frame of 0 s; in one, samples below 0."""
    curves, samples = write_pbr28(reference_data / "tacs_pbr28", tmp_path / "in", subject)
    out = tmp_path / "out"
    code, _, err = run_cli("kinetics", curves, "--blood", samples, "-o", out, "--no-report")
    assert code == 0, err
    checks = " | ".join(record(out)["checks"])
    assert "frame 1 lasts 0 s" in checks and "left out" in checks
    assert "plasma extrapolated by" in checks and "whole_blood extrapolated by" in checks
    if subject == "rwrd_1":
        assert "negative samples of plasma set to 0" in checks
    found = numbers(out)
    assert len(found["K1"]) == len(REGIONS)
    assert (np.isin(found["status"], (1, 2, 3, 4))).all()
    # Total distribution volumes of [11C]PBR28 in grey matter are a few mL/cm3 (Fujita 2008).
    assert (found["VT-median"] > 0.5).all() and (found["VT-median"] < 15).all()
    assert (np.abs(found["delay-median"]) < 30).all()


def test_mc1_without_a_sample_at_zero_or_a_sidecar(
    reference_data: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    """Curves without a JSON, whose unit, nuclide and decay correction come from options."""
    study = reference_data / "bids_mc1"
    stem = "sub-01_ses-baseline"
    name = f"{stem}_desc-preproc_seg-gtm_tacs.tsv"
    curves = study / "derivatives/petprep/sub-01/ses-baseline/pet" / name
    samples = study / "sub-01/ses-baseline/pet" / f"{stem}_recording-manual_blood.tsv"
    out = tmp_path / "out"
    given = ["--unit", "Bq/mL", "--radionuclide", "C11", "--decay-corrected-to", "injection"]
    code, text, err = run_cli(
        "kinetics", curves, "--blood", samples, "-o", out, "--no-report", *given
    )
    assert code == 0, err
    assert "zero prepended to plasma" in text
    checks = " | ".join(record(out)["checks"])
    assert "zero prepended to plasma at injection (0 s)" in checks
    assert "zero prepended to whole_blood at injection (0 s)" in checks
    assert f"no {name.replace('.tsv', '.json')} beside {name}" in checks
    found = numbers(out)
    assert len(found["K1"]) == 108
    # Little noise in large regions: many show that one tissue does not fit all of what is in them.
    assert np.isin(found["status"], (1, 3, 4)).all() and (found["status"] == 1).any()

    without = [o for o in given if o not in ("--unit", "Bq/mL")]
    code, _, err = run_cli(
        "kinetics", curves, "--blood", samples, "-o", tmp_path / "other", *without
    )
    assert code == 2 and "Units is missing" in err and not (tmp_path / "other").exists()
