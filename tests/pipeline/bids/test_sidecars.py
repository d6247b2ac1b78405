"""Fields by inheritance, and the files that belong to a scan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.io.jsons import read_json
from betaplus.pipeline.bids.names import parse_name
from betaplus.pipeline.bids.placeholders import filled
from betaplus.pipeline.bids.request import VERBS, BidsRequest
from betaplus.pipeline.bids.scan_files import gather
from betaplus.pipeline.bids.scans import Scan, find_scans
from betaplus.pipeline.bids.sidecars import Fields, inherited, with_owed
from betaplus.pipeline.bids.staging import stage


def write(root: Path, *names: str, **fields: object) -> None:
    """Write files: JSONs with fields, others empty."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(fields) if name.endswith(".json") else "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One participant with two tracers and two runs of one of them."""
    home = "sub-01/ses-a/pet"
    for name in ("trc-A_run-1", "trc-A_run-2", "trc-B"):
        write(tmp_path, f"{home}/sub-01_ses-a_{name}_pet.nii.gz")
    write(tmp_path, "dataset_description.json", Name="x", BIDSVersion="1.10.0")
    return tmp_path


def request(root: Path, **changes: object) -> BidsRequest:
    fields = {"bids_dir": root, "out": root / "out", "level": "participant", "verb": "kinetics"}
    return BidsRequest(**{**fields, **changes})  # type: ignore[arg-type]


def scans(root: Path, **changes: object) -> dict[str, Scan]:
    found = find_scans(request(root, **changes), VERBS[str(changes.get("verb", "kinetics"))])
    return {scan.stem: scan for scan in found}


def blood_names(root: Path, stem: str, verb: str = "kinetics", **changes: object) -> list[str]:
    scan = scans(root, verb=verb, **changes)[stem]
    files = gather(scan, request(root, verb=verb, **changes), VERBS[verb])
    return [blood.file.path.name.removeprefix("sub-01_ses-a_") for blood in files.blood]


@pytest.mark.parametrize(
    ("name", "entities", "suffix"),
    [
        ("sub-01_ses-a_pet.nii.gz", {"sub": "01", "ses": "a"}, "pet"),
        ("sub-01_desc-x_seg-gtm_tacs.tsv", {"sub": "01", "desc": "x", "seg": "gtm"}, "tacs"),
        ("pet.json", {}, "pet"),
        ("trc-FDG_pet.json", {"trc": "FDG"}, "pet"),
    ],
)
def test_names_are_read(name: str, entities: dict[str, str], suffix: str) -> None:
    file = parse_name(Path(name))
    assert file is not None and dict(file.entities) == entities and file.suffix == suffix


@pytest.mark.parametrize(
    "name",
    ["sub-01_sub-02_pet.json", "sub_pet.json", "dataset_description.json", "sub-0.1_pet.json", "x"],
)
def test_what_is_no_name_is_none(name: str) -> None:
    assert parse_name(Path(name)) is None


def test_nearer_and_more_particular_fields_overrule(root: Path) -> None:
    """The worked example of BIDS's inheritance principle, for PET."""
    home = root / "sub-01" / "ses-a" / "pet"
    write(root, "pet.json", Units="Bq/mL", TracerName="none", BodyPart="BRAIN", A=0)
    write(root, "trc-A_pet.json", TracerName="A", A=1)
    write(root, "trc-B_pet.json", TracerName="B")
    write(root, "sub-01/sub-01_pet.json", A=2)
    write(root, "sub-01/ses-a/pet/sub-01_ses-a_trc-A_run-1_pet.json", A=3)
    write(root, "sub-01/ses-a/pet/sub-01_ses-a_trc-A_run-1_blood.json", A=4)

    def fields(**entities: str) -> Fields:
        return inherited(root, home, {"sub": "01", "ses": "a", **entities}, "pet")

    first = fields(trc="A", run="1")
    assert first.values == {"Units": "Bq/mL", "TracerName": "A", "BodyPart": "BRAIN", "A": 3}
    assert [path.name for path in first.files] == [
        "pet.json",
        "trc-A_pet.json",
        "sub-01_pet.json",
        "sub-01_ses-a_trc-A_run-1_pet.json",
    ]
    assert fields(trc="A", run="2").values["A"] == 2
    assert fields(trc="B").values["TracerName"] == "B" and fields(trc="B").values["A"] == 2


def test_two_that_apply_alike_are_refused(root: Path) -> None:
    write(root, "trc-A_pet.json", "run-1_pet.json", A=1)
    with pytest.raises(InputError, match="apply to the same file"):
        inherited(root, root, {"sub": "01", "trc": "A", "run": "1"}, "pet")


def test_a_derivative_takes_times_but_no_unit_from_its_scan(tmp_path: Path) -> None:
    scan = Fields({"Units": "Bq/mL", "InjectionStart": 5.0, "TracerRadionuclide": "C11"})
    own = Fields({"TracerRadionuclide": "F18"})
    fields, taken = with_owed(own, scan)
    assert fields.values == {"InjectionStart": 5.0, "TracerRadionuclide": "F18"}
    assert taken == ("InjectionStart",)


def test_blood_is_that_of_the_scan(root: Path) -> None:
    home = "sub-01/ses-a/pet/sub-01_ses-a"
    write(root, f"{home}_trc-A_recording-manual_blood.tsv")
    write(root, f"{home}_trc-A_recording-autosampler_blood.tsv")
    write(root, f"{home}_trc-A_run-2_recording-manual_blood.tsv")
    write(root, f"{home}_trc-B_recording-manual_blood.tsv")
    auto, manual = "trc-A_recording-autosampler_blood.tsv", "trc-A_recording-manual_blood.tsv"
    assert blood_names(root, "sub-01_ses-a_trc-A_run-1") == [auto, manual]
    second = [auto, "trc-A_run-2_recording-manual_blood.tsv"]
    assert blood_names(root, "sub-01_ses-a_trc-A_run-2") == second
    assert blood_names(root, "sub-01_ses-a_trc-B") == ["trc-B_recording-manual_blood.tsv"]


def test_an_input_function_of_a_derivative_comes_first(root: Path) -> None:
    home = "sub-01/ses-a/pet/sub-01_ses-a"
    write(root, f"{home}_trc-B_recording-manual_blood.tsv")
    write(root / "bloodstream", f"{home}_trc-B_desc-bloodstream_inputfunction.tsv")
    assert blood_names(root, "sub-01_ses-a_trc-B", derivatives=(root / "bloodstream",)) == [
        "trc-B_desc-bloodstream_inputfunction.tsv"
    ]


def test_two_tracers_each_have_their_blood(root: Path, tmp_path: Path) -> None:
    home = "sub-01/ses-a/pet/sub-01_ses-a"
    write(root, f"{home}_pet.nii.gz", f"{home}_trc-X_blood.tsv", f"{home}_trc-Y_blood.tsv")
    asked = request(root, verb="separate")
    scan = scans(root, verb="separate")["sub-01_ses-a"]
    options = {"tracers": "Y,X:C11", "blood_a": None, "blood_b": None, "regions": None}
    staged = stage(scan, asked, VERBS["separate"], options, tmp_path / "in")
    names = [Path(staged.options[f"blood_{part}"][0]).name for part in "ab"]
    assert names == ["sub-01_ses-a_trc-Y_blood.tsv", "sub-01_ses-a_trc-X_blood.tsv"]


def test_a_label_image_of_another_space_is_left_alone(root: Path) -> None:
    home = "sub-01/ses-a/pet/sub-01_ses-a"
    other = root / "other"
    write(other, f"{home}_space-T1w_dseg.nii.gz", f"{home}_seg-gtm_dseg.nii.gz")
    scan = scans(root, derivatives=(other,))["sub-01_ses-a_trc-B"]
    files = gather(scan, request(root, derivatives=(other,)), VERBS["kinetics"])
    assert [path.name for path in files.labels] == ["sub-01_ses-a_seg-gtm_dseg.nii.gz"]
    write(other, f"{home}_seg-aparc_dseg.nii.gz")
    options = {"blood": ["x"], "reference": None, "regions": None}
    asked = request(root, derivatives=(other,))
    with pytest.raises(InputError, match="both label images"):
        stage(scan, asked, VERBS["kinetics"], options, root / "in")
    named = {**options, "regions": Path("mine.nii.gz")}
    staged = stage(scan, asked, VERBS["kinetics"], named, root / "in2")
    assert staged.options["regions"] == Path("mine.nii.gz")


def test_a_staged_sidecar_holds_all_fields(root: Path) -> None:
    write(root, "trc-B_pet.json", Units="kBq/mL")
    write(root, "sub-01/ses-a/pet/sub-01_ses-a_trc-B_pet.json", InjectionStart=3)
    scan = scans(root)["sub-01_ses-a_trc-B"]
    options = {"blood": ["x"], "reference": None, "regions": None, "mask": Path("{sub}_{trc}.nii")}
    staged = stage(scan, request(root), VERBS["kinetics"], options, root / "in")
    beside = staged.source.with_name("sub-01_ses-a_trc-B_pet.json")
    assert read_json(beside) == {"Units": "kBq/mL", "InjectionStart": 3}
    assert staged.options["mask"] == Path("01_B.nii") and staged.options["blood"] == ["x"]


def test_filters_choose(root: Path) -> None:
    assert len(scans(root)) == 3
    assert list(scans(root, filters={"trc": ("B",)})) == ["sub-01_ses-a_trc-B"]
    assert len(scans(root, filters={"run": ("1", "2")})) == 2
    with pytest.raises(InputError, match="look at --run"):
        scans(root, filters={"run": ("3",)})
    with pytest.raises(UsageError, match="no session b"):
        scans(root, sessions=("b",))


def test_images_of_derivatives_are_asked_for_by_description(root: Path) -> None:
    home = "sub-01/ses-a/pet/sub-01_ses-a_trc-B"
    made = root / "made"
    write(made, f"{home}_desc-denoised_pet.nii.gz", f"{home}_desc-denoised_stat-std_pet.nii.gz")
    assert len(scans(root, derivatives=(made,))) == 3
    found = scans(root, derivatives=(made,), filters={"desc": ("denoised",)})
    assert list(found) == ["sub-01_ses-a_trc-B_desc-denoised"]


def test_two_files_with_outputs_of_one_name_are_refused(root: Path) -> None:
    write(root, "sub-01/ses-a/pet/sub-01_ses-a_trc-B_pet.nii")
    with pytest.raises(InputError, match="outputs of one name"):
        scans(root)


def test_a_file_in_anothers_folder_is_refused(root: Path) -> None:
    write(root, "sub-01/ses-a/pet/sub-02_ses-a_pet.nii.gz")
    scan = scans(root)["sub-02_ses-a"]
    with pytest.raises(InputError, match="lies in"):
        gather(scan, request(root), VERBS["kinetics"])


def test_placeholders_are_filled_in_lists_and_paths() -> None:
    entities = {"sub": "01", "ses": "a"}
    assert filled("idif:m/{sub}_{ses}.nii", entities, "s") == "idif:m/01_a.nii"
    assert filled([Path("{src}.nii"), 3, None], entities, "s") == [Path("s.nii"), 3, None]
    assert filled("{other} {sub}", entities, "s") == "{other} 01"
    with pytest.raises(InputError, match="has no run-"):
        filled("{run}", entities, "s")


def test_a_sidecar_that_leads_out_of_the_data_set_is_refused(tmp_path: Path) -> None:
    root, private = tmp_path / "data", tmp_path / "private.json"
    private.write_text('{"TracerName": "secret"}')
    write(root, "dataset_description.json", Name="x", BIDSVersion="1.10.0")
    folder = root / "sub-01" / "pet"
    folder.mkdir(parents=True)
    inside = root / ".git" / "annex" / "kept"
    inside.parent.mkdir(parents=True)
    inside.write_text('{"TracerName": "FDG"}')
    (folder / "sub-01_pet.json").symlink_to(inside)
    assert inherited(root, folder, {"sub": "01"}, "pet").values == {"TracerName": "FDG"}
    (root / "pet.json").symlink_to(private)
    with pytest.raises(InputError, match=r"pet\.json leads out of the data set") as error:
        inherited(root, folder, {"sub": "01"}, "pet")
    assert "secret" not in str(error.value)
