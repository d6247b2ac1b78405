"""`betaplus bids` from a data set to derivatives: names, values, failures, resume, the group."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import typer
from tests.cli.conftest import RunCli
from tests.cli.study import tree
from tests.pipeline.bids.data_set import PEOPLE, PET, SESSIONS, pet_folder, scan_stem
from tests.pipeline.bids.data_set import write_data_set as write

from betaplus.cli.bids_command import OWN
from betaplus.cli.main import app
from betaplus.io.jsons import read_json, write_json
from betaplus.io.tsv import column_numbers, read_table
from betaplus.pipeline.bids import VERBS

QUICK = ("--verb", "patlak", "--method", "wls", "--no-report", "--quiet")


@pytest.fixture(scope="session")
def template_data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set nobody changes."""
    return write(tmp_path_factory.mktemp("bids") / "raw")


@pytest.fixture
def data_set(template_data_set: Path, tmp_path: Path) -> Path:
    """A copy of the data set for one test."""
    return Path(shutil.copytree(template_data_set, tmp_path / "raw"))


@pytest.fixture(scope="module")
def finished(template_data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patlak maps of all scans, and the group's table and report."""
    from betaplus.cli.main import run

    out = tmp_path_factory.mktemp("done") / "out"
    regions = ("--derivatives", template_data_set / "derivatives" / "regions")
    for level in ("participant", "group"):
        options = [*QUICK, *regions] if level == "participant" else ["--verb", "patlak", "--quiet"]
        assert run([str(a) for a in ("bids", template_data_set, out, level, *options)]) == 0
    return out


def map_path(out: Path, subject: str, session: str, name: str = "Ki") -> Path:
    stem = f"{scan_stem(subject, session)}_model-Patlak_meas-{name}_stat-mean_mimap.nii.gz"
    return pet_folder(out, subject, session) / stem


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def test_every_scan_has_its_folder_and_nothing_is_left_over(finished: Path) -> None:
    for subject in PEOPLE:
        for session in SESSIONS:
            names = {path.name for path in pet_folder(finished, subject, session).iterdir()}
            stem = scan_stem(subject, session)
            assert f"{stem}_model-Patlak_meas-Ki_stat-mean_mimap.nii.gz" in names
            assert f"{stem}_model-Patlak_kinpar.tsv" in names
            assert f"{stem}_patlak_run.json" in names
            assert not names & {"dataset_description.json", ".bidsignore", ".betaplus"}
    assert not (finished / ".betaplus").exists()
    assert not [path for path in finished.rglob("*") if path.is_symlink()]


def test_values_are_those_of_the_verb_alone(
    run_cli: RunCli, template_data_set: Path, finished: Path, tmp_path: Path
) -> None:
    """The verb is given a sidecar that was put together by hand."""
    stem, folder = scan_stem("02", "later"), pet_folder(template_data_set, "02", "later")
    for path in folder.iterdir():
        shutil.copy(path, tmp_path / path.name)
    own = read_json(tmp_path / f"{stem}_pet.json")
    write_json(tmp_path / f"{stem}_pet.json", {**PET, **own})
    blood = tmp_path / f"{stem}_recording-manual_blood.tsv"
    given = ("--blood", blood, "--weight", PEOPLE["02"], "--method", "wls", "--no-report")
    image = tmp_path / f"{stem}_pet.nii.gz"
    code, _, err = run_cli("patlak", image, *given, "--quiet", "-o", tmp_path / "alone")
    assert (code, err) == (0, "")
    alone = voxels(tmp_path / "alone" / map_path(finished, "02", "later").name)
    np.testing.assert_array_equal(voxels(map_path(finished, "02", "later")), alone)
    assert alone.any()


def test_sidecars_say_where_files_come_from(finished: Path) -> None:
    fields = read_json(map_path(finished, "01", "base").with_suffix("").with_suffix(".json"))
    place = "sub-01/ses-base/pet"
    image = f"bids:raw:{place}/{scan_stem('01', 'base')}_pet.nii.gz"
    assert fields["Sources"] == [image] and fields["SkullStripped"] is False
    record = read_json(
        pet_folder(finished, "01", "base") / f"{scan_stem('01', 'base')}_patlak_run.json"
    )
    assert image in record["bids"]["sources"]
    assert any(source.endswith("_dseg.nii.gz") for source in record["bids"]["sources"])
    assert record["bids"]["inherited_from"] == ["bids:raw:trc-FDG_pet.json"]
    about = read_json(finished / "dataset_description.json")
    assert about["DatasetType"] == "derivative" and about["License"] == "CC0"
    assert about["GeneratedBy"][0]["Name"] == "betaplus"
    assert {"DOI": "doi:10.0000/simulated"}.items() <= about["SourceDatasets"][0].items()
    linked = (finished / about["DatasetLinks"]["raw"]).resolve()
    assert (linked / "participants.tsv").is_file()


def test_the_group_table_holds_what_the_scans_found(finished: Path) -> None:
    table = read_table(finished / "group_patlak.tsv")
    assert len(table["value"]) == 3 * 2 * 2 * 2  # participants, sessions, regions, Ki and V0
    rows = zip(table["scan"], table["region"], table["parameter"], table["value"], strict=True)
    held = {row[:3]: float(row[3]) for row in rows}
    for subject in PEOPLE:
        for session in SESSIONS:
            stem = scan_stem(subject, session)
            path = pet_folder(finished, subject, session) / f"{stem}_model-Patlak_kinpar.tsv"
            columns = read_table(path)
            for name in ("Ki", "V0"):
                numbers = column_numbers(columns[name], name, path.name)
                for region, value in zip(columns["region"], numbers, strict=True):
                    assert held[stem, region, name] == value
    assert set(table["participant_id"]) == {f"sub-{label}" for label in PEOPLE}
    assert set(table["unit"]) == {"mL/cm3/min", "mL/cm3"}


def test_methods_text_cites_the_method(finished: Path) -> None:
    text = (finished / "patlak_methods.md").read_text(encoding="utf-8")
    assert "6 PET scans of 3 participants" in text and "`wls`" in text
    assert "J Cereb Blood Flow Metab 1983, 3:1-7" in text and "Sci Data 2022, 9:65" in text


def test_one_that_fails_does_not_stop_the_others(
    run_cli: RunCli, data_set: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    blood = next(pet_folder(data_set, "02", "later").glob("*_blood.tsv"))
    text = blood.read_text()
    blood.unlink()
    code, _, err = run_cli("bids", data_set, out, "participant", *QUICK)
    assert code == 2 and err.count("\n") == 1
    assert "1 of 6 scans failed" in err and scan_stem("02", "later") in err and "no blood" in err
    assert scan_stem("01", "base") not in err and "--resume" in err
    assert not map_path(out, "02", "later").parent.exists() and not (out / ".betaplus").exists()
    assert len(list(out.rglob("*_patlak_run.json"))) == 5
    before = tree(out)
    code, _, err = run_cli("bids", data_set, out, "participant", *QUICK)
    assert code == 2 and "--resume" in err and "--overwrite" in err and tree(out) == before
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*_mimap.nii.gz")}
    blood.write_text(text)
    code, _, err = run_cli("bids", data_set, out, "participant", *QUICK, "--resume")
    assert (code, err) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in times} == times  # not done again
    assert len(list(out.rglob("*_patlak_run.json"))) == 6


def test_resume_with_other_settings_is_refused(
    run_cli: RunCli, finished: Path, template_data_set: Path
) -> None:
    before = tree(finished)
    other = ("--verb", "patlak", "--method", "ls", "--no-report", "--quiet")
    one = ("--participant-label", "01", "--session-label", "base", "--resume")
    code, _, err = run_cli("bids", template_data_set, finished, "participant", *other, *one)
    assert code == 2 and "not from a run with these inputs" in err and tree(finished) == before


def test_overwrite_makes_them_again(run_cli: RunCli, data_set: Path, tmp_path: Path) -> None:
    out, one = tmp_path / "out", ("--participant-label", "sub-01", "--session-label", "ses-base")
    assert run_cli("bids", data_set, out, "participant", *QUICK, *one)[0] == 0
    first = voxels(map_path(out, "01", "base"))
    again = ("--verb", "patlak", "--method", "ls", "--no-report", "--quiet", "--overwrite")
    assert run_cli("bids", data_set, out, "participant", *again, *one)[0] == 0
    assert (voxels(map_path(out, "01", "base")) != first).any()
    assert len(list(out.rglob("*_patlak_run.json"))) == 1


def test_work_that_was_stopped_while_moved_goes_on(
    run_cli: RunCli, data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import betaplus.pipeline.bids.workplace as workplace

    out, one = tmp_path / "out", ("--participant-label", "01", "--session-label", "base")
    moved, real = [], workplace.os.replace

    def stop(source: Path, target: Path) -> None:
        if ".betaplus" in str(source) and "ready" in str(source):
            moved.append(target)
            if len(moved) == 4:
                raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(workplace.os, "replace", stop)
        code, _, err = run_cli("bids", data_set, out, "participant", *QUICK, *one)
    assert code == 130 and "--resume" in err
    assert not list(pet_folder(out, "01", "base").glob("*_run.json"))  # written last
    (out / ".tmp-0-README.md").touch()
    os.utime(out / ".tmp-0-README.md", (0, 0))  # of a kill long ago
    (out / ".tmp-1-README.md").touch()  # of a job that may be at work
    code, _, err = run_cli("bids", data_set, out, "participant", *QUICK, *one, "--resume")
    assert (code, err) == (0, "")
    assert len(list(pet_folder(out, "01", "base").glob("*_run.json"))) == 1
    assert map_path(out, "01", "base").is_file() and not (out / ".betaplus").exists()
    assert [path.name for path in out.glob(".tmp-*")] == [".tmp-1-README.md"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("participant",), "no verb"),
        (("participant", "--verb", "fit"), "--verb is 'fit'"),
        (("subject", *QUICK), "level is 'subject'"),
        (("participant", *QUICK, "--participant-label", "07"), "no participant 07"),
        (("participant", *QUICK, "--session-label", "first"), "no session first"),
        (("participant", *QUICK, "--trc", "PIB"), "no PET image"),
        (("participant", *QUICK, "--curves"), "--curves with --verb patlak"),
        (("participant", *QUICK, "--desc", "denoised"), "--desc without --derivatives"),
        (("participant", *QUICK, "--resume", "--overwrite"), "exclude each other"),
        (("participant", *QUICK, "--derivatives", "nowhere"), "nowhere does not exist"),
        (("participant", "--verb", "reconstruct", "--quiet"), "no raw data"),
        (("participant", "--verb", "kinetics", "--curves", "--quiet"), "no curves"),
        (("participant", *QUICK, "--methods", "ls"), "No such option: --methods"),
        (("participant", *QUICK, "--mask", "m_{run}.nii.gz"), "has no run-"),
        (("participant", *QUICK, "--t-star", "late"), "6 of 6 scans failed"),
        (("group", "--verb", "patlak", "--quiet"), "no finished scan of patlak"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    run_cli: RunCli,
    template_data_set: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    code, _, err = run_cli("bids", template_data_set, tmp_path / "out", *arguments)
    assert code == 2 and err.count("\n") == 1 and err.startswith("betaplus: error: ")
    assert said in err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", [".", "derivatives", "sub-01", "results"])
def test_output_inside_the_data_set_is_refused(
    run_cli: RunCli, template_data_set: Path, place: str
) -> None:
    before = tree(template_data_set)
    code, _, err = run_cli(
        "bids", template_data_set, template_data_set / place, "participant", *QUICK
    )
    assert code == 2 and err.count("\n") == 1 and tree(template_data_set) == before


def test_output_among_the_derivatives_is_allowed(
    run_cli: RunCli, data_set: Path, tmp_path: Path
) -> None:
    out, one = data_set / "derivatives" / "betaplus", ("--participant-label", "01")
    assert run_cli("bids", data_set, out, "participant", *QUICK, *one)[0] == 0
    assert read_json(out / "dataset_description.json")["DatasetLinks"]["raw"] == "../.."


def test_a_raw_data_set_is_no_place_for_derivatives(
    run_cli: RunCli, template_data_set: Path, tmp_path: Path
) -> None:
    (tmp_path / "dataset_description.json").write_text(json.dumps({"DatasetType": "raw"}))
    code, _, err = run_cli("bids", template_data_set, tmp_path, "participant", *QUICK)
    assert code == 2 and "DatasetType is 'raw'" in err


def test_a_derivative_can_be_added_to_its_own_data_set(
    run_cli: RunCli, data_set: Path, tmp_path: Path
) -> None:
    out, one = tmp_path / "out", ("--participant-label", "01", "--session-label", "base")
    quick = ("--verb", "denoise", "--method", "gaussian", "--no-report", "--quiet")
    assert run_cli("bids", data_set, out, "participant", *quick, *one)[0] == 0
    chain = ("--derivatives", out, "--desc", "denoised")
    assert run_cli("bids", data_set, out, "participant", *QUICK, *one, *chain)[0] == 0
    about = read_json(out / "dataset_description.json")
    assert about["GeneratedBy"][0]["Description"] == "betaplus bids, denoise, patlak"
    assert list(about["DatasetLinks"]) == ["raw"] and len(about["SourceDatasets"]) == 1
    (path,) = out.rglob("*_desc-denoised_model-Patlak_meas-Ki_stat-mean_mimap.json")
    assert read_json(path)["Sources"][0].startswith("bids::sub-01/ses-base/pet/")


def test_what_is_made_is_kept_when_it_cannot_be_moved(
    run_cli: RunCli, data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import betaplus.pipeline.bids.workplace as workplace

    out, one = tmp_path / "out", ("--participant-label", "01", "--session-label", "base")
    real = workplace.os.replace

    def full(source: Path, target: Path) -> None:
        if "ready" in str(source):
            raise OSError(28, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(workplace.os, "replace", full)
        code, _, err = run_cli("bids", data_set, out, "participant", *QUICK, *one)
    assert code == 2 and "No space left" in err and err.count("\n") == 1
    code, _, err = run_cli("bids", data_set, out, "participant", *QUICK, *one)
    assert code == 2 and "--resume" in err
    code, text, err = run_cli("bids", data_set, out, "participant", *QUICK[:-1], *one, "--resume")
    assert (code, err) == (0, "") and "voxels" not in text  # moved, not computed again
    assert map_path(out, "01", "base").is_file() and not (out / ".betaplus").exists()


def test_a_description_that_is_no_json_is_found_first(
    run_cli: RunCli, data_set: Path, tmp_path: Path
) -> None:
    (data_set / "dataset_description.json").write_text("{")
    code, _, err = run_cli("bids", data_set, tmp_path / "out", "participant", *QUICK)
    assert code == 2 and "dataset_description.json is not valid JSON" in err
    assert not (tmp_path / "out").exists()


def test_dry_run_names_the_files_and_writes_nothing(
    run_cli: RunCli, template_data_set: Path, tmp_path: Path
) -> None:
    options = [a for a in QUICK if a != "--quiet"]
    labels = ("--participant-label", "01", "02", "--dry-run")
    code, text, _ = run_cli(
        "bids", template_data_set, tmp_path / "out", "participant", *options, *labels
    )
    assert code == 0 and not (tmp_path / "out").exists()
    lines = text.splitlines()
    assert len(lines) == 4 and "sub-03" not in text
    assert all("_recording-manual_blood.tsv" in line for line in lines)
    assert all("trc-FDG_pet.json" in line for line in lines)


def test_options_of_the_app_and_of_verbs_have_different_names() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    mine = commands["bids"]
    names = {p.name for p in mine._own()} - set(OWN)
    flags = {flag for p in mine._own() for flag in (*p.opts, *p.secondary_opts)}
    flags -= {"--resume", "--overwrite", "--quiet"}
    for verb in VERBS:
        params = [p for p in commands[verb].params if p.name not in OWN]
        assert not names & {p.name for p in params}
        assert not flags & {f for p in params for f in (*p.opts, *p.secondary_opts)}


def test_help_shows_the_options_of_the_verb(run_cli: RunCli) -> None:
    code, text, _ = run_cli("bids", "--verb", "patlak", "--help")
    assert code == 0 and "--t-star" in text and "--participant-label" in text
    code, text, _ = run_cli("bids", "--help")
    assert code == 0 and "--t-star" not in text
