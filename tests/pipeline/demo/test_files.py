"""The demo's views of DICOM and BIDS: their numbers are those of the files."""

from __future__ import annotations

import csv

import nibabel
import numpy as np
import pytest

from betaplus.core.progress import Silent
from betaplus.io.open import load
from betaplus.pipeline.demo.bids import PEOPLE, from_bids
from betaplus.pipeline.demo.dicom import from_dicom
from betaplus.report.demo.bids import bids_images
from betaplus.report.demo.dicom import dicom_images
from betaplus.simulation.dynamic import simulate_dynamic

pytest.importorskip("pydicom")


def test_dicom(tmp_path):
    files = simulate_dynamic(tmp_path / "scan", seed=3)
    found = from_dicom(
        load(files["pet"]), files["pet"], files["blood"], tmp_path / "out",
        seed=0, overwrite=False, progress=Silent(), report=None,
    )  # fmt: skip
    assert 0.0 < found.difference < 1e-3  # 16-bit numbers, not the same ones
    (path,) = (tmp_path / "out" / "NIfTI").glob("*meas-Ki_stat-mean_mimap.nii.gz")
    np.testing.assert_array_equal(found.Ki["NIfTI"], nibabel.load(path).get_fdata())
    if found.map_file is not None:
        assert found.map_file.is_file()
        np.testing.assert_allclose(found.Ki["DICOM map"], found.Ki["DICOM"], rtol=1e-6)
    parts = list(dicom_images(found))
    assert f"{found.files:,}" in str(parts[-1])


def test_bids(tmp_path):
    found = from_bids(
        tmp_path, seed=1, overwrite=False, progress=Silent(), report=None, group_report=None
    )
    assert len(found.Ki) == PEOPLE
    with (tmp_path / "derivatives" / "group_kinetics.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["participant_id"] for row in rows} == set(found.Ki)
    assert found.inside > 0.6
    middle, low, high, true = np.array([v for r in found.Ki.values() for v in r.values()]).T
    assert np.all((low <= middle) & (middle <= high))
    assert np.median(np.abs(middle / true - 1)) < 0.03
    assert len(list(bids_images(found))) == 2
