"""PET-BIDS images: what is read, what is refused, what is remarked on."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from betaplus.core.errors import InputError, UsageError
from betaplus.io.frame_times import read_frames
from betaplus.io.open import load

GOOD = {
    "Units": "Bq/ml",
    "TracerName": "FDG",
    "TracerRadionuclide": "18F",
    "TimeZero": "10:00:00",
    "ScanStart": 0,
    "InjectionStart": 0,
    "FrameTimesStart": [0, 60, 200],
    "FrameDuration": [60, 120, 300],
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
}


def write(folder, fields, shape=(3, 4, 5, 3), name="sub-01_pet.nii.gz"):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([2, 2, 2, 1.0])), folder / name)
    if fields is not None:
        (folder / "sub-01_pet.json").write_text(json.dumps(fields))
    return folder / name


def changed(**fields):
    merged = GOOD | fields
    return {key: value for key, value in merged.items() if value is not ...}


def test_a_good_image(tmp_path):
    scan = load(write(tmp_path, GOOD))
    assert scan.shape == (3, 4, 5, 3) and scan.unit == "Bq/mL"
    assert scan.tracer.radionuclide == "F18" and scan.tracer.half_life == 6584.04
    assert scan.tracer.name == "FDG" and scan.decay_corrected_to == 0.0
    np.testing.assert_array_equal(scan.frames.gaps, [0, 20])
    assert scan.voxel_size == (2, 2, 2) and scan.remarks == () and scan.metadata == GOOD


COUNT = changed(FrameDuration=[60, 120])
REFUSED = {
    "FrameDuration has 2 values but the image has 3 frames (sub-01_pet.json)": COUNT,
    "FrameTimesStart has 2 values but the image has 3 frames": changed(FrameTimesStart=[0, 60]),
    "FrameDuration has 4 values but the image has 3": changed(
        FrameTimesStart=[0, 60, 200, 600], FrameDuration=[60, 60, 60, 60]
    ),
    "sub-01_pet.json: frame 2 ends at 260 s": changed(FrameDuration=[60, 200, 500]),
    "sub-01_pet.json: frame 2 lasts -1 s": changed(FrameDuration=[60, -1, 500]),
    "sub-01_pet.json: frame 2 starts at 0 s": changed(FrameTimesStart=[60, 0, 200]),
    "FrameDuration missing in sub-01_pet.json but the image has 3 frames": changed(
        FrameDuration=...
    ),
    "FrameTimesStart and FrameDuration missing": changed(FrameDuration=..., FrameTimesStart=...),
    "FrameDuration holds '60'": changed(FrameDuration=["60", 120, 300]),
    "FrameTimesStart holds nan": changed(FrameTimesStart=[0, float("nan"), 200]),
    "FrameTimesStart is in 'min'": changed(FrameTimesStartUnits="min"),
    "ScanStart is 60 s but the first frame starts at 0 s": changed(ScanStart=60),
    "Units is missing in sub-01_pet.json; expected Bq/mL, kBq/mL, MBq/mL or SUV; add it or give"
    " --unit": changed(Units=...),
    "unit 'counts' in Units of sub-01_pet.json is unknown": changed(Units="counts"),
    "radionuclide 'F19' in sub-01_pet.json is unknown": changed(TracerRadionuclide="F19"),
    "RadionuclideHalfLife is 109.77 s in sub-01_pet.json but F18 has 6584.04 s": changed(
        RadionuclideHalfLife=109.77
    ),
    "RadionuclideHalfLife is 0 ": changed(RadionuclideHalfLife=0),
    "RadionuclideHalfLife is '6586'": changed(RadionuclideHalfLife="6586"),
    "ImageDecayCorrected is true but ImageDecayCorrectionTime is missing": changed(
        ImageDecayCorrectionTime=...
    ),
    "ImageDecayCorrected is false but ImageDecayCorrectionTime is 0": changed(
        ImageDecayCorrected=False
    ),
    "ImageDecayCorrected is missing": changed(
        ImageDecayCorrected=..., ImageDecayCorrectionTime=...
    ),
    "ImageDecayCorrected is 'yes'": changed(ImageDecayCorrected="yes"),
    "InjectionStart is '10:00:00'": changed(InjectionStart="10:00:00"),
    "InjectionStart is 3600 s": changed(InjectionStart=3600),
    "holds no JSON object": [],
}


@pytest.mark.parametrize("says", REFUSED)
def test_refused(tmp_path, says):
    with pytest.raises(InputError) as caught:
        load(write(tmp_path, REFUSED[says]))
    assert says in str(caught.value)
    assert "sub-01_pet.json" in str(caught.value) and "\n" not in str(caught.value)


def test_broken_json(tmp_path):
    path = write(tmp_path, None)
    (tmp_path / "sub-01_pet.json").write_text('{"Units": "Bq/mL",\n "a": }')
    with pytest.raises(InputError, match=r"sub-01_pet\.json is not valid JSON at line 2"):
        load(path)


def test_minutes_are_refused_and_a_short_lived_tracer_is_not(tmp_path):
    minutes = [0.5] * 6 + [1, 1, 2, 5, 10, 15, 15]
    times = {"FrameTimesStart": list(np.cumsum([0, *minutes[:-1]])), "FrameDuration": minutes}
    shape = (2, 2, 2, len(minutes))
    with pytest.raises(InputError, match=r"look like minutes: 13 frames in 52 s.*by 60"):
        load(write(tmp_path, changed(**times), shape))
    scan = load(write(tmp_path, changed(**times, TracerRadionuclide="O15"), shape))
    assert scan.n_frames == 13
    seconds = {key: [60 * t for t in value] for key, value in times.items()}
    assert load(write(tmp_path, changed(**seconds), shape)).frames.end[-1] == 52 * 60


def test_half_life_of_the_sidecar_comes_first(tmp_path):
    scan = load(write(tmp_path, changed(RadionuclideHalfLife=6586.2)))
    assert scan.tracer.half_life == 6586.2
    scan = load(write(tmp_path, changed(RadionuclideHalfLife=6586.2, TracerRadionuclide=...)))
    assert scan.tracer.half_life == 6586.2 and scan.tracer.radionuclide == ""
    assert any("without a check" in remark for remark in scan.remarks)


def test_zero_duration_frame_is_left_out_lazily(tmp_path):
    scan = load(write(tmp_path, changed(FrameDuration=[0, 120, 300])))
    assert scan.shape == (3, 4, 5, 2) and len(scan.frames) == 2
    assert scan.frames.start[0] == 60
    full = np.arange(180, dtype=np.float32).reshape(3, 4, 5, 3)
    np.testing.assert_array_equal(scan.data.read(), full[..., 1:])
    assert scan.remarks == ("frame 1 lasts 0 s in sub-01_pet.json and was left out",)


def test_one_frame(tmp_path):
    once = {"FrameTimesStart": 3000, "FrameDuration": [600], "ScanStart": 3000}
    dynamic = load(write(tmp_path, changed(**once), (3, 4, 5, 1)))
    assert dynamic.shape == (3, 4, 5, 1) and dynamic.frames.start[0] == 3000
    static = load(write(tmp_path, changed(**once), (3, 4, 5)))
    assert static.shape == (3, 4, 5) and len(static.frames) == 1
    bare = {"Units": "SUV"}
    squeezed = load(write(tmp_path, bare, (3, 4, 5, 1)))
    assert squeezed.shape == (3, 4, 5) and squeezed.frames is None and squeezed.tracer is None
    assert squeezed.data[1, 2, 3] == squeezed.data.read()[1, 2, 3] == 33.0


def test_gaps_in_the_sidecar_are_remarks(tmp_path):
    scan = load(
        write(tmp_path, changed(InjectionStart=..., TracerRadionuclide=..., TimeZero="noon"))
    )
    assert scan.tracer is None and scan.injection == 0.0
    text = " / ".join(scan.remarks)
    for word in ("InjectionStart missing", "TracerRadionuclide missing", "TimeZero is 'noon'"):
        assert word in text


@pytest.mark.parametrize(
    ("lacking", "option", "attribute", "value"),
    [
        ("Units", {"unit": "kBq/mL"}, "unit", "kBq/mL"),
        ("ImageDecayCorrectionTime", {"decay_corrected_to": "injection"}, "to", 7.0),
        ("ImageDecayCorrectionTime", {"decay_corrected_to": "scan"}, "to", -3.0),
        ("ImageDecayCorrectionTime", {"decay_corrected_to": "12.5"}, "to", 12.5),
        ("ImageDecayCorrectionTime", {"decay_corrected_to": 12.5}, "to", 12.5),
    ],
)
def test_options_fill_what_lacks(tmp_path, lacking, option, attribute, value):
    path = write(tmp_path, changed(InjectionStart=7, ScanStart=-3, **{lacking: ...}))
    scan = load(path, **option)
    assert (scan.unit if attribute == "unit" else scan.decay_corrected_to) == value


def test_options_alone_make_a_static_image(tmp_path):
    scan = load(write(tmp_path, None, (3, 4, 5)), unit="SUV", radionuclide="F-18")
    assert scan.unit == "SUV" and scan.tracer.radionuclide == "F18"
    assert "no sub-01_pet.json beside sub-01_pet.nii.gz" in scan.remarks


def test_not_decay_corrected(tmp_path):
    fields = changed(ImageDecayCorrected=False, ImageDecayCorrectionTime=...)
    assert load(write(tmp_path, fields)).decay_corrected_to is None
    assert load(write(tmp_path, fields), decay_corrected_to="none").decay_corrected_to is None
    fields = changed(ImageDecayCorrected=False)
    assert load(write(tmp_path, fields), decay_corrected_to="none").decay_corrected_to is None


@pytest.mark.parametrize(
    ("fields", "option", "says"),
    [
        (GOOD, {"unit": "kBq/mL"}, "--unit is kBq/mL but Units is Bq/ml"),
        (GOOD, {"unit": "furlongs"}, "--unit is 'furlongs'"),
        (GOOD, {"radionuclide": "C11"}, "--radionuclide is C11 but TracerRadionuclide is 18F"),
        (GOOD, {"radionuclide": "Xx1"}, "--radionuclide is 'Xx1'"),
        (GOOD, {"decay_corrected_to": "none"}, "--decay-corrected-to is none but"),
        (GOOD, {"decay_corrected_to": 60}, "--decay-corrected-to is 60 but"),
        (GOOD, {"decay_corrected_to": "noon"}, "--decay-corrected-to is 'noon'"),
        (
            changed(ImageDecayCorrectionTime=...),
            {"decay_corrected_to": "none"},
            "ImageDecayCorrected is true",
        ),
        (
            changed(ImageDecayCorrected=False, ImageDecayCorrectionTime=...),
            {"decay_corrected_to": "scan"},
            "ImageDecayCorrected is false",
        ),
    ],
)
def test_options_that_contradict(tmp_path, fields, option, says):
    with pytest.raises(UsageError) as caught:
        load(write(tmp_path, fields), **option)
    assert says in str(caught.value)


def test_options_that_agree(tmp_path):
    scan = load(
        write(tmp_path, GOOD), unit="Bq/cc", radionuclide="F18", decay_corrected_to="injection"
    )
    assert scan.unit == "Bq/mL"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing.nii.gz", "does not exist"),
        ("a.mgz", r"unsupported kind; expected an image \(\.nii, .*, DICOM, ECAT 7\) or curves"),
        ("a_blood.tsv", "is a blood file.*--blood"),
        ("folder", "is a folder"),
    ],
)
def test_what_load_does_not_take(tmp_path, name, says):
    if name == "folder":
        (tmp_path / name).mkdir()
    elif name != "nothing.nii.gz":
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=says):
        load(tmp_path / name)


@given(
    durations=st.lists(st.sampled_from([0.0, 1e-3, 5.0, 30.0, 600.0]), min_size=2, max_size=40),
    gaps=st.lists(st.sampled_from([0.0, 0.0, 12.5, 3600.0]), min_size=40, max_size=40),
)
def test_any_frames_in_order_are_read_as_they_are(durations, gaps):
    duration = np.array(durations)
    start = np.cumsum(duration + np.array(gaps[: len(durations)])) - duration
    fields = {"FrameTimesStart": start.tolist(), "FrameDuration": durations}
    if not duration.any():
        with pytest.raises(InputError, match="lasts 0 s"):
            read_frames(fields, len(durations), "x.json")
        return
    frames, keep, remarks = read_frames(fields, len(durations), "x.json")
    lasting = duration > 0
    np.testing.assert_array_equal(frames.start, start[lasting])
    np.testing.assert_array_equal(frames.duration, duration[lasting])
    assert (keep is None) == lasting.all() == (not remarks)


@pytest.mark.parametrize("name", ["pet001", "pet003"])
def test_real_sidecars_with_end_times_for_durations(reference_data, name):
    beside = next((reference_data / "pet_bids_blood" / name).rglob("*_pet.json"))
    fields = json.loads(beside.read_text())
    with pytest.raises(InputError) as caught:
        read_frames(fields, len(fields["FrameDuration"]), beside.name)
    assert f"{beside.name}: frame 2 ends at" in str(caught.value)
    assert "not end times" in str(caught.value)


def test_real_sidecars_of_mc1(reference_data):
    found = sorted((reference_data / "bids_mc1").glob("sub-*/*/pet/*_pet.json"))
    assert len(found) == 36
    for beside in found:
        fields = json.loads(beside.read_text())
        frames, keep, _ = read_frames(fields, len(fields["FrameDuration"]), beside.name)
        assert keep is None and frames.end[-1] > 3600
