"""A dynamic scan whose patient moved: said, drawn and kept."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
from tests.cli.conftest import RunCli
from tests.denoising.cases import image, noisy

from betaplus.core.frames import FrameTiming
from betaplus.io.derivatives import write_image

FIELDS = {
    "InjectedRadioactivity": 300.0,
    "InjectedRadioactivityUnits": "MBq",
    "InjectionStart": 0.0,
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
}


def test_denoise(run_cli: RunCli, tmp_path: Path) -> None:
    still = image(noisy() * 4000, unit="Bq/mL", metadata=FIELDS, decay_corrected_to=0.0)
    data = np.stack([noisy() * 4000] * 5, axis=-1).astype(np.float32)
    data[..., 4] = np.roll(data[..., 4], 2, axis=2)  # by two voxels to the head
    step = 2 * still.voxel_size[2]
    frames = FrameTiming.from_durations([300.0] * 5, start=1800.0)
    scan = dataclasses.replace(still, data=data, frames=frames)
    write_image(tmp_path / "sub-01_pet.nii.gz", scan)
    code, text, err = run_cli(
        "denoise", tmp_path / "sub-01_pet.nii.gz", "-o", tmp_path / "out", "--method", "gaussian",
        "--weight", 75,
    )  # fmt: skip
    assert code == 0, err
    assert "remark: frame" in text and "mm aside of the mean of all frames" in text
    run = json.loads((tmp_path / "out" / "sub-01_denoise_run.json").read_text())
    head = np.array(run["motion"]["head_mm"])
    assert all(run["motion"]["judged"])
    assert abs(head[4] - head[:4].mean() - step) < 0.15 * step
    assert any("aside of the mean" in text for text in run["checks"])
    report = (tmp_path / "out" / "sub-01_denoise_report.html").read_text()
    assert "Motion between frames" in report
    assert "Shift of each frame against the mean; the largest is" in report
