"""Bad input ends with exit code 2, one line that names the trouble, and nothing written."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.study import FRAMES, Study, save_nifti, tree

import betaplus
from betaplus.io.tsv import column_numbers, read_table

Spoil = Callable[[Study], Any]
"""Spoil a study; the options returned are added to the command."""

BUNDLE = Path(betaplus.__file__).parent / "bundles" / "kinetics-published-v1"

CASES: dict[str, tuple[Spoil, str]] = {}


def case(words: str) -> Callable[[Spoil], Spoil]:
    """Register a way to spoil a study, and what the message must then say (a pattern)."""

    def register(spoil: Spoil) -> Spoil:
        CASES[spoil.__name__] = (spoil, words)
        return spoil

    return register


@case(r"sub-01_pet\.json.*expected.*FrameTimesStart|FrameTimesStart.*missing in sub-01_pet\.json")
def no_sidecar(s: Study) -> None:
    s.pet_json.unlink()


@case(r"Units is missing in sub-01_pet\.json.*--unit")
def no_units(s: Study) -> None:
    s.edit_json(s.pet_json, Units=None)


@case(r"unit 'counts'.*sub-01_pet\.json.*Bq/mL")
def unknown_unit(s: Study) -> None:
    s.edit_json(s.pet_json, Units="counts")


@case(r"sub-01_pet\.nii\.gz is in SUV")
def image_in_suv(s: Study) -> None:
    s.edit_json(s.pet_json, Units="SUV")


@case(r"radionuclide.*TracerRadionuclide.*--radionuclide")
def no_radionuclide(s: Study) -> None:
    s.edit_json(s.pet_json, TracerRadionuclide=None, RadionuclideHalfLife=None)


@case(r"radionuclide 'X99' in sub-01_pet\.json is unknown")
def unknown_radionuclide(s: Study) -> None:
    s.edit_json(s.pet_json, TracerRadionuclide="X99")


@case(r"RadionuclideHalfLife is 1223 s.*F18 has 6584")
def half_life_of_another_nuclide(s: Study) -> None:
    s.edit_json(s.pet_json, RadionuclideHalfLife=1223)


@case(r"ImageDecayCorrected is false but ImageDecayCorrectionTime is 0")
def contradictory_decay_correction(s: Study) -> None:
    s.edit_json(s.pet_json, ImageDecayCorrected=False)


@case(r"ImageDecayCorrectionTime is missing in sub-01_pet\.json")
def decay_correction_without_time(s: Study) -> None:
    s.edit_json(s.pet_json, ImageDecayCorrectionTime=None)


@case(r"FrameDuration missing in sub-01_pet\.json")
def no_frame_durations(s: Study) -> None:
    s.edit_json(s.pet_json, FrameDuration=None)


@case(r"25 values but the image has 26 frames")
def frame_count_mismatch(s: Study) -> None:
    fields = s.fields(s.pet_json)
    short = {name: fields[name][:-1] for name in ("FrameDuration", "FrameTimesStart")}
    s.edit_json(s.pet_json, **short)


@case(r"FrameDuration holds durations in seconds, not end times")
def durations_are_end_times(s: Study) -> None:
    s.edit_json(s.pet_json, FrameDuration=FRAMES.end.tolist())


@case(r"frame 3 lasts -10 s")
def negative_duration(s: Study) -> None:
    durations = FRAMES.duration.tolist()
    durations[2] = -10.0
    s.edit_json(s.pet_json, FrameDuration=durations)


@case(r"look like minutes")
def times_in_minutes(s: Study) -> None:
    minutes = {
        "FrameTimesStart": (FRAMES.start / 60).tolist(),
        "FrameDuration": (FRAMES.duration / 60).tolist(),
    }
    s.edit_json(s.pet_json, **minutes)


@case(r"frame 5 ends at 55 s, after frame 6\s+starts at 50 s")
def overlapping_frames(s: Study) -> None:
    durations = FRAMES.duration.tolist()
    durations[4] = 15.0
    s.edit_json(s.pet_json, FrameDuration=durations)


@case(r"frame 2 starts at 0 s, not after frame 1|in order of time")
def frames_out_of_order(s: Study) -> None:
    start = FRAMES.start.tolist()
    start[0], start[1] = start[1], start[0]
    s.edit_json(s.pet_json, FrameTimesStart=start)


@case(r"sub-01_pet\.json is not valid JSON at line 1")
def broken_json(s: Study) -> None:
    s.pet_json.write_text('{"Units": "Bq/mL",')


@case(r"holds nan at voxel \(0, 1, 2\) in frame 4")
def nan_in_image(s: Study) -> None:
    s.edit_voxels(lambda v: v.__setitem__((0, 1, 2, 3), np.nan))


@case(r"sub-01_pet\.nii\.gz is zero everywhere")
def image_of_zeros(s: Study) -> None:
    s.edit_voxels(lambda v: v.fill(0))


@case(r"zero in all voxels of the mask")
def mask_outside_the_head(s: Study) -> list[object]:
    values = np.zeros((8, 7, 5), dtype=np.uint8)
    values[-1, -1, -1] = 1
    save_nifti(s.folder / "air.nii.gz", values)
    return ["--mask", s.folder / "air.nii.gz"]


@case(r"right in sub-01_tacs\.tsv is zero in all frames")
def curve_of_zeros(s: Study) -> None:
    s.source = s.tacs
    s.edit_column(s.tacs, "right", lambda v: 0.0)


@case(r"column left holds 'nan' on line 2 of sub-01_tacs\.tsv")
def nan_in_curves(s: Study) -> None:
    s.source = s.tacs
    s.edit_rows(s.tacs, lambda rows: rows[0].__setitem__("left", "nan"))


@case(r"no column frame_end in sub-01_tacs\.tsv")
def curves_without_frame_times(s: Study) -> None:
    s.source = s.tacs
    s.tacs.write_text(s.tacs.read_text().replace("frame_end", "stop", 1))


@case(r"sub-01_pet\.nii\.gz is truncated")
def truncated_gzip(s: Study) -> None:
    content = s.pet.read_bytes()
    s.pet.write_bytes(content[: len(content) // 2])


@case(r"sub-01_pet\.nii\.gz is not a readable NIfTI")
def not_a_nifti(s: Study) -> None:
    s.pet.write_bytes(gzip.compress(b"this is not an image" * 100))


@case(r"sub-01_pet\.nii\.gz is a 3-D image")
def static_image(s: Study) -> None:
    s.edit_voxels(lambda v: v[..., -1])
    s.edit_json(s.pet_json, FrameTimesStart=[0.0], FrameDuration=[3000.0])


@case(r"has 2 frames; expected 4 or more")
def too_few_frames(s: Study) -> None:
    s.edit_voxels(lambda v: v[..., :2])
    s.edit_json(s.pet_json, FrameTimesStart=[0.0, 60.0], FrameDuration=[60.0, 2880.0])


@case(r"mask\.nii\.gz has shape \(8, 7, 4\).*\(8, 7, 5\)")
def mask_of_another_shape(s: Study) -> list[object]:
    save_nifti(s.mask, np.ones((8, 7, 4), dtype=np.uint8))
    return ["--mask", s.mask]


@case(r"mask\.nii\.gz lies .* mm away")
def mask_elsewhere(s: Study) -> list[object]:
    affine = nibabel.load(s.mask).affine.copy()
    affine[0, 3] += 20
    save_nifti(s.mask, np.ones((8, 7, 5), dtype=np.uint8), affine)
    return ["--mask", s.mask]


@case(r"mask\.nii\.gz is 0 everywhere")
def empty_mask(s: Study) -> list[object]:
    save_nifti(s.mask, np.zeros((8, 7, 5), dtype=np.uint8))
    return ["--mask", s.mask]


@case(r"--mask with a table")
def mask_for_curves(s: Study) -> list[object]:
    s.source = s.tacs
    return ["--mask", s.mask]


@case(r"fractions")
def labels_with_fractions(s: Study) -> list[object]:
    save_nifti(s.labels, np.full((8, 7, 5), 0.5, dtype=np.float32))
    return ["--regions", s.labels]


@case(r"Units is missing in plasma_radioactivity of sub-01_blood\.json.*--blood-unit")
def blood_without_json(s: Study) -> None:
    s.blood_json.unlink()


@case(r"Units is missing in whole_blood_radioactivity of sub-01_blood\.json")
def blood_without_unit(s: Study) -> None:
    s.edit_json(s.blood_json, whole_blood_radioactivity={"Description": "whole blood"})


@case(r"highest in its first sample, at 40")
def blood_starts_after_its_peak(s: Study) -> None:
    s.edit_rows(s.blood, lambda rows: [r for r in rows if float(r["time"]) > 36])
    s.edit_column(s.blood, "time", lambda v: v + 1.0 if v < 45 else v)
    s.edit_rows(s.blood, lambda rows: rows[0].__setitem__("time", "40"))


@case(r"plasma ends at .* s, the scan at 2940 s.*90 %")
def blood_ends_too_early(s: Study) -> None:
    s.edit_rows(s.blood, lambda rows: [r for r in rows if float(r["time"]) < 2500])


@case(r"90 %.*times are in seconds")
def blood_times_in_minutes(s: Study) -> None:
    s.edit_column(s.blood, "time", lambda v: v / 60)


@case(r"time is in 'min' in sub-01_blood\.json")
def blood_says_minutes(s: Study) -> None:
    s.edit_json(s.blood_json, time={"Units": "min"})


@case(r"plasma_radioactivity holds 'nan' on line 9 of sub-01_blood\.tsv")
def nan_in_blood(s: Study) -> None:
    s.edit_rows(s.blood, lambda rows: rows[7].__setitem__("plasma_radioactivity", "nan"))


@case(r"parent fraction 1\.2 in sub-01_blood\.tsv")
def parent_fraction_above_one(s: Study) -> None:
    change = lambda rows: rows[5].__setitem__("metabolite_parent_fraction", "1.2")  # noqa: E731
    s.edit_rows(s.blood, change)


@case(r"parent fraction .*divide percentages by 100")
def parent_fraction_in_percent(s: Study) -> None:
    s.edit_column(s.blood, "metabolite_parent_fraction", lambda v: 100 * v)


@case(r"times go from .* sub-01_blood\.tsv")
def blood_out_of_order(s: Study) -> None:
    s.edit_rows(s.blood, lambda rows: [rows[1], rows[0], *rows[2:]])


@case(r"no column time in sub-01_blood\.tsv")
def blood_without_times(s: Study) -> None:
    s.blood.write_text(s.blood.read_text().replace("time", "minute", 1))


@case(r"nothing\.tsv does not exist")
def no_such_blood(s: Study) -> None:
    s.blood = s.folder / "nothing.tsv"


@case(r"nothing\.nii\.gz does not exist")
def no_such_image(s: Study) -> None:
    s.source = s.folder / "nothing.nii.gz"


@case(r"is a folder")
def folder_as_input(s: Study) -> None:
    s.source = s.folder


@case(r"is a blood file.*--blood")
def blood_as_input(s: Study) -> None:
    s.source = s.blood


@case(r"cannot be written: Not a directory|is a file")
def output_beneath_a_file(s: Study) -> None:
    s.out = s.mask / "results"


@case(r"is a file; expected a folder")
def output_is_a_file(s: Study) -> None:
    s.out = s.mask


@case(r"--unit is kBq/mL but Units is Bq/mL in sub-01_pet\.json")
def option_contradicts_sidecar(s: Study) -> list[object]:
    return ["--unit", "kBq/mL"]


@case(r"model '3TCM' is unknown; expected one of 1TCM")
def unknown_model(s: Study) -> list[object]:
    return ["--model", "3TCM"]


@case(r"model SRTM needs a reference region; expected --reference")
def reference_model_with_blood(s: Study) -> list[object]:
    return ["--model", "SRTM"]


@case(r"method 'magic' is unknown; expected one of exact, nlls")
def unknown_method(s: Study) -> list[object]:
    return ["--method", "magic"]


def bundle_of(s: Study) -> Path:
    """Return a copy of a bundle, and leave the settings of `exact` out of the command."""
    s.effort = ["--method", "consistency"]
    return Path(shutil.copytree(BUNDLE, s.folder / BUNDLE.name))


@case(r"--bundle .*nothing is not a folder; expected the folder of a bundle")
def no_such_bundle(s: Study) -> list[object]:
    s.effort = ["--method", "consistency"]
    return ["--bundle", s.folder / "nothing"]


@case(r"config\.json cannot be read as JSON")
def folder_without_a_bundle(s: Study) -> list[object]:
    s.effort = ["--method", "flow"]
    return ["--bundle", s.folder]


@case(r"model\.safetensors has a checksum that starts with [0-9a-f]{12}; expected [0-9a-f]{12}")
def weights_altered(s: Study) -> list[object]:
    bundle = bundle_of(s)
    content = bytearray((bundle / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (bundle / "model.safetensors").write_bytes(content)
    return ["--bundle", bundle]


@case(r"config\.json has schema version 99; expected 1")
def bundle_of_another_schema(s: Study) -> list[object]:
    bundle = bundle_of(s)
    s.edit_json(bundle / "config.json", schema_version=99)
    return ["--bundle", bundle]


@case(r"is of task 'denoise'; expected 'kinetics'")
def bundle_of_another_task(s: Study) -> list[object]:
    bundle = bundle_of(s)
    s.edit_json(bundle / "config.json", task="denoise")
    return ["--bundle", bundle]


@case(r"is of network 'published'; expected 'consistency'")
def bundle_of_another_network(s: Study) -> list[object]:
    return ["--bundle", bundle_of(s)]


@case(r"validity of frames is \[72, 18\]; expected \[lowest, highest\]")
def bundle_with_a_range_upside_down(s: Study) -> list[object]:
    bundle = bundle_of(s)
    s.edit_json(bundle / "config.json", validity={"frames": [72, 18]})
    return ["--bundle", bundle]


@case(r"setting 'adapt_minutes' is unknown; expected one of coarse")
def adapting_a_method_without_weights(s: Study) -> list[object]:
    return ["--adapt-minutes", "5"]


@case(r"setting adapt_minutes=-1; expected 0 to 10000")
def adapting_for_no_time(s: Study) -> list[object]:
    s.effort = ["--method", "consistency"]
    return ["--adapt-minutes", "-1"]


@case(r"setting passes=0; expected 1 to 16")
def no_passes(s: Study) -> list[object]:
    s.effort = ["--method", "consistency"]
    return ["--set", "passes=0"]


@case(r"setting reweight='perhaps'; expected true or false")
def reweighted_perhaps(s: Study) -> list[object]:
    s.effort = ["--method", "flow"]
    return ["--set", "reweight=perhaps"]


@case(r"consistency-published with .*expected published or published-signed")
def published_model_with_another_prior(s: Study) -> list[object]:
    s.effort = ["--method", "consistency-published"]
    return []


@case(r"method consistency does not serve model SRTM; expected exact or nlls")
def network_for_a_model_it_does_not_serve(s: Study) -> list[object]:
    s.effort = ["--method", "consistency"]
    return ["--model", "SRTM"]


@case(r"--blood with --reference; expected one of the two")
def reference_region_and_blood(s: Study) -> list[object]:
    return ["--reference", "Cerebellum"]


@case(r"mask\.nii\.gz does not exist")
def image_derived_without_its_mask(s: Study) -> None:
    s.blood = Path("idif:mask.nii.gz")


@case(r"prior 'tight' is unknown")
def unknown_prior(s: Study) -> list[object]:
    return ["--prior", "tight"]


@case(r"prior\.toml cannot be read.*line 1")
def malformed_prior(s: Study) -> list[object]:
    (s.folder / "prior.toml").write_text("K1 = {dist = loguniform}")
    return ["--prior", s.folder / "prior.toml"]


@case(r"entry 'K9' in prior\.toml")
def prior_of_an_unknown_parameter(s: Study) -> list[object]:
    (s.folder / "prior.toml").write_text('K9 = {dist = "uniform", low = 0, high = 1}')
    return ["--prior", s.folder / "prior.toml"]


@case(r"expected low < high")
def prior_upside_down(s: Study) -> list[object]:
    (s.folder / "prior.toml").write_text('K1 = {dist = "uniform", low = 2, high = 1}')
    return ["--prior", s.folder / "prior.toml"]


@case(r"--samples is -5; expected 0 to")
def negative_samples(s: Study) -> list[object]:
    return ["--samples", "-5"]


@case(r"--save-draws without draws; expected --samples above 0")
def draws_without_samples(s: Study) -> list[object]:
    return ["--save-draws"]


@case(r"setting 'finest' is unknown; expected one of coarse")
def unknown_setting(s: Study) -> list[object]:
    return ["--set", "finest=3"]


@case(r"setting fine='lots'; expected int")
def setting_of_another_type(s: Study) -> list[object]:
    return ["--set", "fine=lots"]


@case(r"--set 'fine'; expected NAME=VALUE")
def setting_without_value(s: Study) -> list[object]:
    return ["--set", "fine"]


@case(r"config\.toml is not valid TOML")
def malformed_config(s: Study) -> list[object]:
    (s.folder / "config.toml").write_text("fine: 3")
    return ["--config", s.folder / "config.toml"]


@case(r"delay 'later'; expected fit, fit-once")
def bad_delay(s: Study) -> list[object]:
    return ["--delay", "later"]


@case(r"--noise is '-1'")
def negative_noise(s: Study) -> list[object]:
    return ["--noise", "-1"]


@case(r"3 SDs in .*sd\.tsv for 26 frames")
def noise_of_too_few_frames(s: Study) -> list[object]:
    (s.folder / "sd.tsv").write_text("sd\n1\n2\n3\n")
    return ["--noise", s.folder / "sd.tsv"]


@case(r"--engine mpi is unknown; there are threads, inline, processes, dask, dask:ADDRESS, slurm:")
def unknown_engine(s: Study) -> list[object]:
    return ["--engine", "mpi"]


@case(r"--workers is 0")
def no_workers(s: Study) -> list[object]:
    return ["--workers", "0"]


@case(r"--max-memory is 'plenty'.*4G")
def unreadable_memory(s: Study) -> list[object]:
    return ["--max-memory", "plenty"]


@case(r"--max-memory .* is too small")
def too_little_memory(s: Study) -> list[object]:
    return ["--max-memory", "1M"]


@case(r"--device is cuda; method exact runs on the CPU only")
def cuda_for_a_cpu_method(s: Study) -> list[object]:
    return ["--device", "cuda"]


@case(r"--resume and --overwrite are both given")
def resume_and_overwrite(s: Study) -> list[object]:
    return ["--resume", "--overwrite"]


@case(r"[Nn]o such option:? '?--speed")
def unknown_option(s: Study) -> list[object]:
    return ["--speed", "3"]


@case(r"--samples.*valid integer")
def option_of_another_type(s: Study) -> list[object]:
    return ["--samples", "many"]


@case(r"--seed")
def negative_seed(s: Study) -> list[object]:
    return ["--seed", "-1"]


def assert_one_line(code: int, out: str, err: str, words: str) -> None:
    assert code == 2, err
    assert err.startswith("betaplus: error: ")
    assert err.count("\n") == 1 and err.endswith("\n")
    assert "Traceback" not in err
    assert out == ""
    assert re.search(words, err), err


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_line_and_leaves_nothing(name: str, study: Study, run_cli: RunCli) -> None:
    spoil, words = CASES[name]
    more = spoil(study) or []
    before = tree(study.folder.parent)
    code, out, err = run_cli(*study.arguments(*more))
    assert_one_line(code, out, err, words)
    assert tree(study.folder.parent) == before


def test_what_is_not_spoiled_works(study: Study, run_cli: RunCli) -> None:
    """The study and the options that every case above spoils are good ones."""
    code, out, err = run_cli(*study.arguments())
    assert (code, out, err) == (0, "", "")


def test_existing_outputs_are_refused_and_kept(study: Study, run_cli: RunCli) -> None:
    assert run_cli(*study.arguments())[0] == 0
    before = tree(study.out)
    assert_one_line(*run_cli(*study.arguments()), r"exists already.*--resume.*--overwrite")
    assert tree(study.out) == before


def test_resume_with_other_settings_is_refused(study: Study, run_cli: RunCli) -> None:
    assert run_cli(*study.arguments())[0] == 0
    before = tree(study.out)
    other = study.arguments("--seed", "9", "--resume")
    assert_one_line(*run_cli(*other), r"--resume continues only the same run.*--overwrite")
    assert tree(study.out) == before


def test_bad_input_with_overwrite_keeps_the_earlier_outputs(study: Study, run_cli: RunCli) -> None:
    assert run_cli(*study.arguments())[0] == 0
    before = tree(study.out)
    study.edit_voxels(lambda v: v.__setitem__((0, 1, 2, 3), np.nan))
    assert_one_line(*run_cli(*study.arguments("--overwrite")), r"holds nan")
    assert tree(study.out) == before


def test_output_that_is_no_dataset_is_refused(study: Study, run_cli: RunCli) -> None:
    study.out.mkdir()
    (study.out / "dataset_description.json").write_text("[]")
    before = tree(study.out)
    assert_one_line(*run_cli(*study.arguments()), r"dataset_description\.json holds no JSON object")
    assert tree(study.out) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["kinetic"], r"No such command 'kinetic'"),
        (["kinetics"], r"Missing (argument|option|parameter)"),
        (["simulate"], r"Missing command"),
        (["simulate", "dynamic", "-o", "x", "--tracer", "water"], r"tracer 'water'"),
        (["simulate", "tacs", "-o", "x", "-n", "0"], r"0 curves"),
        (["simulate", "dynamic", "-o", "x", "--size", "huge"], r"size 'huge' is unknown"),
        (["simulate", "dynamic", "-o", "x", "--dose-fraction", "-1"], r"dose"),
        (["info", "nothing.nii.gz"], r"nothing\.nii\.gz does not exist"),
        (["info"], r"Missing (argument|parameter)"),
    ],
)
def test_bad_commands_are_one_line_and_leave_nothing(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    run_cli: RunCli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_line(*run_cli(*arguments), words)
    assert tree(tmp_path) == {}


def test_demo_refuses_a_folder_with_a_demo(tmp_path: Path, run_cli: RunCli) -> None:
    (tmp_path / "report.html").write_text("mine")
    assert_one_line(*run_cli("demo", "-o", tmp_path), r"report\.html exists already")
    assert json.loads(json.dumps(list(tree(tmp_path)))) == ["report.html"]


def test_simulate_refuses_a_folder_with_a_simulation(tmp_path: Path, run_cli: RunCli) -> None:
    arguments = ["simulate", "tacs", "-o", tmp_path / "sim", "-n", "2"]
    code, out, err = run_cli(*arguments)
    assert code == 0 and "sub-01_tacs.tsv" in out and err == ""
    before = tree(tmp_path)
    assert_one_line(*run_cli(*arguments), r"sub-01_tacs\.tsv exists")
    assert tree(tmp_path) == before
    shutil.rmtree(tmp_path / "sim")


def test_a_scan_outside_the_trained_range_is_refined_and_said_so(
    study: Study, run_cli: RunCli
) -> None:
    """Every curve is what `exact` makes of it, and the output says why."""
    (study.folder / "prior.toml").write_text('k4 = {dist = "uniform", low = 0, high = 0.2}')
    study.source, found = study.tacs, {}
    for method in ("consistency", "exact"):
        study.effort, study.out = ["--method", method], study.folder.parent / method
        arguments = study.arguments("--prior", study.folder / "prior.toml", "--delay", "0")
        code, out, err = run_cli(*(a for a in arguments if a != "--quiet"))
        assert code == 0, err
        said = "remark: the network was not trained for this scan (prior is "
        assert (said in out) == (method == "consistency")
        run = json.loads((study.out / "sub-01_kinetics_run.json").read_text())
        assert any("not trained" in text for text in run["checks"]) == (method == "consistency")
        found[method] = read_table(study.out / "sub-01_model-2TCM_kinpar.tsv")
    status = column_numbers(found["consistency"]["status"], "status", "table")
    assert set(status) <= {3, 4} and 3 in status
    for name in ("K1", "Ki", "Ki-sd", "Ki-q95", "VB", "ess"):
        assert found["consistency"][name] == found["exact"][name]
