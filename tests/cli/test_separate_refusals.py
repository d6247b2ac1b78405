"""What `betaplus separate` cannot use: one line that says so, exit code 2, nothing written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.separate_study import arguments, make_image, scan, write_study
from tests.cli.study import Study, save_nifti

from betaplus.core.tracer import Tracer
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


LINEAR = ("--method", "linear")
OPTIONS = [
    (("--method", "magic"), "method 'magic' is unknown"),
    ((*LINEAR, "--tracers", "FDG,XYZ"), "tracer 'XYZ' is unknown; expected one of FDG"),
    ((*LINEAR, "--tracers", "FDG"), "expected two names"),
    ((*LINEAR, "--tracers", "FMZ,XYZ:Q9"), "radionuclide 'Q9'"),
    ((*LINEAR, "--delay", 1e5), "expected it before the end of the scan at 4800 s"),
    ((*LINEAR, "--delay", -60), "--delay is -60 s"),
    ((*LINEAR, "--delay", "nan"), "--delay is nan s"),
    ((*LINEAR, "--delay", 4500), "expected 4 or more"),
    ((*LINEAR, "--delay", 2000), "comes in the middle of frame"),
    ((*LINEAR, "--set", "breadth=7"), "setting 'breadth' is unknown"),
    ((*LINEAR, "--set", "fwhm=-1"), "fwhm is -1"),
    ((*LINEAR, "--samples", 3), "draws none"),
    ((*LINEAR, "--bundle", "nothing"), "has no network"),
    (("--bundle", "nothing"), "--bundle nothing is not a folder"),
    (("--method", "inn-published", "--bundle", "nothing"), "nothing is not a folder"),
    ((*LINEAR, "--mask", "nothing.nii.gz"), "nothing.nii.gz does not exist"),
    ((*LINEAR, "--regions", "nothing.nii.gz"), "nothing.nii.gz does not exist"),
    ((*LINEAR, "--blood-a", "nothing.tsv"), "nothing.tsv does not exist"),
    ((*LINEAR, "--blood-a", "idif:mask.nii.gz"), "an image holds both tracers"),
    ((*LINEAR, "--arrival-a", 500), "an arrival of 500 s"),
    ((*LINEAR, "--plasma-b", "none"), "--plasma-b is 'none'"),
    ((*LINEAR, "--engine", "mpi"), "there are threads, inline, processes, dask"),
    ((*LINEAR, "--workers", 0), "--workers is 0"),
    ((*LINEAR, "--max-memory", "100M"), "--max-memory 100.00 MiB is too small"),
    ((*LINEAR, "--resume", "--overwrite"), "they exclude each other"),
    ((*LINEAR, "--device", "cuda"), "on the CPU"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS)
def test_options(run_cli: RunCli, folder: Path, tmp_path: Path, options: Any, words: str) -> None:
    out = tmp_path / "out"
    refused(run_cli(*arguments(folder, out, *options)), words)
    assert not out.exists()


def test_what_must_be_given(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    source, out = folder / "sub-01_pet.nii.gz", tmp_path / "out"
    refused(run_cli("separate", source, "-o", out, "--delay", 1200), "no tracers")
    both = ("--tracers", "FMZ,FDG")
    refused(run_cli("separate", source, "-o", out, *both), "no delay", "--delay SECONDS")
    known = ("separate", source, "-o", out, *both, "--delay", 1200)
    refused(run_cli(*known, "--method", "compartment"), "without --blood-a and --blood-b")
    refused(run_cli(*known, "--method", "extrapolation"), "without --blood-a;")
    blood = folder / "sub-01_trc-FDG_blood.tsv"
    refused(run_cli(*known, "--method", "compartment", "--blood-b", blood), "without --blood-a;")
    same = ("--blood-a", blood, "--blood-b", blood)
    refused(run_cli(*known, *LINEAR, *same), "is given for both tracers")
    other = ("separate", source, "-o", out, "--tracers", "UCBJ:C11,FDG", "--delay", 1200)
    refused(run_cli(*other, *LINEAR), "the kinetics of UCBJ are not known", "nmf")
    assert not out.exists()


def test_blood_of_the_other_tracer(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    a, b = (folder / f"sub-01_trc-{name}_blood.tsv" for name in ("FDG", "FMZ"))
    out = tmp_path / "out"
    result = run_cli(
        "separate", folder / "sub-01_pet.nii.gz", "--tracers", "FMZ,FDG", "--delay", 1200, *LINEAR,
        "--blood-a", a, "--blood-b", b, "-o", out,
    )  # fmt: skip
    refused(result, "sub-01_trc-FDG_blood.tsv is given for FMZ", "its own blood")
    assert not out.exists()


def voxel(value: float) -> Any:
    def spoil(folder: Path) -> None:
        data = np.array(make_image().data)
        x, y, z = np.argwhere(scan().head)[50]
        data[x, y, z, 7] = value
        write_image(folder / "sub-01_pet.nii.gz", make_image(data=data))

    return spoil


def negative(folder: Path) -> None:
    data = np.array(make_image().data)
    data[..., 8] *= -1.0
    write_image(folder / "sub-01_pet.nii.gz", make_image(data=data))


def flat(folder: Path) -> None:
    path = folder / "sub-01_pet.nii.gz"
    save_nifti(path, np.asarray(nibabel.load(path).dataobj)[..., -1], make_image().affine)
    Study(folder).edit_json(
        folder / "sub-01_pet.json", FrameTimesStart=[0.0], FrameDuration=[300.0]
    )


def blank(folder: Path) -> None:
    write_image(folder / "sub-01_pet.nii.gz", make_image(data=np.zeros(make_image().shape, "f4")))


def fields(**changes: Any) -> Any:
    return lambda folder: Study(folder).edit_json(folder / "sub-01_pet.json", **changes)


def short(folder: Path) -> None:
    rows = lambda table: [row for row in table if float(row["time"]) < 1800]  # noqa: E731
    Study(folder).edit_rows(folder / "sub-01_trc-FDG_blood.tsv", rows)


def corrected_for_nothing(folder: Path) -> None:
    write_image(
        folder / "sub-01_pet.nii.gz",
        make_image(tracer=Tracer.of("C11"), decay_corrected_to=0.0, metadata={}),
    )
    fields(TracerRadionuclide=None, RadionuclideHalfLife=None)(folder)


SPOILT = [
    (voxel(np.nan), "in frame 8"),
    (voxel(np.inf), "holds inf"),
    (negative, "in frame 9 is -"),
    (flat, "is a 3-D image"),
    (blank, "no voxel that is wanted"),
    (fields(Units="SUV"), "there are two doses"),
    (fields(NumberOfBedPositions=3), "there are no times of its slices"),
    (short, "sub-01_trc-FDG_blood.tsv"),
    (corrected_for_nothing, "expected TracerRadionuclide"),
    (lambda folder: (folder / "sub-01_pet.nii.gz").write_bytes(b"no"), "sub-01_pet.nii.gz"),
]


@pytest.mark.parametrize(("spoil", "words"), SPOILT)
def test_data(run_cli: RunCli, copy: Path, tmp_path: Path, spoil: Any, words: str) -> None:
    spoil(copy)
    out = tmp_path / "out"
    refused(run_cli(*arguments(copy, out, *LINEAR)), words)
    assert not out.exists()


def test_a_mask_on_another_grid(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.nii.gz"
    save_nifti(other, np.ones((3, 3, 3), np.uint8))
    for option in ("--mask", "--regions"):
        result = run_cli(*arguments(folder, tmp_path / "out", *LINEAR, option, other))
        refused(result, "other.nii.gz has shape (3, 3, 3)")
    assert not (tmp_path / "out").exists()


def test_a_wrong_bundle_and_none(
    run_cli: RunCli, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import betaplus

    bundle = Path(betaplus.__file__).parent / "bundles" / "kinetics-flow-v1"
    out = tmp_path / "out"
    inn = ("--method", "inn")
    refused(run_cli(*arguments(folder, out, "--bundle", bundle)), "of task 'kinetics'")
    monkeypatch.setattr("betaplus.generative.bundle._PACKAGE", tmp_path)
    monkeypatch.delenv("BETAPLUS_BUNDLES", raising=False)
    refused(run_cli(*arguments(folder, out, *inn)), "no weights separation-inn", "betaplus train")
    assert not out.exists()
