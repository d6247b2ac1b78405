"""A DICOM series goes in: axes, times, dose and units as they are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from tests.cli.conftest import RunCli
from tests.cli.patlak_study import SHAPE, make_scan, truth, write_study
from tests.io.dicom.cases import INJECTED, write_series
from tests.patlak.scans import FRAMES

LATE = slice(14, None)


def dynamic(data: Any, _z: int, _t: int) -> None:
    data.SeriesType = ["DYNAMIC", "IMAGE"]


def test_a_series(run_cli: RunCli, tmp_path: Path) -> None:
    write_study(tmp_path)
    values = np.asarray(make_scan().data)[..., LATE]
    slopes = np.round(values.max((0, 1)) / 32000, 6)
    stored = np.round(values / slopes).astype(np.int16)
    series = write_series(
        tmp_path / "series", stored, slopes, starts=FRAMES.start[None, LATE],
        durations=FRAMES.duration[None, LATE], series_time=INJECTED, scanned=INJECTED,
        half_life=6584.04, spacing=(4.0, 4.0), distance=4.0, edit=dynamic,
    )  # fmt: skip
    out = tmp_path / "out"
    code, _, err = run_cli(
        "patlak", series, "--blood", tmp_path / "sub-01_blood.tsv", "-o", out, "--method", "nnls",
        "--t-star", 1200,
    )  # fmt: skip
    assert code == 0, err
    (path,) = out.glob("*meas-Ki_stat-mean_mimap.nii.gz")
    image = nibabel.load(path)
    Ki = np.asarray(image.dataobj)
    assert Ki.shape == SHAPE and nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
    sd = np.asarray(nibabel.load(str(path).replace("stat-mean", "stat-std")).dataobj)
    z = (Ki - truth()[0])[1:] / sd[1:]
    assert abs(np.median(z)) < 0.2 and np.percentile(np.abs(z), 95) < 2.5
    run = json.loads(next(out.glob("*_patlak_run.json")).read_text())
    assert run["frames"]["start_s"][0] == 1320.0 and len(run["frames_used"]) == 8
    assert run["suv"]["per_suv"] > 0 and "dose" in run["suv"]["from"].lower(), run["suv"]
    assert (out / run["outputs"][-1]).name.endswith("_patlak_report.html")
