"""`betaplus bids` runs every verb on three participants and two sessions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.cli import separate_study
from tests.cli.conftest import RunCli
from tests.cli.test_reconstruct import GRID, phantom
from tests.cli.test_reconstruct import scan as raw_scan
from tests.pipeline.bids.data_set import PEOPLE, SESSIONS, pet_folder
from tests.pipeline.bids.data_set import write_data_set as write_single
from tests.separation.studies import DELAY

from betaplus.io.raw.store import write_raw
from betaplus.io.tsv import read_table

FEW = ("--no-report", "--quiet", "--workers", "1")
STEMS = [f"sub-{person}_ses-{session}" for person in PEOPLE for session in SESSIONS]


def write_dual(root: Path) -> Path:
    """Two tracers in each scan; the blood of each has its label."""
    made = root.parent / "made"
    separate_study.write_study(made)
    return place(root, lambda folder, stem: copy_dual(made, folder, stem))


def copy_dual(made: Path, folder: Path, stem: str) -> None:
    for path in made.glob("sub-01_*"):
        rest = path.name.removeprefix("sub-01_")
        rest = rest.replace("_blood", "_recording-manual_blood")
        shutil.copy(path, folder / f"{stem}_{rest}")


def write_counts(root: Path) -> Path:
    """Raw data of two frames."""
    counts = raw_scan()
    return place(root, lambda folder, stem: write_raw(folder / f"{stem}_raw.zarr", counts))


def place(root: Path, write: Callable[[Path, str], object]) -> Path:
    """Write a data set of six scans, each by a function."""
    for person in PEOPLE:
        for session in SESSIONS:
            folder = pet_folder(root, person, session)
            folder.mkdir(parents=True)
            write(folder, f"sub-{person}_ses-{session}")
    description = {"Name": "simulated", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    return root


def images(out: Path, ending: str) -> list[np.ndarray]:
    """Return the voxels of the image of each of the six scans."""
    found = [
        path
        for person in PEOPLE
        for session in SESSIONS
        for path in pet_folder(out, person, session).glob(f"*{ending}")
    ]
    assert len(found) == 6
    return [np.asarray(nibabel.load(path).dataobj) for path in found]


def group(run_cli: RunCli, data_set: Path, out: Path, verb: str) -> dict[str, list[str]]:
    code, _, err = run_cli("bids", data_set, out, "group", "--verb", verb, "--quiet")
    assert (code, err) == (0, "") and (out / f"group_{verb}_report.html").is_file()
    return read_table(out / f"group_{verb}.tsv")


def test_kinetics_of_images_and_denoised_ones(run_cli: RunCli, tmp_path: Path) -> None:
    """The chain: denoise, then kinetics of what is denoised, with the blood of the raw data."""
    data_set, clean, out = write_single(tmp_path / "raw"), tmp_path / "clean", tmp_path / "out"
    regions = ("--derivatives", data_set / "derivatives" / "regions")
    options = ("--verb", "denoise", "--method", "gaussian", *FEW)
    code, _, err = run_cli("bids", data_set, clean, "participant", *options, *regions)
    assert (code, err) == (0, "")
    assert all(values.any() for values in images(clean, "_desc-denoised_pet.nii.gz"))
    table = group(run_cli, data_set, clean, "denoise")
    assert set(table["region"]) == {"image"} and set(table["unit"]) == {"Bq/mL"}
    one = ("--participant-label", "01", "--session-label", "base")
    options = ("--verb", "kinetics", "--method", "logan", "--t-star", "1000", "--delay", "0", *FEW)
    chain = ("--derivatives", clean, "--desc", "denoised", *regions, *one)
    code, _, err = run_cli("bids", data_set, out, "participant", *options, *chain)
    assert (code, err) == (0, "")
    (found,) = out.rglob("*_desc-denoised_model-Logan_kinpar.tsv")
    assert read_table(found)["region"] == ["front", "back"]
    (record,) = out.rglob("*_kinetics_run.json")
    sources = json.loads(record.read_text())["bids"]["sources"]
    assert sources[0].startswith("bids:clean:") and sources[1].startswith("bids:raw:")


def test_separate(run_cli: RunCli, tmp_path: Path) -> None:
    data_set, out = write_dual(tmp_path / "raw"), tmp_path / "out"
    options = ("--verb", "separate", "--tracers", "FMZ,FDG", "--delay", DELAY, *FEW)
    method = ("--method", "extrapolation", "--arrival-a", 0, "--arrival-b", 0)
    code, _, err = run_cli("bids", data_set, out, "participant", *options, *method)
    assert (code, err) == (0, "")
    for tracer in ("FMZ", "FDG"):
        assert all(v.any() for v in images(out, f"_trc-{tracer}_desc-separated_pet.nii.gz"))
    record = json.loads(next(out.rglob("*_separate_run.json")).read_text())
    assert [t["blood"][0].partition("_trc-")[2][:3] for t in record["tracers"]] == ["FMZ", "FDG"]
    table = group(run_cli, data_set, out, "separate")
    assert set(table["parameter"]) == {"activity FMZ", "activity FDG"}
    assert len(table["value"]) == 12


def test_reconstruct_goes_on_within_a_scan(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the second frame of the second scan, it goes on from there."""
    from betaplus.reconstruction.frames import FrameReconstructor

    data_set, out = write_counts(tmp_path / "raw"), tmp_path / "out"
    options = ("--verb", "reconstruct", "--iterations", 1, "--subsets", 2, "--psf", 0, *FEW)
    grid = ("--voxel", 3, "--matrix", 30)
    frames, real = [], FrameReconstructor.frame

    def stop(self: FrameReconstructor, n: int, *rest: object) -> np.ndarray:
        frames.append(n)
        if len(frames) == 4:
            raise KeyboardInterrupt
        return real(self, n, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(FrameReconstructor, "frame", stop)
        code, _, err = run_cli("bids", data_set, out, "participant", *options, *grid)
    assert code == 130 and "--resume" in err
    assert len(list(out.glob("sub-*/*/pet/*_reconstruct_run.json"))) == 1
    code, _, err = run_cli("bids", data_set, out, "participant", *options, *grid, "--resume")
    assert (code, err) == (0, "")
    resumed = [
        json.loads(path.read_text())["blocks_resumed"]
        for path in sorted(out.rglob("*_reconstruct_run.json"))
    ]
    assert resumed == [0, 1, 0, 0, 0, 0]
    made = images(out, "_rec-osem_pet.nii.gz")
    assert all((made[0] == other).all() for other in made[1:])  # of the same counts
    disc = phantom()[4:-4, 4:-4, GRID.shape[2] // 2] > 0
    assert np.corrcoef(made[0][4:-4, 4:-4, GRID.shape[2] // 2, 1].ravel(), disc.ravel())[0, 1] > 0.5
    table = group(run_cli, data_set, out, "reconstruct")
    assert len(table["value"]) == 6 and set(table["unit"]) == {"Bq/mL"}
