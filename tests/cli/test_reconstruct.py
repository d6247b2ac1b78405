"""`betaplus reconstruct` from files to files, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import zarr
from tests.cli.conftest import RunCli
from tests.physics.projector.cases import SMALL

from betaplus.core.frames import FrameTiming
from betaplus.core.grid import ImageGrid
from betaplus.core.raw import RawScan
from betaplus.core.tracer import Tracer
from betaplus.io.raw.store import write_raw
from betaplus.physics.projector.projector import Projector

GRID = ImageGrid(shape=(30, 30, 9), voxel_size=(3.0, 3.0, 2.0))
SENSITIVITY = 2e-5
FRAMES = FrameTiming(np.array([0.0, 600.0]), np.array([600.0, 1200.0]))
TRACER = Tracer(radionuclide="F18", half_life=6584.04)
MU = 0.096


def phantom() -> np.ndarray:
    x, y, z = np.meshgrid(*(GRID.axis(i) for i in range(3)), indexing="ij")
    image = 5000.0 * (np.hypot(x, y) < 36.0)
    image[(np.hypot(x - 12.0, y + 6.0) < 10.0) & (z > -5.0)] = 20000.0
    return image.astype(np.float32)


def attenuation() -> np.ndarray:
    body = (MU / 10.0 * (phantom() > 0)).astype(np.float32)
    return np.exp(-Projector(SMALL, GRID).forward(body))


def scan(noise: bool = True, **changes: object) -> RawScan:
    rng = np.random.default_rng(0)
    pairs = SMALL.michelogram.multiplicity.astype(np.float32)
    efficiency = (SMALL.live[..., None] * pairs).astype(np.float32)
    lines = Projector(SMALL, GRID).forward(phantom()) * efficiency * attenuation()
    decay = FRAMES.decay_factors(TRACER.half_life)
    prompts, randoms = [], []
    for n in range(2):
        trues = lines * SENSITIVITY * FRAMES.duration[n] / decay[n]
        background = efficiency * (0.3 * trues.sum() / efficiency.sum())
        mean = (trues + background).astype(float)
        prompts.append(rng.poisson(mean) if noise else mean)
        randoms.append(background)
    fields: dict[str, object] = {
        "scanner": SMALL,
        "prompts": np.stack(prompts).astype(np.float32),
        "efficiency": efficiency,
        "randoms": np.stack(randoms).astype(np.float32),
        "scatter": np.zeros((2, *SMALL.shape), np.float32),
        "frames": FRAMES,
        "tracer": TRACER,
        "sensitivity": SENSITIVITY,
    }
    return RawScan(**{**fields, **changes})  # type: ignore[arg-type]


def write_mu(path: Path, flipped: bool = False) -> Path:
    values, affine = (MU * (phantom() > 0)).astype(np.float32), GRID.affine
    if flipped:  # the same map, stored the other way round along x
        values = values[::-1]
        affine = affine @ np.array(
            [[-1, 0, 0, GRID.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]
        )
    image = nibabel.Nifti1Image(values, affine)
    image.set_sform(affine, code=1)
    nibabel.save(image, path)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    write_raw(folder / "sub-01_raw.zarr", scan())
    write_mu(folder / "mu.nii.gz")
    write_mu(folder / "flipped.nii.gz", flipped=True)
    return folder


BASIC = ("--voxel", 3, "--matrix", 30, "--psf", 0, "--subsets", 6)


def test_activity_comes_back_in_its_unit(run_cli: RunCli, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text, err = run_cli(
        "reconstruct", study / "sub-01_raw.zarr", "-o", out, "--mu", study / "mu.nii.gz", *BASIC,
        "--method", "map-em", "--set", "beta=0.001", "--iterations", 10,
    )  # fmt: skip
    assert code == 0, err
    image = nibabel.load(out / "sub-01_rec-mapem_pet.nii.gz")
    sidecar = json.loads((out / "sub-01_rec-mapem_pet.json").read_text())
    assert sidecar["Units"] == "Bq/mL"
    assert sidecar["FrameDuration"] == [600.0, 1200.0]
    assert np.allclose(image.affine, GRID.affine, atol=1e-4)
    data, truth = np.asarray(image.dataobj), phantom()
    for n in range(2):
        assert abs(data[..., n].mean() / truth.mean() - 1.0) < 0.02
        flat = data[12:20, 20:24, :, n].mean()  # a part without the rod
        rod = data[..., n][truth == 20000.0].mean()
        assert 4500.0 < flat < 5500.0 and 17000.0 < rod < 22000.0
    run = json.loads((out / "sub-01_reconstruct_run.json").read_text())
    assert run["blocks_done"] == 2 and run["settings"]["beta"] == 0.001
    assert (out / "sub-01_reconstruct_report.html").stat().st_size > 10_000
    assert not (out / ".betaplus").exists()
    assert "remark" not in text


def test_a_map_stored_the_other_way_round_is_the_same(
    run_cli: RunCli, study: Path, tmp_path: Path
) -> None:
    images = []
    for name in ("mu", "flipped"):
        out = tmp_path / name
        code, _, err = run_cli(
            "reconstruct", study / "sub-01_raw.zarr", "-o", out, "--no-report", *BASIC,
            "--mu", study / f"{name}.nii.gz", "--iterations", 1,
        )  # fmt: skip
        assert code == 0, err
        images.append(np.asarray(nibabel.load(out / "sub-01_rec-osem_pet.nii.gz").dataobj))
    assert np.allclose(*images, rtol=1e-3, atol=1.0)


def test_without_corrections_it_says_so(run_cli: RunCli, tmp_path: Path) -> None:
    write_raw(
        tmp_path / "bare_raw.zarr",
        scan(efficiency=None, randoms=None, scatter=None, sensitivity=None),
    )
    code, text, err = run_cli(
        "reconstruct", tmp_path / "bare_raw.zarr", "-o", tmp_path / "out", "--no-report", *BASIC
    )
    assert code == 0, err
    for words in ("normalisation", "attenuation", "scatter", "randoms", "has no unit"):
        assert words in text


def test_like_takes_the_grid_of_an_image(run_cli: RunCli, study: Path, tmp_path: Path) -> None:
    code, _, err = run_cli(
        "reconstruct", study / "sub-01_raw.zarr", "-o", tmp_path / "out", "--no-report",
        "--like", study / "mu.nii.gz", "--iterations", 1,
    )  # fmt: skip
    assert code == 0, err
    image = nibabel.load(tmp_path / "out" / "sub-01_rec-osem_pet.nii.gz")
    assert image.shape[:3] == GRID.shape and np.allclose(image.affine, GRID.affine, atol=1e-4)


def test_threads_and_resume_change_nothing(run_cli: RunCli, study: Path, tmp_path: Path) -> None:
    found = []
    for workers in (1, 3):
        out = tmp_path / str(workers)
        arguments = ("reconstruct", study / "sub-01_raw.zarr", "-o", out, "--no-report", *BASIC)
        code, _, err = run_cli(*arguments, "--workers", workers, "--iterations", 1)
        assert code == 0, err
        found.append(np.asarray(nibabel.load(out / "sub-01_rec-osem_pet.nii.gz").dataobj))
    assert np.array_equal(*found)
    code, text, _ = run_cli(*arguments, "--iterations", 1, "--resume")
    assert code == 0 and "nothing to do" in text
    code, _, err = run_cli(*arguments, "--iterations", 1)
    assert code == 2 and "--overwrite" in err
    code, _, err = run_cli(*arguments, "--iterations", 2, "--resume")
    assert code == 2


@pytest.mark.slow
def test_a_real_head_from_sinogram_and_event_by_event(
    run_cli: RunCli, reference_data: Path, tmp_path: Path
) -> None:
    images = []
    for name, more in (("sinogram", ()), ("list", ("--list-mode",))):
        code, _, err = run_cli(
            "reconstruct", reference_data / "raw_mmr" / "small_listmode_file.l", "-o",
            tmp_path / name, "--voxel", 5, "--matrix", 60, "--iterations", 1, "--subsets", 7,
            "--set", "filter=8", "--no-report", *more,
        )  # fmt: skip
        assert code == 0, err
        images.append(nibabel.load(tmp_path / name / "small_listmode_rec-osem_pet.nii.gz"))
    sinogram, events = (image.get_fdata() for image in images)
    assert abs(events.sum() / sinogram.sum() - 1.0) < 0.05
    assert np.corrcoef(sinogram.ravel(), events.ravel())[0, 1] > 0.97
    # a head in the middle of the bore, its top at the far end: the upper half has less across
    inside = sinogram > 0.3 * np.quantile(sinogram, 0.995)
    x, y, z = (np.array(axis) for axis in np.nonzero(inside))
    assert 10 < x.mean() < 50 and 10 < y.mean() < 50
    area = inside.sum((0, 1))
    assert area[35:45].mean() < 0.7 * area[60:80].mean() and z.size > 1000


def no_input(study: Path, folder: Path) -> list[object]:
    shutil.rmtree(folder / "sub-01_raw.zarr")
    return []


def respell(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Put other prompts into the container, which its writer would refuse."""
    store = zarr.open_group(folder / "sub-01_raw.zarr", mode="r+")
    values = change(np.asarray(store["prompts"][:], dtype=np.float32))
    del store["prompts"]
    store.create_array("prompts", data=values)


def negative_prompts(study: Path, folder: Path) -> list[object]:
    respell(folder, lambda values: -values)
    return []


def prompts_that_are_no_numbers(study: Path, folder: Path) -> list[object]:
    respell(folder, lambda values: values * np.nan)
    return []


def mu_in_hounsfield(study: Path, folder: Path) -> list[object]:
    nibabel.save(nibabel.Nifti1Image(np.full((5, 5, 5), 300.0), GRID.affine), folder / "ct.nii")
    return ["--mu", folder / "ct.nii"]


def mu_from_elsewhere(study: Path, folder: Path) -> list[object]:
    affine = GRID.affine.copy()
    affine[0, 3] += 5000.0
    nibabel.save(nibabel.Nifti1Image(np.full((9, 9, 9), 0.1, "f4"), affine), folder / "far.nii")
    return ["--mu", folder / "far.nii"]


def mu_without_a_place(study: Path, folder: Path) -> list[object]:
    image = nibabel.Nifti1Image(np.full((9, 9, 9), 0.1, "f4"), None)
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    nibabel.save(image, folder / "lost.nii")
    return ["--mu", folder / "lost.nii"]


def mu_that_is_none(study: Path, folder: Path) -> list[object]:
    return ["--mu", folder / "nothing.nii"]


def grid_that_is_turned(study: Path, folder: Path) -> list[object]:
    image = nibabel.Nifti1Image(np.zeros((9, 9, 9), "f4"), np.diag([2.0, 2.0, 2.0, 1.0]))
    nibabel.save(image, folder / "turned.nii")
    return ["--like", folder / "turned.nii"]


def give(*options: object) -> Callable[[Path, Path], list[object]]:
    return lambda study, folder: list(options)


REFUSED = {
    "no input": (no_input, "sub-01_raw.zarr does not exist"),
    "negative prompts": (negative_prompts, "go down to -8516; expected numbers from 0"),
    "prompts not numbers": (prompts_that_are_no_numbers, "numbers"),
    "CT for mu": (mu_in_hounsfield, "attenuation coefficients from 300 to 300"),
    "mu elsewhere": (mu_from_elsewhere, "outside the scanner's field of view"),
    "mu nowhere": (mu_without_a_place, "does not say where it is"),
    "mu missing": (mu_that_is_none, "nothing.nii"),
    "grid turned": (grid_that_is_turned, "not along the scanner's axes"),
    "method": (give("--method", "fbp"), "method 'fbp' is unknown; expected one of osem"),
    "setting": (give("--set", "betta=1"), "setting 'betta' is unknown"),
    "subsets": (give("--subsets", 31), "31 subsets of 30 views; expected 1 to 30"),
    "no subset": (give("--subsets", 0), "setting subsets=0; expected 1"),
    "iterations": (give("--iterations", -1), "setting iterations=-1"),
    "beta of OSEM": (give("--beta", 0.1), "setting 'beta' is unknown"),
    "beta below 0": (give("--method", "svrg", "--beta", -0.1), "setting beta=-0.1"),
    "beta twice": (give("--method", "svrg", "--beta", 1, "--set", "beta=1"), "one of the two"),
    "voxel": (give("--voxel", 0), "voxels of 0 mm"),
    "matrix": (give("--matrix", 0), "0 voxels across"),
    "too wide": (give("--matrix", 200, "--voxel", 3), "an image grid that reaches"),
    "psf": (give("--psf", -1), "a resolution of -1 mm"),
    "scanner": (give("--scanner", "Explorer"), "scanner 'Explorer' is unknown"),
    "other scanner": (give("--scanner", "mMR"), "scanner"),
    "device": (give("--device", "cuda"), "--device is cuda"),
    "workers": (give("--workers", 0), "--workers is 0; expected 1"),
    "no list": (give("--list-mode"), "--list-mode with sub-01_raw.zarr; expected a list file"),
    "flags": (give("--resume", "--overwrite"), "they exclude each other"),
    "norm missing": (give("--norm", "nothing.n"), "nothing.n"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(run_cli: RunCli, study: Path, tmp_path: Path, case: str) -> None:
    shutil.copytree(study / "sub-01_raw.zarr", tmp_path / "sub-01_raw.zarr")
    spoil, words = REFUSED[case]
    options = spoil(study, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, text, err = run_cli(
        "reconstruct", tmp_path / "sub-01_raw.zarr", "-o", tmp_path / "out", *options
    )
    assert code == 2, err
    assert err.count("\n") == 1 and not text and words in err, err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_scanner_of_the_container_must_be_one(
    run_cli: RunCli, study: Path, tmp_path: Path
) -> None:
    shutil.copytree(study / "sub-01_raw.zarr", tmp_path / "sub-01_raw.zarr")
    path = tmp_path / "sub-01_raw.zarr" / "zarr.json"
    path.write_text(path.read_text().replace('"ring_pitch": 4.0', '"ring_pitch": -4.0'))
    code, _, err = run_cli("reconstruct", tmp_path / "sub-01_raw.zarr", "-o", tmp_path / "out")
    assert code == 2 and err.count("\n") == 1 and "ring_pitch" in err
