"""What `betaplus patlak` cannot use: one line that says so, exit code 2, nothing written."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.patlak_study import SHAPE, arguments, make_scan, write_study
from tests.cli.study import Study, save_nifti, tree

from betaplus.io.derivatives import write_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refusals")
    write_study(folder)
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def refused(result: tuple[int, str, str], *words: str) -> None:
    code, text, err = result
    assert (code, text, err.count("\n")) == (2, "", 1), err
    assert err.startswith("betaplus: error: ")
    for word in words:
        assert word in err


OPTIONS = [
    (("--method", "magic"), "method 'magic' is unknown"),
    (("--set", "breadth=7"), "setting 'breadth' is unknown"),
    (("--method", "tv", "--set", "strength=-1"), "setting strength is -1"),
    (("--method", "gaussian", "--set", "fwhm=wide"), "expected a number"),
    (("--method", "tv", "--samples", 3), "draws none"),
    (("--method", "tv", "--bundle", "nothing"), "has no prior"),
    (("--method", "wls", "--anatomy", "brain"), "has no prior"),
    (("--anatomy", "cat"), "anatomy 'cat'"),
    (("--bundle", "nothing"), "is not a folder"),
    (("--method", "wls", "--save-draws"), "expected gibbs"),
    (("--t-star", "soon"), "expected auto or seconds"),
    (("--t-star", "1e5"), "leaves 0 of 23 frames"),
    (("--t-star", -5), "t* is -5 s"),
    (("--t-star", "nan"), "t* is nan s"),
    (("--t-star", 3100), "leaves 2 of 23 frames"),
    (("--delay", 1e4), "delay 10000 s"),
    (("--level", 0), "level 0 SUV"),
    (("--mask", "nothing.nii.gz"), "nothing.nii.gz does not exist"),
    (("--bed-times", "nothing.tsv"), "nothing.tsv"),
    (("--plasma", "none"), "--plasma is 'none'"),
    (("--engine", "mpi"), "there are threads, inline, processes, dask"),
    (("--workers", 0), "--workers is 0"),
    (("--max-memory", "100M"), "--max-memory 100.00 MiB is too small"),
    (("--resume", "--overwrite"), "they exclude each other"),
    (("--device", "cuda"), "on the CPU"),
    (("--weight", 90000), "--weight is 90000"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS)
def test_options(run_cli: RunCli, folder: Path, tmp_path: Path, options: Any, words: str) -> None:
    out = tmp_path / "out"
    refused(run_cli(*arguments(folder, out, *options)), words)
    assert not out.exists()


def spoil_json(name: str, **fields: Any) -> Any:
    def spoil(folder: Path) -> None:
        Study(folder).edit_json(folder / name, **fields)

    return spoil


def early(folder: Path) -> None:
    rows = lambda table: [row for row in table if float(row["time"]) < 2500]  # noqa: E731
    Study(folder).edit_rows(folder / "sub-01_blood.tsv", rows)


def zeros(folder: Path) -> None:
    Study(folder).edit_column(folder / "sub-01_blood.tsv", "plasma_radioactivity", lambda _: 0.0)


def flat(folder: Path) -> None:
    path = folder / "sub-01_pet.nii.gz"
    save_nifti(path, np.asarray(nibabel.load(path).dataobj)[..., -1], make_scan().affine)
    spoil_json("sub-01_pet.json", FrameTimesStart=[0.0], FrameDuration=[300.0])(folder)


def metabolites(folder: Path) -> None:
    spoil_json("sub-01_pet.json", TracerName="PBR28")(folder)


def not_corrected(folder: Path) -> None:
    spoil_json("sub-01_pet.json", ImageDecayCorrected=False, ImageDecayCorrectionTime=None)(folder)


def overlapping(folder: Path) -> None:
    fields = json.loads((folder / "sub-01_pet.json").read_text())
    longer = [1.5 * d for d in fields["FrameDuration"]]
    spoil_json("sub-01_pet.json", FrameDuration=longer)(folder)


def edit_list(name: str, place: int, value: float) -> Any:
    def spoil(folder: Path) -> None:
        values = json.loads((folder / "sub-01_pet.json").read_text())[name]
        values[place] = value
        spoil_json("sub-01_pet.json", **{name: values})(folder)

    return spoil


def one_frame_short(folder: Path) -> None:
    fields = json.loads((folder / "sub-01_pet.json").read_text())
    short = {name: fields[name][:-1] for name in ("FrameTimesStart", "FrameDuration")}
    spoil_json("sub-01_pet.json", **short)(folder)


def voxel(value: float) -> Any:
    def spoil(folder: Path) -> None:
        data = np.array(make_scan().data)
        data[5, 4, 6, 20] = value
        write_image(folder / "sub-01_pet.nii.gz", make_scan(data=data))

    return spoil


def blood_unit(unit: str | None) -> Any:
    return spoil_json("sub-01_blood.json", plasma_radioactivity={"Units": unit} if unit else {})


def late(folder: Path) -> None:
    rows = lambda table: [row for row in table if float(row["time"]) > 900]  # noqa: E731
    Study(folder).edit_rows(folder / "sub-01_blood.tsv", rows)


def minutes(folder: Path) -> None:
    times = lambda text: float(text) / 60  # noqa: E731
    Study(folder).edit_column(folder / "sub-01_blood.tsv", "time", times)


def blank(folder: Path) -> None:
    write_image(folder / "sub-01_pet.nii.gz", make_scan(data=np.zeros(make_scan().shape, "f4")))


SPOILT = [
    (spoil_json("sub-01_pet.json", NumberOfBedPositions=5), "there are no times of its slices"),
    (early, "the scan at 3720 s"),
    (zeros, "nowhere above 0"),
    (not_corrected, "not decay-corrected"),
    (overlapping, "do not overlap"),
    (edit_list("FrameDuration", 3, -5.0), "frame 4 lasts -5 s; expected positive durations"),
    (edit_list("FrameTimesStart", 3, 25.0), "not after frame 3; expected frames in order of time"),
    (one_frame_short, "has 22 values but the image has 23 frames"),
    (voxel(np.nan), "holds nan at voxel (5, 4, 6) in frame 21"),
    (voxel(np.inf), "holds inf at voxel (5, 4, 6) in frame 21"),
    (blood_unit("mm"), "unit 'mm' in Units of plasma_radioactivity of sub-01_blood.json"),
    (blood_unit("SUV"), "cannot convert SUV to Bq/mL"),
    (blood_unit(None), "give --blood-unit"),
    (late, "population:FILE), or make the relative Patlak plot (betaplus patlak --relative)"),
    (minutes, "check that times are in seconds"),
    (flat, "is a 3-D image"),
    (metabolites, "no parent fraction"),
    (blank, "no voxel that is wanted"),
    (spoil_json("sub-01_pet.json", Units=None), "unit"),
    (lambda folder: (folder / "sub-01_blood.tsv").unlink(), "does not exist"),
    (lambda folder: (folder / "sub-01_pet.nii.gz").write_bytes(b"no"), "sub-01_pet.nii.gz"),
]


@pytest.mark.parametrize(("spoil", "words"), SPOILT)
def test_data(run_cli: RunCli, copy: Path, tmp_path: Path, spoil: Any, words: str) -> None:
    spoil(copy)
    out = tmp_path / "out"
    refused(run_cli(*arguments(copy, out, "--method", "wls")), words)
    assert not out.exists()


@pytest.mark.parametrize(
    ("factor", "words"), [(1e-3, "tissue takes up"), (1e3, "of the blood of its time")]
)
def test_blood_a_thousand_times_off(
    run_cli: RunCli, copy: Path, tmp_path: Path, factor: float, words: str
) -> None:
    """It is taken at its word if both units are given by option too."""
    wrong = lambda text: factor * float(text)  # noqa: E731
    Study(copy).edit_column(copy / "sub-01_blood.tsv", "plasma_radioactivity", wrong)
    asked = arguments(copy, tmp_path / "out", "--method", "wls", "--no-report")
    refused(run_cli(*asked), words, "insist with both --unit Bq/mL and --blood-unit Bq/mL")
    assert not (tmp_path / "out").exists()
    code, text, _ = run_cli(*asked, "--unit", "Bq/mL", "--blood-unit", "Bq/mL")
    assert code == 0 and words in text and "check the units of both" in text


def test_too_few_frames_after_the_peak(run_cli: RunCli, tmp_path: Path) -> None:
    image = make_scan()
    few = dataclasses.replace(
        image, data=image.data[..., :3], frames=dataclasses.replace(
            image.frames, start=[0.0, 1200, 2400], duration=[1200.0, 1200, 1300])
    )  # fmt: skip
    write_study(tmp_path)
    write_image(tmp_path / "sub-01_pet.nii.gz", few)
    out, source = tmp_path / "out", tmp_path / "sub-01_pet.nii.gz"
    samples = tmp_path / "sub-01_blood.tsv"
    refused(
        run_cli("patlak", source, "--blood", samples, "-o", out, "--method", "wls"),
        "2 frames start after the input's peak",
    )


def test_no_blood(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    source = folder / "sub-01_pet.nii.gz"
    refused(run_cli("patlak", source, "-o", tmp_path / "out"), "no input function", "--blood FILE")


def test_a_mask_on_another_grid(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.nii.gz"
    save_nifti(other, np.ones((3, 3, 3), np.uint8))
    for option in ("--mask", "--regions"):
        result = run_cli(*arguments(folder, tmp_path / "out", option, other))
        refused(result, "other.nii.gz has shape (3, 3, 3)")
    shifted = make_scan().affine.copy()
    shifted[0, 3] += 8.0
    save_nifti(other, np.ones(SHAPE, np.uint8), shifted)
    refused(run_cli(*arguments(folder, tmp_path / "out", "--mask", other)), "8 mm away")
    assert not (tmp_path / "out").exists()


def test_the_folder_is_a_file(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("mine")
    refused(run_cli(*arguments(folder, out)), "is a file")
    assert out.read_text() == "mine"


def test_a_folder_stays_as_it_was(run_cli: RunCli, copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    few = ("--method", "wls", "--no-report", "--quiet")
    assert run_cli(*arguments(copy, out, *few))[0] == 0
    before = tree(out)
    early(copy)
    refused(run_cli(*arguments(copy, out, *few, "--overwrite")), "the scan at 3720 s")
    assert tree(out) == before


def test_a_wrong_bundle(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    import betaplus

    bundle = Path(betaplus.__file__).parent / "bundles" / "kinetics-flow-v1"
    result = run_cli(*arguments(folder, tmp_path / "out", "--bundle", bundle))
    refused(result, "of task 'kinetics'")
