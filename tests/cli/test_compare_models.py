"""``--compare-models`` and ``--share``: their files, numbers and refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import nibabel
import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.study import CHEAP, Study, tree

import betaplus as bp
from betaplus.io.tsv import column_numbers, read_table
from betaplus.io.voxels import load_mask
from betaplus.kinetics.compare import COMPARED, compare
from betaplus.kinetics.shared import fit_shared

TINY = {"coarse": 64, "pilot": 64, "fine": 64, "largest": 64, "least_ess": 0}
PARTS = ("logevidence", "probability", "probability-wide", "aic", "bic")


def numbers(table, name):
    return column_numbers(table[name], name, "the table")


def test_a_table_of_curves(study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    code, _, err = run_cli(*study.arguments("--compare-models", "--report"))
    assert (code, err) == (0, "")
    path = study.out / "sub-01_desc-models_kinpar.tsv"
    table = read_table(path)
    columns = [f"{model}-{part}" for model in COMPARED for part in PARTS]
    assert list(table) == ["region", *columns, "chosen"]
    assert table["region"] == ["left", "right", "middle"]
    blood = bp.load_blood(study.blood)
    want = compare(bp.load(study.tacs), blood, delay=0.0, settings=TINY, engine="inline")
    for i, model in enumerate(COMPARED):
        for part, values in zip(
            PARTS,
            (want.log_evidence, want.probability, want.sensitivity, want.aic, want.bic),
            strict=True,
        ):
            np.testing.assert_array_equal(numbers(table, f"{model}-{part}"), values[:, i])
    assert table["chosen"] == want.chosen.tolist()
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert sidecar["2TCM-logevidence"]["Units"] == "log of (Bq/mL)^-T"
    assert sidecar["betaplus"]["wider"]["factor"] == 1.5
    record = json.loads((study.out / "sub-01_kinetics_run.json").read_text())
    assert path.name in record["outputs"] and "models" in record["timings_s"]
    assert read_table(study.out / "sub-01_model-2TCM_kinpar.tsv")["region"] == table["region"]
    page = (study.out / "sub-01_kinetics_report.html").read_text()
    assert "Which model" in page and "width of the prior" in page


def test_an_image(study: Study, run_cli: RunCli) -> None:
    options = ("--mask", study.mask, "--regions", study.labels, "--compare-models", "--report")
    code, _, err = run_cli(*study.arguments(*options))
    assert (code, err) == (0, "")
    image = bp.load(study.pet)
    mask = load_mask(study.mask, image)
    want = compare(
        image,
        bp.load_blood(study.blood),
        mask=mask,
        delay=0.0,
        settings=TINY,
        engine="inline",
    )
    for i, model in enumerate(COMPARED):
        for meas, values in (
            ("probability", want.probability),
            ("probabilitywide", want.sensitivity),
        ):
            path = study.out / f"sub-01_model-{model}_meas-{meas}_mimap.nii.gz"
            found = np.asarray(nibabel.load(path).dataobj)
            np.testing.assert_array_equal(found, values[..., i].astype(np.float32))
    table = read_table(study.out / "sub-01_desc-models_kinpar.tsv")
    assert table["region"] == ["front", "back"]
    sums = sum(numbers(table, f"{model}-probability") for model in COMPARED)
    np.testing.assert_allclose(sums, 1.0)
    page = (study.out / "sub-01_kinetics_report.html").read_text()
    assert "Most probable model of each voxel" in page


def test_resume_depends_on_the_comparison(study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    assert run_cli(*study.arguments())[0] == 0
    code, _, err = run_cli(*study.arguments("--compare-models", "--resume"))
    assert code == 2 and "not from a run with these inputs" in err


def test_a_shared_parameter(study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    options = ("--share", "k4", "--samples", "20", "--save-draws", "--report", "--noise", "20")
    code, _, err = run_cli(*study.arguments(*options))
    assert (code, err) == (0, "")
    table = read_table(study.out / "sub-01_model-2TCM_kinpar.tsv")
    want = fit_shared(
        bp.load(study.tacs),
        bp.load_blood(study.blood),
        shared="k4",
        delay=0.0,
        noise=20.0,
        samples=20,
        settings=TINY,
        engine="inline",
    )
    for name in ("K1", "k4", "VT"):
        np.testing.assert_array_equal(numbers(table, name), want[name].mean)
        np.testing.assert_array_equal(numbers(table, f"{name}-sd"), want[name].std)
    assert len(set(table["k4"])) == len(set(table["k4-q95"])) == 1
    sidecar = json.loads((study.out / "sub-01_model-2TCM_kinpar.json").read_text())
    assert sidecar["betaplus"]["shared"]["parameter"] == "k4"
    record = json.loads((study.out / "sub-01_kinetics_run.json").read_text())
    assert record["settings"]["shared"]["mean"] == want.settings["shared"]["mean"]


def test_a_shared_delay_by_least_squares(study: Study, run_cli: RunCli) -> None:
    study.source = study.tacs
    plain = [*("kinetics", study.tacs, "--blood", study.blood, "-o", study.out), "--no-report"]
    options = ("--method", "nlls", "--model", "1TCM", "--share", "delay", "--quiet")
    assert run_cli(*plain, *options) == (0, "", "")
    table = read_table(study.out / "sub-01_model-1TCM_kinpar.tsv")
    assert len(set(table["delay"])) == 1
    record = json.loads((study.out / "sub-01_kinetics_run.json").read_text())
    assert record["delay"] == "shared by all regions"


Spoil = Callable[[Study], list[object]]
CASES: dict[str, tuple[Spoil, str]] = {
    "reference": (
        lambda s: [s.tacs, "--reference", "left", "--compare-models"],
        "--compare-models with --reference; expected it with --blood",
    ),
    "noise": (
        lambda s: [s.tacs, "--blood", s.blood, "--compare-models", "--noise", "estimate"],
        "a comparison of models with noise estimate; expected auto",
    ),
    "image": (
        lambda s: [s.pet, "--blood", s.blood, "--share", "VB"],
        "a shared VB with an image; expected a table of curves",
    ),
    "method": (
        lambda s: [s.tacs, "--blood", s.blood, "--share", "VB", "--method", "logan"],
        "a shared VB with model Logan and method logan; expected a compartment model",
    ),
    "unknown": (
        lambda s: [s.tacs, "--blood", s.blood, "--share", "Ki"],
        "Ki of model 2TCM cannot be shared; expected k2, k3, k4, VB, delay",
    ),
    "known delay": (
        lambda s: [s.tacs, "--blood", s.blood, "--share", "delay", "--delay", "4"],
        "a shared delay that is known already",
    ),
    "fixed": (lambda s: [s.tacs, "--blood", s.blood, "--share", "VB", *fixed(s)], "prior fixes"),
}


def fixed(s: Study) -> list[object]:
    path = s.folder / "prior.toml"
    path.write_text("VB = 0.05\n")
    return ["--prior", path]


@pytest.mark.parametrize("name", CASES)
def test_refusals(name: str, study: Study, run_cli: RunCli) -> None:
    spoil, words = CASES[name]
    arguments = spoil(study)
    fast = [] if {"--method", "--reference"} & {str(a) for a in arguments} else CHEAP[:10]
    before = tree(study.folder.parent)
    code, out, err = run_cli("kinetics", *arguments, *fast, "-o", study.out, "--no-report")
    assert code == 2, err
    assert err.startswith("betaplus: error: ") and err.count("\n") == 1 and out == ""
    assert re.search(words, err), err
    assert tree(study.folder.parent) == before
