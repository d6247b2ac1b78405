"""Inputs that contradict themselves by a unit: each is refused or remarked on, with its field."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from tests.cli.study import FRAMES, Study, save_nifti, write_study

from betaplus.core.errors import BetaplusError
from betaplus.io.open import load
from betaplus.io.suv import suv_conversion
from betaplus.pipeline.kinetics.inputs import load_inputs
from betaplus.pipeline.kinetics.request import KineticsRequest, check_options

Trap = Callable[[Study], dict[str, Any] | None]

TRAPS: dict[str, tuple[Trap, str]] = {}
"""Ways to spoil a study of one unit, and what must be said."""

SUV_TRAPS: dict[str, tuple[Trap, str]] = {}
"""Likewise, on the way to SUV."""

DOSE = {
    "InjectedRadioactivity": 350,
    "InjectedRadioactivityUnits": "MBq",
    "BodyWeight": 70,
    "BodyHeight": 1.75,
    "PatientSex": "M",
    "InjectionStart": 0,
}
PLASMA, BLOOD = "plasma_radioactivity", "whole_blood_radioactivity"


def trap(words: str, into: dict[str, tuple[Trap, str]] = TRAPS) -> Callable[[Trap], Trap]:
    """Register a trap, and the pattern of what must be said."""

    def register(spoil: Trap) -> Trap:
        into[spoil.__name__] = (spoil, words)
        return spoil

    return register


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that is as it should be."""
    return write_study(tmp_path_factory.mktemp("study"), shape=(5, 4, 3), voxels=40)


@pytest.fixture
def study(whole: Path, tmp_path: Path) -> Study:
    """A copy of it for one test."""
    shutil.copytree(whole, tmp_path / "study")
    return Study(tmp_path / "study")


def said(study: Study, **options: Any) -> list[str]:
    """Return what the kinetics verb says of its inputs: remarks, or what it ends with."""
    request = KineticsRequest(
        source=study.source, out=study.out, blood=(study.blood,), delay="0", **options
    )
    try:
        found = load_inputs(request, check_options(request))
    except BetaplusError as error:
        return [str(error)]
    assert found.blood is not None
    return [*found.data.remarks, *found.blood.samples.remarks, *found.remarks]


def said_of_suv(study: Study) -> list[str]:
    """Return what the way to SUV says."""
    try:
        image = load(study.source)
        return [*image.remarks, *suv_conversion(image).remarks]
    except BetaplusError as error:
        return [str(error)]


def scale_image(study: Study, factor: float) -> None:
    study.edit_voxels(lambda v: v * np.float32(factor))


def scale_blood(study: Study, factor: float, *columns: str) -> None:
    for name in columns or (PLASMA, BLOOD):
        study.edit_column(study.blood, name, lambda x: x * factor)


def use_tacs(study: Study) -> None:
    study.source = study.tacs


def scale_tacs(study: Study, factor: float) -> None:
    for name in ("left", "right", "middle"):
        study.edit_column(study.tacs, name, lambda x: x * factor)
    use_tacs(study)


# Activity.


@trap(r"image in Bq/mL, blood in Bq/mL.*correct Units")
def image_in_kbq_says_bq(s: Study) -> None:
    scale_image(s, 1e-3)


@trap(r"image in kBq/mL, blood in Bq/mL.*correct Units")
def image_in_bq_says_kbq(s: Study) -> None:
    s.edit_json(s.pet_json, Units="kBq/mL")


@trap(r"image in MBq/mL.*correct Units")
def image_in_kbq_says_mbq(s: Study) -> None:
    scale_image(s, 1e-3)
    s.edit_json(s.pet_json, Units="MBq/mL")


@trap(r"image in Bq/mL, blood in Bq/mL.*correct Units")
def image_in_suv_says_bq(s: Study) -> None:
    scale_image(s, 70e3 / 350e6)


@trap(r"sub-01_pet\.nii\.gz is in SUV")
def image_says_suv(s: Study) -> None:
    s.edit_json(s.pet_json, Units="SUV")


@trap(r"blood in Bq/mL.*correct Units")
def blood_in_kbq_says_bq(s: Study) -> None:
    scale_blood(s, 1e-3)


@trap(r"image in Bq/mL, blood in kBq/mL.*correct Units")
def blood_in_bq_says_kbq(s: Study) -> None:
    units = {name: {"Units": "kBq/mL"} for name in (PLASMA, BLOOD)}
    s.edit_json(s.blood_json, **units)


@trap(r"image in Bq/mL, blood in Bq/mL.*correct Units")
def blood_in_suv_says_bq(s: Study) -> None:
    scale_blood(s, 70e3 / 350e6)


@trap(r"blood peaks at .* Bq/mL, which is unusual: check Units")
def image_and_blood_in_suv_say_bq(s: Study) -> None:
    scale_image(s, 70e3 / 350e6)
    scale_blood(s, 70e3 / 350e6)


@trap(r"plasma peaks at .* whole_blood at .* correct Units")
def plasma_in_kbq_beside_blood_in_bq(s: Study) -> None:
    scale_blood(s, 1e-3, PLASMA)


@trap(r"--blood-unit is kBq/mL but Units is Bq/mL")
def blood_option_that_contradicts(s: Study) -> dict[str, Any]:
    return {"blood_unit": "kBq/mL"}


@trap(r"--unit is kBq/mL but Units is Bq/mL")
def image_option_that_contradicts(s: Study) -> dict[str, Any]:
    return {"unit": "kBq/mL"}


@trap(r"image in Bq/mL, blood in Bq/mL.*correct Units")
def curves_in_kbq_say_bq(s: Study) -> None:
    scale_tacs(s, 1e-3)


@trap(r"image in kBq/mL, blood in Bq/mL.*correct Units")
def curves_in_bq_say_kbq(s: Study) -> None:
    s.edit_json(s.tacs_json, Units="kBq/mL")
    use_tacs(s)


@trap(r"regions in sub-01_tacs\.json have the units Bq/mL, kBq/mL")
def curves_of_two_units(s: Study) -> None:
    units = {"left": {"Units": "kBq/mL"}, "right": {"Units": "Bq/mL"}}
    s.edit_json(s.tacs_json, Units=None, middle={"Units": "Bq/mL"}, **units)
    use_tacs(s)


@trap(r"parent fraction 100 .* divide percentages by 100")
def parent_fraction_in_percent(s: Study) -> None:
    s.edit_column(s.blood, "metabolite_parent_fraction", lambda x: 100 * x)


# Times.


@trap(r"frame times in sub-01_pet\.json look like minutes")
def frames_in_minutes(s: Study) -> None:
    rescale_frames(s, 1 / 60)


@trap(r"\(FrameTimesStart, FrameDuration\) last 2\.94e\+06 s.*half-lives of F18")
def frames_in_milliseconds(s: Study) -> None:
    rescale_frames(s, 1e3)


@trap(r"FrameDuration is in 'min'")
def frames_that_say_minutes(s: Study) -> None:
    s.edit_json(s.pet_json, FrameDurationUnits="min")


@trap(r"frame 1 ends at 10 s, after frame 2.*FrameDuration")
def starts_in_minutes_beside_durations_in_seconds(s: Study) -> None:
    s.edit_json(s.pet_json, FrameTimesStart=(FRAMES.start / 60).tolist())


@trap(r"frames in sub-01_pet\.json hold 1\.9 % .* check that FrameDuration is in seconds")
def durations_in_minutes_beside_starts_in_seconds(s: Study) -> None:
    s.edit_json(s.pet_json, FrameDuration=(FRAMES.duration / 60).tolist())


@trap(r"frame times in sub-01_tacs\.tsv look like minutes")
def curves_in_minutes(s: Study) -> None:
    for name in ("frame_start", "frame_end"):
        s.edit_column(s.tacs, name, lambda x: x / 60)
    s.edit_json(s.tacs_json, FrameTimesStart=None, FrameDuration=None)
    use_tacs(s)


@trap(r"frame times in sub-01_tacs\.tsv are not those of FrameTimesStart")
def curves_in_minutes_beside_a_sidecar_in_seconds(s: Study) -> None:
    for name in ("frame_start", "frame_end"):
        s.edit_column(s.tacs, name, lambda x: x / 60)
    use_tacs(s)


@trap(r"plasma ends at 49 s, the scan at 2940 s.*times are in seconds")
def blood_in_minutes(s: Study) -> None:
    s.edit_column(s.blood, "time", lambda x: x / 60)


@trap(r"blood goes on for 2\.94e\+06 s .* check that the times")
def blood_in_milliseconds(s: Study) -> None:
    s.edit_column(s.blood, "time", lambda x: 1e3 * x)


@trap(r"time is in 'min' in sub-01_blood\.json")
def blood_that_says_minutes(s: Study) -> None:
    s.edit_json(s.blood_json, time={"Units": "min"})


@trap(r"blood goes on for 2940 s .* the scan for 56 s: check that the times of both")
def short_curves_in_minutes(s: Study) -> None:
    """Five frames in minutes are no scan that cannot be; the blood tells."""
    s.edit_rows(s.tacs, lambda rows: rows[::6])
    for name in ("frame_start", "frame_end"):
        s.edit_column(s.tacs, name, lambda x: x / 60)
    s.edit_rows(s.tacs, lambda rows: [*rows[:-1], {**rows[-1], "frame_end": "56.0"}])
    s.edit_json(s.tacs_json, FrameTimesStart=None, FrameDuration=None)
    use_tacs(s)


@trap(r"InjectionStart is 36000 s .* the last frame ends at 2940 s")
def time_zero_of_another_clock(s: Study) -> None:
    """The clock time of the injection in place of the time since TimeZero."""
    s.edit_json(s.pet_json, InjectionStart=36000)


@trap(r"InjectionStart is -3\.6e\+06 s .* half-lives of F18")
def injection_in_milliseconds(s: Study) -> None:
    s.edit_json(s.pet_json, InjectionStart=-3.6e6)


@trap(r"ScanStart is 3600 s but the first frame starts at 0 s")
def scan_start_of_another_origin(s: Study) -> None:
    s.edit_json(s.pet_json, ScanStart=3600)


@trap(r"TimeZero is '36000' .* expected hh:mm:ss")
def time_zero_in_seconds(s: Study) -> None:
    s.edit_json(s.pet_json, TimeZero="36000")


# Decay.


@trap(r"RadionuclideHalfLife is 109\.734 s .* F18 has 6584")
def half_life_in_minutes(s: Study) -> None:
    s.edit_json(s.pet_json, RadionuclideHalfLife=109.734)


@trap(r"RadionuclideHalfLife used without a check")
def half_life_in_minutes_of_no_nuclide(s: Study) -> None:
    s.edit_json(s.pet_json, RadionuclideHalfLife=109.734, TracerRadionuclide=None)


@trap(r"frame times in sub-01_pet\.json.*39 half-lives of Rb82")
def a_long_scan_of_a_short_tracer(s: Study) -> None:
    s.edit_json(s.pet_json, TracerRadionuclide="Rb82", RadionuclideHalfLife=None)


@trap(r"ImageDecayCorrected is false but ImageDecayCorrectionTime is 0")
def correction_time_without_correction(s: Study) -> None:
    s.edit_json(s.pet_json, ImageDecayCorrected=False)


@trap(r"ImageDecayCorrected is true but ImageDecayCorrectionTime is missing")
def correction_without_a_time(s: Study) -> None:
    s.edit_json(s.pet_json, ImageDecayCorrectionTime=None)


@trap(r"ImageDecayCorrectionTime is 3\.6e\+06 s .* half-lives of F18")
def correction_time_in_milliseconds(s: Study) -> None:
    s.edit_json(s.pet_json, ImageDecayCorrectionTime=3.6e6)


@trap(r"--decay-corrected-to is none but ImageDecayCorrect")
def decay_option_that_contradicts(s: Study) -> dict[str, Any]:
    return {"decay_corrected_to": "none"}


@trap(r"DecayCorrectionFactor is 1 in frame 26 .* check ImageDecayCorrected")
def factors_of_one_beside_a_correction(s: Study) -> None:
    s.edit_json(s.pet_json, DecayCorrectionFactor=[1.0] * len(FRAMES))


@trap(r"DecayFactor is 1\.\d+ in frame 26 .* make it 1: check ImageDecayCorrected")
def factors_without_a_correction(s: Study) -> None:
    factors = FRAMES.decay_factors(6584.04).tolist()
    s.edit_json(
        s.pet_json, ImageDecayCorrected=False, ImageDecayCorrectionTime=None, DecayFactor=factors
    )


# Lengths.


def resize(study: Study, factor: float) -> None:
    image = nibabel.load(study.pet)
    affine = image.affine.copy()
    affine[:3] *= factor
    save_nifti(study.pet, np.asarray(image.dataobj), affine)


@trap(r"voxels of sub-01_pet\.nii\.gz are 0\.004 x 0\.004 x 0\.005 mm: check the unit")
def voxels_in_metres_say_mm(s: Study) -> None:
    resize(s, 1e-3)


@trap(r"voxels of sub-01_pet\.nii\.gz are 4e\+03 x 4e\+03 x 5e\+03 mm: check the unit")
def voxels_in_micrometres_say_mm(s: Study) -> None:
    resize(s, 1e3)


def rescale_frames(study: Study, factor: float) -> None:
    times = {
        "FrameTimesStart": (FRAMES.start * factor).tolist(),
        "FrameDuration": (FRAMES.duration * factor).tolist(),
    }
    study.edit_json(study.pet_json, **times)


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_noticed(study: Study, name: str) -> None:
    usual = said(study)
    assert usual == []
    spoil, words = TRAPS[name]
    options = spoil(study) or {}
    new = [line for line in said(study, **options) if line not in usual]
    assert any(re.search(words, line) for line in new), new


# The way to SUV.


@trap(r"InjectedRadioactivity is 350 Bq for 70 kg.*looks like MBq", SUV_TRAPS)
def dose_in_mbq_says_bq(s: Study) -> None:
    s.edit_json(s.pet_json, InjectedRadioactivityUnits="Bq")


@trap(r"InjectedRadioactivity is 350000 Bq for 70 kg.*looks like kBq", SUV_TRAPS)
def dose_in_kbq_says_bq(s: Study) -> None:
    s.edit_json(s.pet_json, InjectedRadioactivity=350e3, InjectedRadioactivityUnits="Bq")


@trap(r"InjectedRadioactivity is 3\.5e\+11 Bq", SUV_TRAPS)
def dose_in_kbq_says_mbq(s: Study) -> None:
    s.edit_json(s.pet_json, InjectedRadioactivity=350e3)


@trap(r"InjectedRadioactivityUnits is missing", SUV_TRAPS)
def dose_without_a_unit(s: Study) -> None:
    s.edit_json(s.pet_json, InjectedRadioactivityUnits=None)


@trap(r"BodyWeight is 70000", SUV_TRAPS)
def weight_in_grams(s: Study) -> None:
    s.edit_json(s.pet_json, BodyWeight=70e3)


@trap(r"BodyWeight is 0\.07 kg for a dose of 3\.5e\+08 Bq", SUV_TRAPS)
def weight_in_tonnes(s: Study) -> None:
    s.edit_json(s.pet_json, BodyWeight=0.07)


@trap(r"weight is in 'g' beside participants\.tsv", SUV_TRAPS)
def weight_in_grams_in_the_table(s: Study) -> None:
    s.edit_json(s.pet_json, BodyWeight=None)
    (s.folder / "participants.tsv").write_text("participant_id\tweight\nsub-01\t70000\n")
    (s.folder / "participants.json").write_text(json.dumps({"weight": {"Units": "g"}}))


@trap(r"holds BodyWeight 70, PatientWeight 70000", SUV_TRAPS)
def two_weights(s: Study) -> None:
    s.edit_json(s.pet_json, PatientWeight=70e3)


@pytest.mark.parametrize("name", SUV_TRAPS)
def test_a_trap_on_the_way_to_suv_is_noticed(study: Study, name: str) -> None:
    study.edit_json(study.pet_json, **DOSE)
    usual = said_of_suv(study)
    image = load(study.source)
    assert suv_conversion(image).factor == pytest.approx(70e3 / 350e6)  # SUV per Bq/mL
    spoil, words = SUV_TRAPS[name]
    spoil(study)
    new = [line for line in said_of_suv(study) if line not in usual]
    assert any(re.search(words, line) for line in new), new


def test_a_height_in_centimetres_is_noticed(study: Study) -> None:
    study.edit_json(study.pet_json, **{**DOSE, "BodyHeight": 175})
    with pytest.raises(BetaplusError, match="BodyHeight is 175"):
        suv_conversion(load(study.source), "SUL")


def test_there_are_thirty() -> None:
    assert len(TRAPS) + len(SUV_TRAPS) >= 30
