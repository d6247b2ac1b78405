"""The report of the benchmark of denoise holds every part that a folder has, with its figures."""

import base64
import json
import re

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.pipeline.benchmark.result_files import result_file, write_result
from betaplus.report.benchmark.denoise import denoise_report

METHODS = ("noisy", "gaussian", "best gaussian", "nlm", "best nlm", "mmse")


def images_part(folder):
    rows = [
        {"group": "usual", "person": 0, "dose": dose, "method": m, "psnr": 30.0 + n}
        for dose in (0.25, 0.05)
        for n, m in enumerate(METHODS)
    ]
    result = {"quick": False, "groups": ["usual"], "doses": [0.25, 0.05], "rows": rows}
    write_result(
        folder, "denoise_images", result, "# Bodies\n\nText of *images*.\n\n| a | b |\n|---|---|"
    )
    planes = {m: np.full((20, 30), n + 1.0, np.float32) for n, m in enumerate(METHODS)}
    planes["reference"] = np.linspace(0, 5, 600, dtype=np.float32).reshape(20, 30)
    np.savez(
        result_file(folder, "denoise_images", "npz"), **{f"usual|{k}": v for k, v in planes.items()}
    )


def nema_part(folder):
    row = {"recovery": [90.0, 60.0], "variability": [2.0, 5.0]}
    rows = [{"dose": None, "method": "without noise", **row}]
    rows += [{"dose": 0.05, "method": m, **row} for m in ("noisy", "gaussian", "nlm", "mmse")]
    result = {"quick": True, "doses": [0.05], "diameters": [37.0, 10.0], "rows": rows}
    write_result(folder, "denoise_nema", result, "# Phantom\n\nText of nema.")
    names = ("without noise", *(f"1/20|{m}" for m in ("noisy", "gaussian", "nlm", "mmse")))
    np.savez(
        result_file(folder, "denoise_nema", "npz"),
        **{name: np.eye(12, dtype=np.float32) for name in names},
    )


def recovery_part(folder):
    points = [
        {"person": 0, "dose": 0.05, "method": m, "setting": s, "noise": 9.0 - s, "recovery": [60.0]}
        for m in ("gaussian", "nlm", "mmse")
        for s in (0.0, 1.0)
    ]
    result = {"quick": False, "doses": [0.05], "limit": 80.0, "limit_noise": 4.0, "points": points}
    write_result(folder, "denoise_recovery", result, "# Recovery\n\nText of recovery.")


def test_every_part_has_a_section_and_its_figures(tmp_path):
    for part in (images_part, nema_part, recovery_part):
        part(tmp_path)
    write_result(
        tmp_path, "denoise_speed", {"quick": False}, "# Speed\n\n| grid | s |\n|---|---|\n| a | 7 |"
    )
    page = denoise_report(tmp_path).read_text(encoding="utf-8")
    for text in ("Text of <em>images</em>", "Text of nema", "Text of recovery", ">7<"):
        assert text in page
    assert "too little to judge by: nema." in page
    made = {
        path.name.removeprefix("benchmark_denoise_"): path.read_bytes()
        for path in tmp_path.glob("*.png")
    }
    assert set(made) == {
        "images_images.png", "images_gain.png", "nema_spheres.png", "nema_curves.png",
        "recovery_curves.png",
    }  # fmt: skip
    embedded = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    assert {base64.b64decode(data) for data in embedded} == set(made.values())
    assert json.loads(result_file(tmp_path, "denoise_speed", "json").read_text()) == {
        "quick": False
    }


def test_a_folder_without_parts_is_refused(tmp_path):
    with pytest.raises(InputError, match="no part of the benchmark"):
        denoise_report(tmp_path)
