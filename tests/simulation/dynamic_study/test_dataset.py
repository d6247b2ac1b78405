"""A trunk as files: what is there, that it loads, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

import betaplus
from betaplus.core.errors import OutputError, UsageError
from betaplus.simulation.dynamic import simulate_dynamic
from betaplus.simulation.dynamic_study import dataset


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("trunk") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "SIZES", {"small": (20, 16.0)})
        return simulate_dynamic(out, anatomy="body", seed=919_001, dose_fraction=0.5)


def test_the_files_are_one_study(written: dict[str, Path]) -> None:
    assert all(path.exists() for path in written.values())
    scan, truth = betaplus.load(written["pet"]), betaplus.load(written["truth/pet"])
    assert scan.shape == (20, 20, 20, 35) and scan.unit == "Bq/mL"
    noisy, clean = np.asarray(scan.data), np.asarray(truth.data)
    bright = clean[..., -1] > 0.3 * clean[..., -1].max()
    assert noisy[bright].mean(axis=0)[-8:] == pytest.approx(
        clean[bright].mean(axis=0)[-8:], rel=0.1
    )
    assert (noisy != clean).any() and (noisy >= 0).all() and np.isfinite(noisy).all()
    assert clean[..., 0].max() < 0.2 * clean.max()  # before the bolus has arrived
    settings = json.loads(written["truth/simulation"].read_text())
    sidecar = json.loads(written["pet"].with_name("sub-01_pet.json").read_text())
    per_suv = sidecar["InjectedRadioactivity"] / (1000 * sidecar["BodyWeight"])
    assert settings["per_suv"] == pytest.approx(per_suv, rel=1e-9)


def test_the_truth_of_patlak_follows_from_the_files(written: dict[str, Path]) -> None:
    truth, blood = betaplus.load(written["truth/pet"]), betaplus.load_blood(written["blood"])
    Ki = nibabel.load(written["truth/Patlak Ki"]).get_fdata()
    curve = blood.curve(3600.0)
    fine = np.linspace(0.0, 3600.0, 72_001)
    plasma = np.interp(fine, curve.time, curve.plasma)
    area = np.concatenate([[0.0], np.cumsum(0.5 * (plasma[1:] + plasma[:-1]) * np.diff(fine))])
    rows = [
        [np.mean(c[(fine >= s) & (fine <= e)]) for c in (area / 60.0, plasma)]
        for s, e in zip(truth.frames.start[-8:], truth.frames.end[-8:], strict=True)
    ]
    at = np.unravel_index(np.argmax(Ki), Ki.shape)
    found, *_ = np.linalg.lstsq(np.array(rows), np.asarray(truth.data)[at][-8:], rcond=None)
    assert Ki[at] == pytest.approx(found[0], rel=0.01)  # decay within frames is left out here


def test_what_a_body_cannot_have_is_refused(tmp_path: Path, written: dict[str, Path]) -> None:
    for wrong in ({"tracer": "PBR28"}, {"partial_volume": 5.0}, {"size": "large"}):
        with pytest.raises(UsageError, match="expected"):
            simulate_dynamic(tmp_path / "out", anatomy="body", **wrong)
    with pytest.raises(UsageError, match="brain or body"):
        simulate_dynamic(tmp_path / "out", anatomy="mouse")
    with pytest.raises(OutputError, match="overwrite"):
        simulate_dynamic(written["pet"].parent, anatomy="body")
    assert not (tmp_path / "out").exists()
