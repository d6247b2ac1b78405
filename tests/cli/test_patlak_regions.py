"""Regions that the maps of a method have wrong are told in the record, the report and the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.cli.patlak_study import arguments, truth, write_study
from tests.cli.study import save_nifti

from betaplus.io.derivatives import write_table

RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study whose regions are its hottest voxels, one by one among colder ones, and the rest."""
    where = tmp_path / "in"
    where.mkdir()
    write_study(where)
    Ki = truth()[0]
    labels = np.where(Ki > np.quantile(Ki, 0.9), 1, 2).astype(np.uint8)
    save_nifti(where / "labels.nii.gz", labels, np.diag([4.0, 4, 4, 1]))
    write_table(where / "labels.tsv", {"index": [1, 2], "name": ["hot", "rest"]})
    return where


@pytest.mark.parametrize("method", ["gaussian", "wls"])
def test_regions_that_a_filter_took_down(
    run_cli: RunCli, folder: Path, tmp_path: Path, method: str
) -> None:
    out = tmp_path / "out"
    more = ("--method", method, "--regions", folder / "labels.nii.gz")
    if method == "gaussian":
        more += ("--set", "strength=1")
    code, text, err = run_cli(*arguments(folder, out, *more))
    assert code == 0, err
    said = "the Ki map of gaussian is off for"
    checks = json.loads((out / "sub-01_patlak_run.json").read_text())["checks"]
    about = " ".join(one for one in checks if said in one)
    page = (out / "sub-01_patlak_report.html").read_text()
    if method == "wls":
        assert not about and "is off for" not in page
        return
    assert "hot (maps say" in about and "least squares over the region says" in about
    assert said in page and said in text
    fields = json.loads((out / "sub-01_model-Patlak_kinpar.json").read_text())
    assert fields["Ki"]["Description"] == "mean of least squares over the region"
    assert fields["Ki-maps"]["Units"] == "mL/cm3/min"
