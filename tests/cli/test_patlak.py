"""`betaplus patlak` from files to files: values, names, record, report."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.patlak_study import FIELDS, SHAPE, arguments, make_scan, truth, write_study
from tests.cli.study import save_nifti, tree
from tests.patlak.scans import bed_scan, scan

from betaplus.core.bed_times import BedTimes
from betaplus.core.tracer import Tracer
from betaplus.generative.image_prior import load_image_prior
from betaplus.io.blood import load_blood
from betaplus.io.derivatives import write_image
from betaplus.io.open import load
from betaplus.io.zarr_images import write_zarr_image
from betaplus.patlak.method import METHODS, find_method
from betaplus.patlak.study import make_study

CLASSICAL = ("ls", "wls", "nnls", "gaussian", "nlm", "tv", "kernel")
LIGHT = {"hqs": {"steps": 2}, "red-diff": {"steps": 3}, "gibbs": {"samples": 3, "burn": 1}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patlak")
    write_study(folder)
    return folder


def read(out: Path, name: str, stat: str = "mean") -> np.ndarray:
    path = out / f"sub-01_model-Patlak_meas-{name}_stat-{stat}_mimap.nii.gz"
    return np.asarray(nibabel.load(path).dataobj)


@pytest.mark.parametrize("method", [*CLASSICAL, *LIGHT])
def test_values_are_those_of_the_method(
    run_cli: RunCli, folder: Path, tmp_path: Path, method: str
) -> None:
    light = LIGHT.get(method, {})
    more = [part for name, value in light.items() for part in ("--set", f"{name}={value}")]
    more += ["--anatomy", "body"] if light else []
    code, _, err = run_cli(
        *arguments(folder, tmp_path, "--method", method, "--no-report", "--quiet", *more)
    )
    assert (code, err) == (0, "")
    samples = load_blood(folder / "sub-01_blood.tsv")
    image = load(folder / "sub-01_pet.nii.gz")
    study = make_study(image, samples, t_star=1200.0, weighted=method != "ls")
    kind = find_method(method)
    made = kind(kind.Settings(**light), *([load_image_prior("body3d")] if light else []))
    found = made.fit(study.problem)
    scale = study.problem.scale.float()
    for i, name in enumerate(("Ki", "V0")):
        expected = (found.u[i] * scale[i]).numpy()
        np.testing.assert_allclose(read(tmp_path, name), expected, rtol=2e-5, atol=1e-7)
        assert (expected[0] == 0).all()
        if found.std is not None:
            std = (found.std[i] * scale[i]).numpy()
            np.testing.assert_allclose(read(tmp_path, name, "std"), std, rtol=2e-5, atol=1e-7)
    assert len(list(tmp_path.glob("*std*.nii.gz"))) == (0 if found.std is None else 2)
    run = json.loads((tmp_path / "sub-01_patlak_run.json").read_text())
    assert run["method"] == method and run["t_star_s"] == 1320.0
    residual = study.residual(found.u)
    np.testing.assert_allclose(run["frames"]["residual_suv"], residual, rtol=1e-4)


def test_every_method_is_tested() -> None:
    assert {*CLASSICAL, *LIGHT} == set(METHODS)


def test_files_sidecars_and_report(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    code, text, err = run_cli(
        *arguments(folder, tmp_path, "--method", "gaussian", "--regions", folder / "labels.nii.gz")
    )
    assert code == 0, err
    assert "1,210 voxels of 12 x 10 x 11" in text and "t* = 1320 s, 8 of 23 frames" in text
    assert "memory:" in err
    stems = [f"meas-{name}_stat-mean_mimap" for name in ("Ki", "V0")]
    assert {path.name for path in tmp_path.iterdir()} == {
        ".bidsignore",
        "dataset_description.json",
        "sub-01_patlak_report.html",
        "sub-01_patlak_run.json",
        *(f"sub-01_model-Patlak_{stem}.{end}" for stem in stems for end in ("nii.gz", "json")),
        *(f"sub-01_model-Patlak_kinpar.{end}" for end in ("tsv", "json")),
    }
    fields = json.loads((tmp_path / f"sub-01_model-Patlak_{stems[0]}.json").read_text())
    assert fields["Units"] == "mL/cm3/min" and fields["Sources"] == ["sub-01_pet.nii.gz"]
    assert "FrameTimesStart" not in fields and fields["betaplus"]["t_star_s"] == 1320.0
    fields = json.loads((tmp_path / f"sub-01_model-Patlak_{stems[1]}.json").read_text())
    assert fields["Units"] == "mL/cm3"
    page = (tmp_path / "sub-01_patlak_report.html").read_text()
    for words in ("Maps", "Beside weighted least squares", "Patlak plot", "Residual of each frame",
                  "Input function", "Regions", "t* = "):  # fmt: skip
        assert words in page
    assert page.count("data:image/png;base64,") == 4 and page.count("<svg") == 3
    rows = (tmp_path / "sub-01_model-Patlak_kinpar.tsv").read_text().splitlines()
    low = dict(zip(rows[0].split("\t"), rows[1].split("\t"), strict=True))
    ends = ("", "-sd", "-q05", "-q95", "-maps")
    assert list(low) == ["region", "volume_ml", *(name + e for name in ("Ki", "V0") for e in ends)]
    part = read(tmp_path, "Ki")[1:, :, :5]
    assert low["region"] == "low"
    assert float(low["Ki-maps"]) == pytest.approx(part.mean(), rel=1e-5)
    assert float(low["volume_ml"]) == pytest.approx(part.size * 0.064)
    true = truth()[0][1:, :, :5].mean()
    assert abs(float(low["Ki"]) - true) < 3.0 * float(low["Ki-sd"])
    assert "90 % interval" in page and "Ki of maps" in page
    fields = json.loads((tmp_path / "sub-01_model-Patlak_kinpar.json").read_text())
    assert fields["Ki-maps"]["Units"] == fields["Ki-q05"]["Units"] == "mL/cm3/min"
    run = json.loads((tmp_path / "sub-01_patlak_run.json").read_text())
    assert run["frames_used"] == list(range(15, 23)) and run["blocks_done"] == 2
    assert np.mean(run["frames"]["weight"]) == pytest.approx(1.0, rel=1e-4)
    assert run["suv"]["from"].startswith("dose") and run["found"]["fwhm"] > 0


def test_the_truth_comes_out(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    said = run_cli(*arguments(folder, tmp_path, "--method", "wls", "--quiet"))
    assert said == (0, "", "")
    Ki, V0 = truth()
    sd = read(tmp_path, "Ki", "std")[1:]
    z = (read(tmp_path, "Ki")[1:] - Ki[1:]) / sd
    assert abs(z.mean()) < 0.15 and 0.7 < z.std() < 1.3
    assert read(tmp_path, "V0")[1:].mean() == pytest.approx(V0[1:].mean(), rel=0.03)
    page = (tmp_path / "sub-01_patlak_report.html").read_text()
    assert "Beside weighted" not in page  # it is that itself


def test_draws(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    import zarr

    more = ("--method", "gibbs", "--samples", 3, "--set", "burn=1", "--anatomy", "body",
            "--save-draws", "--no-report", "--regions", folder / "labels.nii.gz")  # fmt: skip
    code, text, err = run_cli(*arguments(folder, tmp_path, *more))
    assert code == 0, err
    assert "prior-body3d-v" in text and "of a body: as said" in text
    group = zarr.open_group(str(tmp_path / "sub-01_model-Patlak_draws.zarr"), mode="r")
    draws, voxel = group["Ki"][...], group["voxel"][...]
    assert draws.shape == (1210, 3) and group["Ki"].attrs["Units"] == "mL/cm3/min"
    std = read(tmp_path, "Ki", "std")[tuple(voxel.T)]
    np.testing.assert_allclose(draws.std(1, ddof=1), std, rtol=1e-3, atol=1e-8)
    lines = (tmp_path / "sub-01_model-Patlak_kinpar.tsv").read_text().splitlines()
    row = dict(zip(lines[0].split("\t"), lines[1].split("\t"), strict=True))
    of_region = draws[voxel[:, 2] < 5].mean()
    assert float(row["Ki-maps"]) == pytest.approx(of_region, rel=1e-3)
    assert float(row["Ki-q05"]) < float(row["Ki"]) < float(row["Ki-q95"])  # not of the draws


def test_relative_with_blood_that_begins_late(
    run_cli: RunCli, folder: Path, tmp_path: Path
) -> None:
    lines = (folder / "sub-01_blood.tsv").read_text().splitlines()
    late = [line for line in lines[1:] if float(line.split("\t")[0]) >= 1000]
    for name, text in (("tsv", "\n".join([lines[0], *late]) + "\n"),
                       ("json", (folder / "sub-01_blood.json").read_text())):  # fmt: skip
        (tmp_path / f"late_blood.{name}").write_text(text)
    source, out = folder / "sub-01_pet.nii.gz", tmp_path / "out"
    call = ("patlak", source, "--blood", tmp_path / "late_blood.tsv", "-o", out,
            "--method", "wls", "--t-star", 1200, "--quiet")  # fmt: skip
    code, _, err = run_cli(*call)
    assert code == 2 and "highest in its first sample" in err
    code, _, err = run_cli(*call, "--relative")
    assert (code, err) == (0, "")
    slope = read(out, "Kirel")[1:] / truth()[0][1:]
    assert np.median(slope) > 1.2
    fields = json.loads((out / "sub-01_model-Patlak_meas-Kirel_stat-mean_mimap.json").read_text())
    assert fields["Units"] == "relative"
    run = json.loads((out / "sub-01_patlak_run.json").read_text())
    assert run["relative"]["alpha"] > 0
    assert "the blood begins at 1020 s" in run["checks"]


def test_bed_times(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    beds, passes = [(0, 4), (5, 10)], 6
    rows = [
        (first, last, p, 800.0 + 400 * p + 200 * b, 180.0)
        for p in range(1, passes + 1)
        for b, (first, last) in enumerate(beds)
    ]
    columns = [np.array(c) for c in zip(*rows, strict=True)]
    times = BedTimes.of_rows(*columns, shape=(passes, SHAPE[2]), where="test")
    fields = {"TracerName": "FDG", "AcquisitionMode": "step-and-shoot"}
    image = bed_scan(truth(), times, tracer=Tracer.of("F18", name="FDG"), metadata=fields)
    write_image(tmp_path / "sub-01_pet.nii.gz", image)
    call = ("patlak", tmp_path / "sub-01_pet.nii.gz", "--blood", folder / "sub-01_blood.tsv",
            "-o", tmp_path / "out", "--method", "wls", "--t-star", 1200, "--no-report")  # fmt: skip
    code, _, err = run_cli(*call)
    assert code == 2 and "--bed-times FILE" in err and err.count("\n") == 1
    head = "slice_first\tslice_last\tpass\tstart\tduration"
    table = tmp_path / "beds.tsv"
    table.write_text("\n".join([head, *("\t".join(map(str, row)) for row in rows)]) + "\n")
    code, text, err = run_cli(*call, "--bed-times", table)
    assert code == 0, err
    assert "2 sets of times" in text
    np.testing.assert_allclose(read(tmp_path / "out", "Ki")[1:], truth()[0][1:], rtol=2e-3)


def test_zarr_gives_the_same(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    write_zarr_image(tmp_path / "sub-01_pet.zarr", make_scan())
    few = ("--method", "wls", "--no-report", "--quiet", "--mask", folder / "mask.nii.gz")
    one, other = tmp_path / "one", tmp_path / "other"
    assert run_cli(*arguments(folder, one, *few))[0] == 0
    samples = folder / "sub-01_blood.tsv"
    code, _, err = run_cli(
        "patlak", tmp_path / "sub-01_pet.zarr", "--blood", samples, "-o", other, "--t-star", 1200,
        *few,
    )  # fmt: skip
    assert (code, err) == (0, "")
    for name in ("Ki", "V0"):
        np.testing.assert_allclose(read(other, name), read(one, name), rtol=1e-5, atol=1e-8)
        assert np.count_nonzero(read(one, name)) <= 8 * 6 * 7


def test_an_input_from_the_image(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    Ki, V0 = truth()
    pool = np.zeros(SHAPE, np.uint8)
    pool[1, :3, :3] = 1
    Ki[pool > 0], V0[pool > 0] = 0.0, 1.0  # blood itself
    image = scan(np.stack([Ki, V0]), tracer=Tracer.of("F18", name="FDG"), metadata=FIELDS)
    write_image(tmp_path / "sub-01_pet.nii.gz", image)
    save_nifti(tmp_path / "pool.nii.gz", pool, image.affine)
    source, samples = tmp_path / "sub-01_pet.nii.gz", f"idif:{tmp_path / 'pool.nii.gz'}"
    call = ("patlak", source, "--blood", samples, "-o", tmp_path / "out", "--t-star", 1200,
            "--method", "wls", "--no-report")  # fmt: skip
    code, _, err = run_cli(*call)
    assert code == 2 and "no plasma" in err and err.count("\n") == 1
    code, text, err = run_cli(*call, "--plasma", "whole-blood")
    assert code == 0, err
    assert "image-derived: mean of 9 voxels" in text
    np.testing.assert_allclose(read(tmp_path / "out", "Ki")[2:], Ki[2:], rtol=0.02)


def test_resume_and_overwrite(run_cli: RunCli, folder: Path, tmp_path: Path) -> None:
    few = ("--method", "wls", "--no-report", "--quiet")
    assert run_cli(*arguments(folder, tmp_path, *few))[0] == 0
    before = tree(tmp_path)
    code, _, err = run_cli(*arguments(folder, tmp_path, *few))
    assert code == 2 and "--resume" in err and "--overwrite" in err and err.count("\n") == 1
    assert run_cli(*arguments(folder, tmp_path, *few, "--resume"))[0] == 0
    assert tree(tmp_path) == before
    for other in (("--delay", 5), ("--bf16",)):
        code, _, err = run_cli(*arguments(folder, tmp_path, *few, "--resume", *other))
        assert code == 2 and err.count("\n") == 1
    code, _, _ = run_cli(*arguments(folder, tmp_path, *few, "--overwrite", "--delay", 5))
    assert code == 0 and tree(tmp_path) != before


def test_a_run_that_was_stopped_does_not_read_the_frames_again(
    run_cli: RunCli, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("--method", "wls", "--no-report")
    from betaplus.patlak.linear import Wls

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Wls, "fit", stop)
        code, _, err = run_cli(*arguments(folder, tmp_path, *few))
    assert code == 130 and "--resume" in err
    assert not list(tmp_path.glob("*.nii.gz"))
    code, _, err = run_cli(*arguments(folder, tmp_path, *few, "--resume"))
    assert code == 0, err
    assert not (tmp_path / ".betaplus").exists()
    run = json.loads((tmp_path / "sub-01_patlak_run.json").read_text())
    assert (run["blocks_done"], run["blocks_resumed"]) == (2, 2)  # mean curve and sums


@pytest.mark.parametrize(
    ("method", "more", "options"),
    [
        ("tv", (), {}),
        ("hqs", ("--set", "steps=2"), {"settings": {"steps": 2}}),
        ("gibbs", ("--samples", 2, "--set", "burn=0"), {"samples": 2, "settings": {"burn": 0}}),
    ],
)
def test_python_gives_the_same(
    run_cli: RunCli, folder: Path, tmp_path: Path, method: str, more: tuple, options: dict
) -> None:
    import betaplus as bp

    few = ("--method", method, "--no-report", "--quiet", "--workers", 1, *more)
    code, _, err = run_cli(*arguments(folder, tmp_path, *few))
    assert code == 0, err
    found = bp.patlak.fit(
        bp.load(folder / "sub-01_pet.nii.gz"),
        bp.load_blood(folder / "sub-01_blood.tsv"),
        method=method,
        t_star=1200,
        workers=2,
        **options,
    )
    assert (found.Ki == read(tmp_path, "Ki")).all() and (read(tmp_path, "V0") == found.V0).all()
    assert (found.std is None) == (method != "gibbs") and "t* = 1320 s" in found.study.rule
    assert (found.prior is None) == (method == "tv")


@pytest.mark.slow
def test_a_simulated_body_needs_no_option(run_cli: RunCli, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    code, _, err = run_cli("simulate", "dynamic", "--anatomy", "body", "-o", data, "--quiet")
    assert code == 0, err
    (samples,) = data.glob("*_blood.tsv")
    code, text, err = run_cli("patlak", data / "sub-01_pet.nii.gz", "--blood", samples, "-o", out)
    assert code == 0, err
    assert "prior-body3d-v" in text and "not less than 26 cm" in text
    true = np.asarray(
        nibabel.load(data / "truth" / "sub-01_model-2TCM_meas-Ki_mimap.nii.gz").dataobj
    )
    found = read(out, "Ki")
    assert np.corrcoef(true.ravel(), found.ravel())[0, 1] > 0.8
    assert (out / "sub-01_model-Patlak_kinpar.tsv").exists()
