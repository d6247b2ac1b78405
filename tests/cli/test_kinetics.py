"""The kinetics verb: its files, their sidecars, and that the numbers in them are those of `fit`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import nibabel
import numpy as np
import pytest
import zarr
from tests.cli.conftest import RunCli
from tests.cli.study import AFFINE, Study

import betaplus as bp
from betaplus.io.tsv import column_numbers, read_table
from betaplus.io.voxels import load_mask
from betaplus.io.zarr_images import write_zarr_image

PARAMETERS = ("K1", "k2", "k3", "k4", "VB", "Ki", "VT", "BPND")
STATISTICS = ("mean", "std", "median", "q05", "q95")
TINY = {"coarse": 64, "pilot": 64, "fine": 64, "largest": 64, "least_ess": 0}


def read_map(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def read_record(study: Study) -> dict:
    return json.loads((study.out / "sub-01_kinetics_run.json").read_text())


def test_image_outputs_are_those_of_the_contract(study: Study, run_cli: RunCli) -> None:
    code, _, err = run_cli(*study.arguments("--mask", study.mask, "--report"))
    assert (code, err) == (0, "")
    maps = {f"meas-{p}_stat-{s}" for p in PARAMETERS for s in STATISTICS}
    maps |= {"meas-status", "meas-ess", "meas-chi2"}
    expected = {f"sub-01_model-2TCM_{m}_mimap{e}" for m in maps for e in (".nii.gz", ".json")}
    expected |= {"sub-01_kinetics_report.html", "sub-01_kinetics_run.json"}
    expected |= {"dataset_description.json", ".bidsignore"}
    assert {path.name for path in study.out.iterdir()} == expected

    mask = read_map(study.mask) > 0
    for name in maps:
        image = nibabel.load(study.out / f"sub-01_model-2TCM_{name}_mimap.nii.gz")
        assert image.get_data_dtype() == np.float32
        np.testing.assert_array_equal(image.affine, AFFINE)
        assert (read_map(study.out / f"sub-01_model-2TCM_{name}_mimap.nii.gz")[~mask] == 0).all()
    sidecar = json.loads((study.out / "sub-01_model-2TCM_meas-Ki_stat-mean_mimap.json").read_text())
    assert sidecar["Units"] == "mL/cm3/min"
    assert sidecar["Sources"] == ["sub-01_pet.nii.gz"]
    assert sidecar["TracerRadionuclide"] == "F18"
    assert sidecar["betaplus"]["method_settings"]["fine"] == 64
    assert "FrameDuration" not in sidecar
    description = json.loads((study.out / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "betaplus"
    page = (study.out / "sub-01_kinetics_report.html").read_text()
    assert "mean of the mask" in page and "http://" not in page.replace("http://www.w3.org", "")


def test_image_maps_are_those_of_fit(study: Study, run_cli: RunCli) -> None:
    assert run_cli(*study.arguments("--mask", study.mask))[0] == 0
    image = bp.load(study.pet)
    posterior = bp.kinetics.fit(
        image,
        bp.load_blood(study.blood),
        mask=load_mask(study.mask, image),
        delay=0.0,
        settings=TINY,
        engine="inline",
    )
    for name in PARAMETERS:
        marginal = posterior[name]
        for stat, values in {
            "mean": marginal.mean,
            "std": marginal.std,
            "median": marginal.quantiles[0.5],
            "q05": marginal.quantiles[0.05],
            "q95": marginal.quantiles[0.95],
        }.items():
            path = study.out / f"sub-01_model-2TCM_meas-{name}_stat-{stat}_mimap.nii.gz"
            np.testing.assert_array_equal(read_map(path), values)
    for name in ("status", "ess", "chi2"):
        path = study.out / f"sub-01_model-2TCM_meas-{name}_mimap.nii.gz"
        np.testing.assert_array_equal(read_map(path), posterior.diagnostics[name])


def test_record_says_what_was_done(study: Study, run_cli: RunCli) -> None:
    assert run_cli(*study.arguments("--seed", "4", "--workers", "2"))[0] == 0
    record = read_record(study)
    assert record["command"].startswith("betaplus kinetics ") and "--seed 4" in record["command"]
    assert record["seed"] == 4 and record["delay"] == 0.0
    assert record["versions"]["betaplus"] == bp.__version__
    assert {"read", "fit", "write", "total"} <= set(record["timings_s"])
    assert record["peak_memory_bytes"]["process"] > 50e6
    assert record["blocks_done"] == 1 and record["blocks_resumed"] == 0
    assert record["fitted"] == 150
    codes = read_map(study.out / "sub-01_model-2TCM_meas-status_mimap.nii.gz")
    named = {"outside": 0, "ok": 1, "re-weighted": 2, "refined": 3, "misfit": 4}
    assert record["status"] == {n: int((codes == c).sum()) for n, c in named.items()}
    assert len(record["key"]) == 64


def test_delay_of_an_image_is_fitted_once(study: Study, run_cli: RunCli) -> None:
    assert run_cli(*study.arguments("--delay", "fit"))[0] == 0
    record = read_record(study)
    assert abs(record["delay"]) < 10  # the curves were made without any
    assert record["settings"]["delay_from"] == "mean curve of the mask"


def test_regions_of_an_image_become_a_table(study: Study, run_cli: RunCli) -> None:
    assert run_cli(*study.arguments("--regions", study.labels))[0] == 0
    table = read_table(study.out / "sub-01_model-2TCM_kinpar.tsv")
    assert table["region"] == ["front", "back"]
    assert read_record(study)["settings"]["delay"] == 0.0


def test_labels_beside_the_image_are_found(study: Study, run_cli: RunCli) -> None:
    study.labels.rename(study.folder / "sub-01_dseg.nii.gz")
    (study.folder / "labels.tsv").rename(study.folder / "sub-01_dseg.tsv")
    assert run_cli(*study.arguments("--mask", study.mask))[0] == 0
    table = read_table(study.out / "sub-01_model-2TCM_kinpar.tsv")
    assert table["region"] == ["front", "back"]


def test_zero_voxels_of_a_mask_are_left_out(study: Study, run_cli: RunCli) -> None:
    values = read_map(study.mask)
    values[-1, -1, -1] = 1  # air
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), study.mask)
    code, text, _ = run_cli(*[a for a in study.arguments("--mask", study.mask) if a != "--quiet"])
    assert code == 0 and "1 voxels of the mask are zero in all frames" in text
    assert read_record(study)["fitted"] == 40


def test_curves_outputs_are_those_of_the_contract(study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    code, text, err = run_cli(
        *[a for a in study.arguments("--samples", "20", "--save-draws") if a != "--quiet"]
    )
    assert code == 0, err
    assert "3 curves in" in text
    names = {path.name for path in study.out.iterdir()}
    assert names == {
        "sub-01_model-2TCM_kinpar.tsv",
        "sub-01_model-2TCM_kinpar.json",
        "sub-01_model-2TCM_draws.zarr",
        "sub-01_kinetics_run.json",
        "dataset_description.json",
        ".bidsignore",
    }
    path = study.out / "sub-01_model-2TCM_kinpar.tsv"
    table = read_table(path)
    columns = [f"{p}{e}" for p in PARAMETERS for e in ("", "-sd", "-median", "-q05", "-q95")]
    assert list(table) == ["region", *columns, "ess", "chi2", "status", "noise", "evidence"]
    assert table["region"] == ["left", "right", "middle"]
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert sidecar["K1-q05"]["Units"] == "mL/cm3/min" and sidecar["k2"]["Units"] == "1/min"
    assert sidecar["status"]["Levels"]["4"] == "misfit"

    posterior = bp.kinetics.fit(
        bp.load(study.tacs),
        bp.load_blood(study.blood),
        delay=0.0,
        samples=20,
        settings=TINY,
        engine="inline",
    )
    for name in PARAMETERS:
        found = column_numbers(table[f"{name}-median"], name, path.name)
        np.testing.assert_array_equal(found, posterior[name].median.astype(np.float64))
    group = zarr.open_group(study.out / "sub-01_model-2TCM_draws.zarr", mode="r")
    assert group.attrs["regions"] == ["left", "right", "middle"]
    for name in PARAMETERS:
        assert group[name].shape == (3, 20)
        np.testing.assert_array_equal(group[name][...], posterior[name].samples)


def test_a_fitted_delay_is_a_column(study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    assert run_cli(*study.arguments("--delay", "fit"))[0] == 0
    table = read_table(study.out / "sub-01_model-2TCM_kinpar.tsv")
    assert {"delay", "delay-sd", "delay-q95"} <= set(table)


def test_draws_of_voxels_say_where_they_are(study: Study, run_cli: RunCli) -> None:
    options = ("--mask", study.mask, "--samples", "8", "--save-draws")
    assert run_cli(*study.arguments(*options))[0] == 0
    group = zarr.open_group(study.out / "sub-01_model-2TCM_draws.zarr", mode="r")
    np.testing.assert_array_equal(group["voxel"][...], np.argwhere(read_map(study.mask)))
    assert group["K1"].shape == (40, 8)
    low = read_map(study.out / "sub-01_model-2TCM_meas-K1_stat-q05_mimap.nii.gz")
    high = read_map(study.out / "sub-01_model-2TCM_meas-K1_stat-q95_mimap.nii.gz")
    at = tuple(group["voxel"][...].T)
    inside = (group["K1"][...] >= low[at][:, None]) & (group["K1"][...] <= high[at][:, None])
    assert 0.8 < inside.mean() < 0.98  # draws belong to their own voxels


def test_settings_come_from_a_file_and_the_command_line(study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    (study.folder / "config.toml").write_text("fine = 128\ncomponents = 3\n")
    options = ("--config", study.folder / "config.toml", "--set", "components=2")
    assert run_cli(*study.arguments(*options))[0] == 0
    used = read_record(study)["settings"]["method_settings"]
    assert used["components"] == 2 and used["fine"] == 64  # --set of the command overrules


@pytest.mark.parametrize(
    ("noise", "found"), [("estimate", "estimate"), ("4.5", 4.5), ("sd.tsv", "standard deviations")]
)
def test_noise_options(noise: str, found: object, study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    if noise.endswith(".tsv"):
        (study.folder / noise).write_text("\n".join(["sd", *["300"] * 26]) + "\n")
        noise = str(study.folder / noise)
    assert run_cli(*study.arguments("--noise", noise))[0] == 0
    used = read_record(study)["settings"]["noise"]
    assert used == found or str(found) in str(used)


def test_a_prior_from_a_file(study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    prior = study.folder / "narrow.toml"
    prior.write_text('VB = {dist = "uniform", low = 0.04, high = 0.06}\n')
    assert run_cli(*study.arguments("--prior", prior))[0] == 0
    table = read_table(study.out / "sub-01_model-2TCM_kinpar.tsv")
    for value in (*table["VB"], *table["VB-q05"], *table["VB-q95"]):
        assert 0.04 - 1e-6 <= float(value) <= 0.06 + 1e-6


@pytest.mark.parametrize(("model", "macro"), [("1TCM", {"VT"}), ("2TCM3k", {"Ki"})])
def test_smaller_models_have_their_own_maps(
    model: str, macro: set[str], study: Study, run_cli: RunCli
) -> None:
    assert run_cli(*study.arguments("--model", model, "--mask", study.mask))[0] == 0
    found = {p.name.split("_meas-")[1].split("_")[0] for p in study.out.glob("*_stat-mean_*")}
    rates = {"1TCM": {"k2"}, "2TCM3k": {"k2", "k3"}}[model]
    assert found == {"K1", "VB"} | rates | macro


def test_nlls_writes_the_same_files(study: Study, run_cli: RunCli) -> None:
    cheap = [a for a in study.arguments()]
    at = cheap.index("--set")
    without = [*cheap[:at], "--delay", "0", "--method", "nlls", "--mask", study.mask]
    assert run_cli(*without)[0] == 0
    names = {p.name for p in study.out.glob("*_mimap.nii.gz")}
    assert len(names) == len(PARAMETERS) * len(STATISTICS) + 3


@pytest.mark.parametrize(
    ("unit", "blood", "words"),
    [("kBq/mL", "Bq/mL", "mL/cm3/min"), ("Bq/mL", "kBq/mL", "of the blood of its time")],
)
def test_units_out_of_proportion_are_refused(
    unit: str, blood: str, words: str, study: Study, run_cli: RunCli
) -> None:
    study.edit_json(study.pet_json, Units=unit)
    fields = study.fields(study.blood_json)
    for name in ("plasma_radioactivity", "whole_blood_radioactivity"):
        fields[name] = {**fields[name], "Units": blood}
    study.edit_json(study.blood_json, **fields)
    code, text, err = run_cli(*study.arguments())
    assert (code, text, err.count("\n")) == (2, "", 1), err
    assert words in err and f"--unit {unit} and --blood-unit {blood}" in err
    assert not study.out.exists()
    insisting = study.arguments("--unit", unit, "--blood-unit", blood)
    assert run_cli(*insisting)[0] == 0
    (remark,) = [t for t in read_record(study)["checks"] if "check the units" in t]
    assert words in remark


def test_two_blood_files_are_merged(study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    rows = study.blood.read_text().splitlines()
    plain = [r.split("\t") for r in rows]
    whole = plain[0].index("whole_blood_radioactivity")
    auto = study.folder / "sub-01_recording-auto_blood.tsv"
    auto.write_text("\n".join("\t".join((r[0], r[whole])) for r in plain) + "\n")
    fields = study.fields(study.blood_json)
    auto.with_suffix(".json").write_text(json.dumps(fields))
    manual = ["\t".join(v for i, v in enumerate(r) if i != whole) for r in plain]
    study.blood.write_text("\n".join(manual) + "\n")
    code, text, err = run_cli(*[a for a in study.arguments("--blood", auto) if a != "--quiet"])
    assert code == 0, err
    assert "blood merged from sub-01_blood.tsv, sub-01_recording-auto_blood.tsv" in text


def test_progress_is_plain_lines_off_a_terminal(study: Study, run_cli: RunCli) -> None:
    arguments = [a for a in study.arguments("--delay", "fit") if a != "--quiet"]
    code, text, err = run_cli(*arguments)
    assert code == 0
    assert "from the mean curve" in err and "\r" not in err and "\x1b" not in err + text
    assert math.isclose(len(err.splitlines()), 1, abs_tol=4)


def test_a_zarr_store_gives_the_same_numbers(study: Study, run_cli: RunCli) -> None:
    """Maps, region table and report curves must not depend on the kind of file, to the last bit."""
    study.labels.rename(study.folder / "sub-01_dseg.nii.gz")
    (study.folder / "labels.tsv").rename(study.folder / "sub-01_dseg.tsv")
    options = ("--mask", study.mask, "--delay", "fit")
    assert run_cli(*study.arguments(*options))[0] == 0
    nifti = {path.name: path for path in study.out.iterdir()}
    study.out = study.folder.parent / "out-zarr"
    study.source = study.folder / "sub-01_pet.zarr"
    write_zarr_image(study.source, bp.load(study.pet))
    study.pet.unlink()
    study.pet_json.unlink()
    assert run_cli(*study.arguments(*options, "--max-memory", "2G", "--report")) == (0, "", "")
    found = {path.name for path in study.out.iterdir()}
    assert found == {*nifti, "sub-01_kinetics_report.html"}
    for name, path in nifti.items():
        if name.endswith(".nii.gz"):
            one, other = nibabel.load(path), nibabel.load(study.out / name)
            np.testing.assert_array_equal(np.asarray(one.dataobj), np.asarray(other.dataobj))
            np.testing.assert_array_equal(one.affine, other.affine)
    table = "sub-01_model-2TCM_kinpar.tsv"
    assert (study.out / table).read_bytes() == nifti[table].read_bytes()
    assert read_record(study)["delay"] != 0.0
    sidecar = json.loads((study.out / "sub-01_model-2TCM_meas-Ki_stat-mean_mimap.json").read_text())
    assert sidecar["Sources"] == ["sub-01_pet.zarr"] and "FrameDuration" not in sidecar


def test_a_zarr_store_without_labels_or_mask(study: Study, run_cli: RunCli) -> None:
    study.source = study.folder / "sub-01_pet.zarr"
    write_zarr_image(study.source, bp.load(study.pet))
    assert run_cli(*study.arguments()) == (0, "", "")
    assert read_record(study)["fitted"] == 150
    key = read_record(study)["key"]
    assert run_cli(*study.arguments("--resume"))[0] == 0
    chunk = next(path for path in study.source.rglob("*") if path.is_file() and path.name == "0")
    chunk.write_bytes(chunk.read_bytes()[:-1])
    code, _, err = run_cli(*study.arguments("--overwrite"))
    assert code == 2 and err.count("\n") == 1 and "sub-01_pet.zarr is damaged" in err
    assert read_record(study)["key"] == key  # what was there is as it was
