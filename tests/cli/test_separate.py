"""`betaplus separate` from files to files: values, names, record, report."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.separate_study import arguments, make_image, scan, write_study
from tests.cli.study import tree
from tests.separation.studies import DELAY

import betaplus as bp
from betaplus.core.tracer import Tracer
from betaplus.io.derivatives import write_image
from betaplus.io.open import load
from betaplus.io.zarr_images import write_zarr_image

FEW = ("--no-report", "--quiet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("separate")
    write_study(folder)
    return folder


def read(out: Path, tracer: str, stat: str = "") -> np.ndarray:
    path = out / f"sub-01_trc-{tracer}_desc-separated{stat}_pet.nii.gz"
    return np.asarray(nibabel.load(path).dataobj)


@pytest.mark.parametrize("method", ["linear", "compartment", "extrapolation", "nmf"])
def test_values_are_those_of_python(
    run_cli: RunCli, folder: Path, tmp_path: Path, method: str
) -> None:
    code, _, err = run_cli(*arguments(folder, tmp_path, "--method", method, *FEW))
    assert (code, err) == (0, "")
    image = load(folder / "sub-01_pet.nii.gz")
    blood = tuple(bp.load_blood(folder / f"sub-01_trc-{n}_blood.tsv") for n in ("FMZ", "FDG"))
    fit = bp.separation.separate(
        image, "FMZ,FDG", DELAY, blood=blood, arrivals=scan().arrivals, method=method, workers=2
    )
    for name, found in zip(("FMZ", "FDG"), fit.images, strict=True):
        np.testing.assert_array_equal(read(tmp_path, name), found.data)
        assert found.data.any() and not found.data[~scan().head].any()
    if fit.std is not None:
        np.testing.assert_array_equal(read(tmp_path, "FDG", "_stat-std"), fit.std[1].data)
    assert len(list(tmp_path.glob("*stat-std*.nii.gz"))) == (0 if fit.std is None else 2)


def test_files_sidecars_and_report(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    code, text, err = run_cli(
        *arguments(
            folder, tmp_path, "--method", "compartment", "--regions", folder / "labels.nii.gz"
        )
    )
    assert code == 0, err
    assert "mixing chi-square" in text and "FMZ: " in text and "memory:" in err
    stems = [f"trc-{name}_desc-separated_pet" for name in ("FMZ", "FDG")]
    assert {path.name for path in tmp_path.iterdir()} == {
        ".bidsignore",
        "dataset_description.json",
        "sub-01_separate_report.html",
        "sub-01_separate_run.json",
        *(f"sub-01_{stem}.{end}" for stem in stems for end in ("nii.gz", "json")),
        *(f"sub-01_desc-mixing_chi2.{end}" for end in ("tsv", "json")),
    }
    fields = json.loads((tmp_path / f"sub-01_{stems[1]}.json").read_text())
    assert fields["TracerName"] == "FDG" and fields["TracerRadionuclide"] == "F18"
    assert fields["ImageDecayCorrected"] is True
    assert fields["ImageDecayCorrectionTime"] == fields["InjectionStart"] == DELAY
    assert fields["Units"] == "Bq/mL" and fields["Sources"] == ["sub-01_pet.nii.gz"]
    assert fields["FrameTimesStart"] == list(scan().frames.start)
    assert "InjectedRadioactivity" not in fields and fields["betaplus"]["method"] == "compartment"
    fields = json.loads((tmp_path / f"sub-01_{stems[0]}.json").read_text())
    assert fields["TracerName"] == "FMZ" and fields["ImageDecayCorrectionTime"] == 0.0
    assert fields["InjectedRadioactivity"] == 400.0
    back = load(tmp_path / f"sub-01_{stems[1]}.nii.gz")
    assert back.injection == back.decay_corrected_to == DELAY and not back.remarks
    rows = (tmp_path / "sub-01_desc-mixing_chi2.tsv").read_text().splitlines()
    assert rows[0].split("\t")[:5] == ["region", "frame", "frame_start", "frame_end", "chi2"]
    assert rows[1].split("\t")[:2] == ["all", "all"] and rows[2].split("\t")[:2] == ["all", "1"]
    regions = {row.split("\t")[0] for row in rows[1:]}
    assert len(rows) == 1 + len(regions) * 13 and regions - {"all"} <= set(scan().names.values())
    page = (tmp_path / "sub-01_separate_report.html").read_text()
    for words in ("Images", "Curves", "Checks", "Chi-square of each frame", "Separability",
                  "Beside other methods", "linear", "extrapolation", "Input"):  # fmt: skip
        assert words in page
    run = json.loads((tmp_path / "sub-01_separate_run.json").read_text())
    assert run["delay_s"] == DELAY and [t["injection_s"] for t in run["tracers"]] == [0.0, DELAY]
    assert run["separability"]["FMZ"]["parameter"] == "VT"
    assert run["separability"]["FMZ"]["inflation"]["VT"] > 1.0
    assert len(run["mixing"]["chi2_frames"]) == 12 and run["mixing"]["flag"] in ("pass", "warn")
    assert np.mean(run["noise"]["weights"]) == pytest.approx(1.0, rel=1e-4)


def test_zarr_kilobecquerel_and_correction_give_the_same(
    run_cli: RunCli, folder: Path, tmp_path: Path
) -> None:
    assert run_cli(*arguments(folder, tmp_path / "a", "--method", "linear", *FEW))[0] == 0
    frames, tracer = scan().frames, Tracer.of("C11", name="FMZ")
    factors = frames.decay_factors(tracer.half_life)
    data = (np.asarray(make_image().data) * factors / 1000.0).astype(np.float32)
    other = make_image(data=data, unit="kBq/mL", decay_corrected_to=0.0)
    write_zarr_image(tmp_path / "sub-01_pet.zarr", other)
    given = list(arguments(folder, tmp_path / "b", "--method", "linear", "--no-report"))
    given[1] = tmp_path / "sub-01_pet.zarr"
    code, text, err = run_cli(*given)
    assert code == 0, err
    assert "decay-corrected for C11 to 0 s; this is undone" in text
    for name in ("FMZ", "FDG"):
        one, two = read(tmp_path / "a", name), 1000.0 * read(tmp_path / "b", name)
        np.testing.assert_allclose(two, one, rtol=1e-3, atol=1.0)


def test_without_blood_and_with_a_warning(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    """The same nuclide twice at nearly the same time: told apart by what was expected of it."""
    source = folder / "sub-01_pet.nii.gz"
    code, text, err = run_cli(
        "separate", source, "--tracers", "FMZ,FMZ", "--delay", 5, "--method", "linear",
        "-o", tmp_path, "--no-report",
    )  # fmt: skip
    assert code == 0, err
    (line,) = [row for row in text.splitlines() if "hardly tells the tracers apart" in row]
    assert line.startswith("warning: ") and "VT of FMZ1" in line
    assert text.count("no blood; its curves are those of a population") == 2
    assert (tmp_path / "sub-01_trc-FMZ2_desc-separated_pet.nii.gz").is_file()


def test_a_mask_and_workers(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    mask = ("--mask", folder / "mask.nii.gz", "--method", "compartment")
    for name, workers in (("a", 1), ("b", 3)):
        code, _, err = run_cli(
            *arguments(folder, tmp_path / name, *mask, "--workers", workers, *FEW)
        )
        assert code == 0, err
    found = read(tmp_path / "a", "FDG")
    inside = np.asarray(nibabel.load(folder / "mask.nii.gz").dataobj) > 0
    assert found[inside].any() and not found[~inside].any()
    np.testing.assert_array_equal(found, read(tmp_path / "b", "FDG"))


def test_resume_and_overwrite(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    few = ("--method", "linear", *FEW)
    assert run_cli(*arguments(folder, tmp_path, *few))[0] == 0
    before = tree(tmp_path)
    code, _, err = run_cli(*arguments(folder, tmp_path, *few))
    assert code == 2 and "--resume" in err and "--overwrite" in err and err.count("\n") == 1
    assert run_cli(*arguments(folder, tmp_path, *few, "--resume"))[0] == 0
    assert tree(tmp_path) == before
    code, _, err = run_cli(*arguments(folder, tmp_path, *few, "--resume", "--set", "fwhm=4"))
    assert code == 2 and err.count("\n") == 1
    code, _, _ = run_cli(*arguments(folder, tmp_path, *few, "--overwrite", "--set", "fwhm=4"))
    assert code == 0 and tree(tmp_path) != before


def test_a_run_that_was_stopped_begins_again(
    run_cli: RunCli, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from betaplus.separation.linear import Linear

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    few = ("--method", "linear", "--no-report")
    with monkeypatch.context() as patched:
        patched.setattr(Linear, "fit", stop)
        code, _, err = run_cli(*arguments(folder, tmp_path, *few))
    assert code == 130 and "--resume" in err
    assert not list(tmp_path.glob("*.nii.gz"))
    code, _, err = run_cli(*arguments(folder, tmp_path, *few, "--resume"))
    assert code == 0, err
    assert not (tmp_path / ".betaplus").exists()
    assert run_cli(*arguments(folder, tmp_path / "whole", *few, "--quiet"))[0] == 0
    np.testing.assert_array_equal(read(tmp_path, "FDG"), read(tmp_path / "whole", "FDG"))


def test_an_entity_of_the_source_is_replaced(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "sub-01_trc-mix_desc-raw_pet.nii.gz"
    write_image(source, make_image())
    given = list(arguments(folder, tmp_path / "out", "--method", "linear", *FEW))
    given[1] = source
    assert run_cli(*given)[0] == 0
    assert (tmp_path / "out" / "sub-01_trc-FMZ_desc-separated_pet.nii.gz").is_file()
