"""Help, version, info, doctor, simulate, and what becomes of defects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import RunCli
from tests.cli.study import Study

import betaplus

VERBS = (
    "kinetics",
    "simulate",
    "info",
    "doctor",
    "demo",
    "benchmark",
    "train",
    "evaluate",
    "reconstruct",
)


def test_help_names_every_verb(run_cli: RunCli) -> None:
    for arguments in ([], ["--help"]):
        code, out, err = run_cli(*arguments)
        assert code == 0 and err == ""
        assert all(f"  {verb} " in out for verb in VERBS)
        assert "..." not in out.split("Commands:")[1]  # no line is cut


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, run_cli: RunCli) -> None:
    code, out, err = run_cli(verb, "--help")
    assert code == 0 and err == "" and out.startswith(f"Usage: betaplus {verb}")


def test_version(run_cli: RunCli) -> None:
    assert run_cli("--version") == (0, f"betaplus {betaplus.__version__}\n", "")


def test_info_of_an_image(study: Study, run_cli: RunCli) -> None:
    code, out, err = run_cli("info", study.pet)
    assert code == 0 and err == ""
    lines = out.splitlines()
    assert lines[0].split() == ["file", "sub-01_pet.nii.gz"]
    assert any(line.split() == ["shape", *["8", "x", "7", "x", "5", "x", "26"]] for line in lines)
    assert any(line.split()[-2:] == ["2940", "s"] for line in lines)
    assert any("radionuclide" in line and line.endswith("F18") for line in lines)


def test_info_tells_every_problem_last(study: Study, run_cli: RunCli) -> None:
    study.edit_json(study.pet_json, Units="counts", TracerRadionuclide="X99")
    code, out, _ = run_cli("info", study.pet)
    assert code == 0  # what is wrong with the file is what was asked for
    blocks = out.split("\n\n")
    problems = blocks[-1].splitlines()
    assert problems[0].startswith("error ") and problems[-1].startswith("remark ")
    assert any("unit 'counts'" in line for line in problems)
    assert any("radionuclide 'X99'" in line for line in problems)


def test_info_as_json(study: Study, run_cli: RunCli) -> None:
    code, out, _ = run_cli("info", study.blood, "--json")
    about = json.loads(out)
    assert code == 0 and about["kind"] == "blood" and about["unit"] == "Bq/mL"


def test_info_of_curves_uses_options(study: Study, run_cli: RunCli) -> None:
    study.edit_json(study.tacs_json, Units=None)
    assert "Units is missing" in run_cli("info", study.tacs)[1]
    code, out, _ = run_cli("info", study.tacs, "--unit", "kBq/mL")
    assert code == 0 and "kBq/mL" in out and "Units is missing" not in out


def test_doctor_lists_what_is_here(run_cli: RunCli) -> None:
    code, out, err = run_cli("doctor")
    assert code == 0 and err == ""
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert rows["betaplus"] == betaplus.__version__
    assert {"numpy", "torch", "numba", "cuda", "cores", "[dask]", "[mcmc]", "weights"} <= set(rows)


def test_simulate_dynamic_feeds_info(tmp_path: Path, run_cli: RunCli) -> None:
    out = tmp_path / "sim"
    code, text, err = run_cli("simulate", "dynamic", "-o", out, "--quiet")
    assert (code, text, err) == (0, "", "")
    code, text, _ = run_cli("info", out / "sub-01_pet.nii.gz")
    assert code == 0 and "error" not in text


def test_a_defect_leaves_a_traceback_and_a_log(
    study: Study, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import betaplus.io.describe

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(betaplus.io.describe, "describe", fail)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    code, out, err = run_cli("info", study.pet)
    assert code == 1 and out == ""
    assert "Traceback" in err and "ZeroDivisionError: of ours" in err
    log = Path(err.splitlines()[-1].split("the log is ")[1])
    assert log.is_relative_to(tmp_path)
    content = log.read_text()
    assert "ZeroDivisionError: of ours" in content and f"betaplus info {study.pet}" in content


def test_an_interrupt_is_130(
    study: Study, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    import betaplus.io.describe

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(betaplus.io.describe, "describe", interrupt)
    assert run_cli("info", study.pet) == (130, "", "betaplus: interrupted\n")
