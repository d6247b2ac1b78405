"""`--regions`: means in the unit of the output, intervals where there is a calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.denoising.cases import SHAPE, image, noisy, tiny_bundle

from betaplus.core.errors import InputError
from betaplus.denoising.intervals import ConformalFactor
from betaplus.denoising.region_features import FEATURES
from betaplus.denoising.region_model import CALIBRATION, RegionModel
from betaplus.io.derivatives import write_image, write_table
from betaplus.io.labels import write_labels
from betaplus.io.tsv import read_table
from betaplus.pipeline.denoise import DenoiseRequest, DenoiseRun, run_denoise
from betaplus.report.denoise import denoise_report

PER_SUV = 4000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle, an image in Bq/mL of 4000 Bq/mL per SUV, labels and their names."""
    tiny_bundle(tmp_path)
    dose = {"InjectedRadioactivity": 300.0, "InjectedRadioactivityUnits": "MBq",
            "InjectionStart": 0.0, "TracerName": "FDG", "BodyWeight": 75.0,
            "TracerRadionuclide": "F18"}  # fmt: skip
    static = image(noisy() * PER_SUV, unit="Bq/mL", metadata=dose, decay_corrected_to=0.0)
    write_image(tmp_path / "sub-01_pet.nii.gz", static)
    write_labels(tmp_path / "sub-01_dseg.nii.gz", labels(), static.affine)
    write_table(tmp_path / "sub-01_dseg.tsv", {"index": [1, 5], "name": ["Left", "Right"]})
    return tmp_path


def labels() -> np.ndarray:
    found = np.zeros(SHAPE, np.int16)
    found[12:18, 14:22, 10:30] = 1
    found[22:28, 14:22, 10:30] = 5
    return found


def calibrate(folder: Path, sd: float, **about: str) -> None:
    """A calibration whose estimate is the noisy mean and whose SD is a constant [SUV]."""
    n = len(FEATURES)
    model = RegionModel(
        names=FEATURES, centre=(0.0,) * n, scale=(1.0,) * n, weight=(1.0,) + (0.0,) * n,
        error=(float(np.log(sd)),) + (0.0,) * (2 * n), ranges=((-20.0, 20.0),) * n,
        conformal=ConformalFactor(factor=2.0, level=0.9, subjects=9, regions=9, joint=False),
        about=about,
    )  # fmt: skip
    model.write(folder / "denoiser-body-v1" / CALIBRATION)


def denoised(folder: Path, **fields: Any) -> tuple[DenoiseRun, Mapping[str, list[str]]]:
    given = {"bundle": folder / "denoiser-body-v1", "settings": ("tile=20", "overlap=8")}
    request = DenoiseRequest(
        source=folder / "sub-01_pet.nii.gz", out=folder / "out",
        regions=folder / "sub-01_dseg.nii.gz", **{**given, **fields},
    )  # fmt: skip
    result = run_denoise(request)
    assert result is not None
    return result, read_table(folder / "out" / "sub-01_desc-denoised_regions.tsv")


def weights(folder: Path) -> str:
    return str(json.loads((folder / "denoiser-body-v1" / "config.json").read_text())["sha256"])


def test_intervals_are_written_in_the_unit_of_the_output(folder: Path) -> None:
    calibrate(folder, 0.03, weights=weights(folder))
    result, table = denoised(folder)
    assert table["name"] == ["Left", "Right"] and table["label"] == ["1", "5"]
    inside = labels() == 1
    mean = float((noisy() * PER_SUV)[inside].mean(dtype=float))
    assert float(table["noisy"][0]) == pytest.approx(mean, rel=1e-5)
    after = float(np.asarray(result.image.data)[inside].mean(dtype=float))
    assert float(table["denoised"][0]) == pytest.approx(after, rel=1e-5)
    assert float(table["estimate"][0]) == pytest.approx(mean, rel=1e-5)
    half = (float(table["high"][0]) - float(table["low"][0])) / 2
    assert half == pytest.approx(2.0 * 0.03 * PER_SUV, rel=1e-4)
    assert float(table["volume_ml"][0]) == pytest.approx(inside.sum() * 2.4 * 2.4 * 3.0 / 1000)
    assert table["unit"] == ["Bq/mL", "Bq/mL"] and table["calibrated"] == ["1", "1"]
    record = json.loads((folder / "out" / "sub-01_denoise_run.json").read_text())
    assert record["regions"]["intervals"]["level"] == 0.9
    page = denoise_report(folder / "page.html", result).read_text()
    assert "Regions" in page and "Right" in page


def test_in_suv_they_are_in_suv(folder: Path) -> None:
    calibrate(folder, 0.03, weights=weights(folder))
    _, table = denoised(folder, unit_out="SUV")
    mean = float(noisy()[labels() == 5].mean(dtype=float))
    assert float(table["noisy"][1]) == pytest.approx(mean, rel=1e-5)
    assert table["unit"] == ["SUV", "SUV"]


def test_without_a_calibration_there_are_means_and_a_remark(folder: Path) -> None:
    result, table = denoised(folder)
    assert table["estimate"] == ["n/a", "n/a"] and table["calibrated"] == ["0", "0"]
    assert any("intervals" in text for text in result.remarks)


def test_a_filter_has_no_intervals(folder: Path) -> None:
    result, table = denoised(folder, method="gaussian", bundle=None, settings=())
    assert table["low"] == ["n/a", "n/a"]
    assert any("not for gaussian" in text for text in result.remarks)


def test_the_calibration_of_other_weights_is_refused(folder: Path) -> None:
    calibrate(folder, 0.03, weights="other")
    with pytest.raises(InputError, match="other weights"):
        denoised(folder)
    assert not (folder / "out").exists()
