"""`betaplus simulate static` and `dual`: files, and bad input."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.cli.conftest import RunCli


def _labels(folder: Path) -> Path:
    volume = np.zeros((16, 16, 16), np.int16)
    volume[2:14, 2:14, 2:8], volume[2:14, 2:14, 8:14] = 5, 1  # liver, spleen
    path = folder / "organs_dseg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([5.0, 5, 5, 1])), path)
    return path


def test_a_label_image_becomes_a_study_that_info_reads(tmp_path: Path, run_cli: RunCli) -> None:
    out, labels = tmp_path / "out", _labels(tmp_path)
    code, text, err = run_cli(
        "simulate", "static", "-o", out, "--anatomy", labels, "--tracer", "DOTATATE", "--lesions", 2
    )
    assert (code, err) == (0, "")
    assert all(Path(line).exists() for line in text.split())
    code, text, _ = run_cli("info", out / "sub-01_pet.nii.gz")
    assert code == 0 and "Ga68" in text and "Bq/mL" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tracer", "water"], "tracer 'water' is unknown; expected one of FDG"),
        (["--anatomy", "knee"], "anatomy 'knee' is unknown; expected brain, body"),
        (["--anatomy", "none.nii.gz"], "none.nii.gz does not exist"),
        (["--lesions", "99"], "99 lesions; expected 0 to 15"),
        (["--dose-fraction", "0"], "dose fraction 0"),
        (["--group", "tall"], "group 'tall' is unknown"),
        (["--size", "huge"], "size 'huge' is unknown; expected one of small, full"),
        (["--scanner", "moon"], "scan style 'moon' is unknown"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    tmp_path: Path, run_cli: RunCli, arguments: list[str], words: str
) -> None:
    out, labels = tmp_path / "out", _labels(tmp_path)
    anatomy = [] if "--anatomy" in arguments else ["--anatomy", labels]
    code, text, err = run_cli("simulate", "static", "-o", out, *anatomy, *arguments)
    assert code == 2 and text == ""
    assert err.count("\n") == 1 and err.startswith("betaplus: error: ") and words in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tracers", "FDG"], "tracers 'FDG'; expected two, as FDG,PBR28"),
        (["--tracers", "FDG,water"], "tracer 'water' is unknown"),
        (["--delay", "-5"], "delay is -5 s"),
    ],
)
def test_bad_pairs_of_tracers_are_named(
    tmp_path: Path, run_cli: RunCli, arguments: list[str], words: str
) -> None:
    out = tmp_path / "out"
    code, _, err = run_cli("simulate", "dual", "-o", out, *arguments)
    assert code == 2 and err.count("\n") == 1 and words in err
    assert not out.exists()
