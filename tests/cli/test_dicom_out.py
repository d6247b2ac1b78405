"""``--dicom``: a DICOM series goes in, and DICOM comes out beside NIfTI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from tests.cli import patlak_study, separate_study
from tests.cli.conftest import RunCli
from tests.cli.study import tree
from tests.denoising.cases import image, noisy, tiny_bundle
from tests.io.dicom.cases import INJECTED, dose_of, write_series
from tests.io.dicom.maps import map_voxels
from tests.io.dicom.vendors import write_vendor
from tests.patlak.scans import FRAMES

from betaplus.core.frames import FrameTiming
from betaplus.io.dicom.series import load_dicom
from betaplus.io.open import load

LATE = slice(14, None)


def series(folder: Path, values: np.ndarray, frames: FrameTiming, edit: Any = None) -> Path:
    """Write values [Bq/mL], shape (X, Y, Z, T), as a series whose scan began at injection."""
    slopes = np.round(np.abs(values).max((0, 1)) / 32000 + 1e-6, 6)
    stored = np.round(values / slopes).astype(np.int16)
    return write_series(
        folder, stored, slopes, starts=frames.start[None], durations=frames.duration[None],
        series_time=INJECTED, scanned=INJECTED, half_life=6584.04, spacing=(4.0, 4.0),
        distance=4.0, edit=edit,
    )  # fmt: skip


def dynamic(data: Any, _z: int, _t: int) -> None:
    data.SeriesType = ["DYNAMIC", "IMAGE"]


def test_patlak(run_cli: RunCli, tmp_path: Path) -> None:
    pytest.importorskip("highdicom", reason="needs betaplus[dicom]")
    patlak_study.write_study(tmp_path)
    values = np.asarray(patlak_study.make_scan().data)[..., LATE]
    late = FrameTiming(FRAMES.start[LATE], FRAMES.duration[LATE])
    source, out = series(tmp_path / "series", values, late, dynamic), tmp_path / "out"
    asked = ("patlak", source, "--blood", tmp_path / "sub-01_blood.tsv", "-o", out, "--method",
             "ls", "--t-star", 1200, "--no-report", "--dicom")  # fmt: skip
    code, _, err = run_cli(*asked)
    assert code == 0, err
    run = json.loads(next(out.glob("*_patlak_run.json")).read_text())
    for name, unit in (("Ki", "mL/cm3/min"), ("V0", "mL/cm3")):
        for stat in ("mean", "std"):
            path = out / f"series_model-Patlak_meas-{name}_stat-{stat}_mimap.dcm"
            assert path.name in run["outputs"]
            data = pydicom.dcmread(path)
            nifti = nibabel.load(str(path).replace(".dcm", ".nii.gz"))
            np.testing.assert_array_equal(map_voxels(data, nifti.affine), nifti.dataobj)
            assert data.SeriesDescription == f"betaplus patlak: Patlak {name} {stat}"
            assert len(data.SourceImageSequence) == len(list(source.iterdir()))
            shared, first = (
                data.SharedFunctionalGroupsSequence[0],
                data.PerFrameFunctionalGroupsSequence[0],
            )
            group = shared if "RealWorldValueMappingSequence" in shared else first
            (mapping,) = group.RealWorldValueMappingSequence
            assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == unit
    before = tree(out)
    code, _, err = run_cli(*asked)
    assert code == 2 and "exists already" in err
    code, _, err = run_cli(*asked, "--resume")
    assert code == 0 and tree(out) == before


def test_separate(run_cli: RunCli, tmp_path: Path) -> None:
    """Each tracer's series is decay-corrected to its own injection, by its own half-life."""
    separate_study.write_study(tmp_path)
    scan = separate_study.make_image()
    assert scan.frames is not None

    def mixture(data: Any, _z: int, _t: int) -> None:
        dynamic(data, 0, 0)
        data.DecayCorrection, data.CorrectedImage = "NONE", ["ATTN"]
        del data.DecayFactor
        dose = dose_of(data)
        dose.RadionuclideHalfLife = 1223.4
        (code,) = dose.RadionuclideCodeSequence
        code.CodeMeaning, dose.Radiopharmaceutical = "^11^Carbon", "FMZ"
        code.CodeValue = "C-105A1"

    folder = series(tmp_path / "mix", np.asarray(scan.data), scan.frames, mixture)
    typed = list(separate_study.arguments(tmp_path, tmp_path / "out"))
    typed[1] = folder
    code, _, err = run_cli(*typed, "--method", "extrapolation", "--dicom", "--no-report")
    assert code == 0, err
    for tracer, nuclide in (("FMZ", "C11"), ("FDG", "F18")):
        stem = tmp_path / "out" / f"mix_trc-{tracer}_desc-separated_pet"
        theirs, ours = load(f"{stem}.nii.gz"), load_dicom(f"{stem}_dicom")
        assert ours.tracer is not None and ours.tracer.radionuclide == nuclide
        assert ours.decay_corrected_to == pytest.approx(theirs.decay_corrected_to)
        assert ours.injection == pytest.approx(theirs.injection)
        np.testing.assert_allclose(ours.frames.start, theirs.frames.start, atol=1e-3)
        values = np.asarray(theirs.data)
        assert np.abs(np.asarray(ours.data) - values).max() <= 0.51 * values.max() / 32767
        assert ("InjectedRadioactivity" in ours.metadata) == (tracer == "FMZ")


def test_denoise_a_dynamic_scan(run_cli: RunCli, tmp_path: Path) -> None:
    """Two frames by draws: a PET series of means, and a parametric map of SDs for each frame."""
    pytest.importorskip("highdicom", reason="needs betaplus[dicom]")
    tiny_bundle(tmp_path)
    scan = image(noisy() * 4000)
    values = np.stack([np.asarray(scan.data)] * 2, axis=-1)
    frames = FrameTiming([3600.0, 3900.0], [300.0, 300.0])
    folder, out = series(tmp_path / "s", np.maximum(values, 0), frames, dynamic), tmp_path / "out"
    code, _, err = run_cli(
        "denoise", folder, "-o", out, "--bundle", tmp_path / "denoiser-body-v1", "--method",
        "ddim", "--samples", 2, "--set", "steps=2", "--unit-out", "SUV", "--dicom", "--no-report",
    )  # fmt: skip
    assert code == 0, err
    made = load_dicom(out / "s_desc-denoised_pet_dicom")
    mean = np.asarray(load(out / "s_desc-denoised_pet.nii.gz").data)
    assert (made.unit, made.metadata["SUVType"]) == ("SUV", "SUVbw")
    assert np.abs(np.asarray(made.data) - mean).max() <= 0.51 * np.abs(mean).max() / 32767
    np.testing.assert_allclose(made.frames.start, frames.start)
    std = nibabel.load(out / "s_desc-denoised_stat-std_pet.nii.gz")
    files = sorted((out / "s_desc-denoised_stat-std_pet_dicom").iterdir())
    assert len(files) == 2
    for t, path in enumerate(files):
        data = pydicom.dcmread(path)
        np.testing.assert_array_equal(map_voxels(data, std.affine), std.dataobj[..., t])
        assert data.InstanceNumber == t + 1


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("nifti", "--dicom is given but sub-01_pet.nii.gz is no DICOM series"),
        ("missing", "--dicom writes parametric maps with highdicom, which is not installed"),
        ("ambiguous", "DecayCorrection (0054,1102) is MAYBE"),
    ],
)
def test_refused(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, says: str
) -> None:
    patlak_study.write_study(tmp_path)
    source: Path = tmp_path / "sub-01_pet.nii.gz"
    if kind == "missing":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    if kind != "nifti":
        source = write_vendor(tmp_path / "s", "ge", "dynamic").folder
    if kind == "ambiguous":
        for path in source.iterdir():
            data = pydicom.dcmread(path)
            data.DecayCorrection = "MAYBE"
            data.save_as(path)
    out = tmp_path / "out"
    code, _, err = run_cli(
        "patlak", source, "--blood", tmp_path / "sub-01_blood.tsv", "-o", out, "--method", "ls",
        "--t-star", 0, "--dicom",
    )  # fmt: skip
    assert (code, err.count("\n")) == (2, 1) and says in err, err
    assert not out.exists()
