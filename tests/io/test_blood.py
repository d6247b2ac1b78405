"""Blood: what is a sample, what is not, and every real file there is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.core.input_function import InputFunction
from betaplus.io.blood import load_blood, write_blood

ROWS = """time	plasma_radioactivity	whole_blood_radioactivity	metabolite_parent_fraction
-5	0	0	n/a
10	90.5	80	1
30	40	n/a	n/a
600	4	3	0.5
"""
FIELDS = {
    "PlasmaAvail": True,
    "WholeBloodAvail": True,
    "MetaboliteAvail": True,
    "time": {"Units": "s"},
    "plasma_radioactivity": {"Units": "kBq/ml"},
    "whole_blood_radioactivity": {"Units": "kBq/mL"},
    "metabolite_parent_fraction": {"Units": "unitless"},
}


def write(folder, rows=ROWS, fields=FIELDS, name="sub-01_blood"):
    (folder / f"{name}.tsv").write_text(rows, newline="")
    if fields is not None:
        (folder / f"{name}.json").write_text(json.dumps(fields))
    return folder / f"{name}.tsv"


def test_a_good_file(tmp_path):
    blood = load_blood(write(tmp_path), injection=2.0)
    np.testing.assert_array_equal(blood.time, [-5, 10, 30, 600])
    np.testing.assert_array_equal(blood.plasma, [0, 90.5, 40, 4])
    np.testing.assert_array_equal(blood.whole_blood, [0, 80, np.nan, 3])
    np.testing.assert_array_equal(blood.parent_fraction, [np.nan, 1, np.nan, 0.5])
    assert (blood.unit, blood.plasma_kind, blood.injection) == ("kBq/mL", "total", 2.0)
    assert blood.remarks == ()


def test_windows_line_ends_and_a_byte_order_mark(tmp_path):
    path = write(tmp_path, "\ufeff" + ROWS.replace("\n", "\r\n") + "\r\n")
    np.testing.assert_array_equal(load_blood(path).plasma, [0, 90.5, 40, 4])


def fields_with(**changes):
    return {key: value for key, value in {**FIELDS, **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    ("rows", "fields", "says"),
    [
        (ROWS.replace("90.5", "nan"), FIELDS, "plasma_radioactivity holds 'nan' on line 3"),
        (ROWS.replace("90.5", "inf"), FIELDS, "plasma_radioactivity holds 'inf' on line 3"),
        (ROWS.replace("90.5", "90,5"), FIELDS, "plasma_radioactivity holds '90,5'"),
        (ROWS.replace("90.5", ""), FIELDS, "plasma_radioactivity holds ''"),
        (ROWS.replace("\t0.5", "\t1.5"), FIELDS, "parent fraction 1.5"),
        (ROWS.replace("\t0.5", "\t-0.5"), FIELDS, "parent fraction -0.5"),
        (ROWS.replace("90.5", "-90.5"), FIELDS, "plasma falls to -90.5"),
        (ROWS.replace("600\t", "30\t"), FIELDS, "times go from 30 to 30 s on line 5"),
        (ROWS.replace("600\t", "20\t"), FIELDS, "times go from 30 to 20 s on line 5"),
        (ROWS.replace("600\t", "n/a\t"), FIELDS, "time is n/a on line 5"),
        (ROWS.replace("-5\t0\t0\tn/a\n", ""), FIELDS, "highest in its first sample, at 10 s"),
        (ROWS.replace("time", "Time"), FIELDS, "no column time"),
        ("time\tother\n0\t1\n1\t2\n", FIELDS, "no blood columns"),
        ("time\tmetabolite_parent_fraction\n0\t1\n9\t1\n", FIELDS, "no samples of plasma"),
        (ROWS.replace("whole_blood", "plasma"), FIELDS, "two columns 'plasma_radioactivity'"),
        (ROWS.replace("\t80\t", "\t"), FIELDS, "line 3 of sub-01_blood.tsv has 3 values"),
        (ROWS.splitlines()[0], FIELDS, "header but no rows"),
        ("", FIELDS, "is empty"),
        (ROWS, fields_with(time={"Units": "min"}), "time is in 'min'"),
        (
            ROWS,
            fields_with(metabolite_parent_fraction={"Units": "%"}),
            "metabolite_parent_fraction is in %",
        ),
        (
            ROWS,
            fields_with(plasma_radioactivity=...),
            "Units is missing in plasma_radioactivity of sub-01_blood.json",
        ),
        (ROWS, fields_with(plasma_radioactivity={"Units": "cps"}), "unit 'cps'"),
        (ROWS, None, "--blood-unit"),
    ],
)
def test_refused(tmp_path, rows, fields, says):
    with pytest.raises(InputError) as caught:
        load_blood(write(tmp_path, rows, fields))
    assert says in str(caught.value)
    assert "sub-01_blood" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_blood(tmp_path / "no_blood.tsv")


def test_units_are_made_one(tmp_path):
    fields = fields_with(whole_blood_radioactivity={"Units": "Bq/mL"})
    rows = ROWS.replace("\t80\t", "\t80000\t").replace("4\t3\t", "4\t3000\t")
    blood = load_blood(write(tmp_path, rows, fields))
    assert blood.unit == "kBq/mL" and blood.whole_blood[1] == pytest.approx(80, rel=1e-15)
    assert "blood in kBq/mL and Bq/mL converted to kBq/mL" in blood.remarks


def test_option_fills_and_never_overrules(tmp_path):
    blood = load_blood(write(tmp_path, ROWS, None), unit="kBq/mL")
    assert blood.unit == "kBq/mL"
    assert any("no Units of time" in remark for remark in blood.remarks)
    with pytest.raises(UsageError, match="--blood-unit is Bq/mL but Units is kBq/ml"):
        load_blood(write(tmp_path), unit="Bq/mL")


def test_flags_that_contradict_the_columns_are_remarks(tmp_path):
    rows = (
        "time\tplasma_radioactivity\twhole_blood_radioactivity\n0\t0\tn/a\n5\t9\tn/a\n9\t4\tn/a\n"
    )
    blood = load_blood(write(tmp_path, rows, {**FIELDS, "PlasmaAvail": False}))
    assert blood.whole_blood is None
    text = " / ".join(blood.remarks)
    assert "PlasmaAvail is false in sub-01_blood.json but plasma_radioactivity is there" in text
    assert "MetaboliteAvail is true" in text and "metabolite_parent_fraction is not" in text
    assert "whole_blood_radioactivity holds no samples" in text


def test_bloodstream_curve_is_not_corrected_again(tmp_path):
    rows = (
        "time\tAIF\tplasma_radioactivity\twhole_blood_radioactivity\tmetabolite_parent_fraction\n"
        "0\t0\t0\t0\t1\n10\t80\t99\t70\t0.8\n60\t5\t50\t40\t0.1\n"
    )
    fields = {name: {"Units": "Bq/mL"} for name in rows.splitlines()[0].split("\t")[1:]}
    blood = load_blood(write(tmp_path, rows, fields, "sub-01_inputfunction"))
    assert blood.plasma_kind == "parent" and blood.parent_fraction is None
    curve = blood.curve(60.0)
    np.testing.assert_array_equal(curve.plasma, [0, 80, 5])
    np.testing.assert_array_equal(curve.whole_blood, [0, 70, 40])
    assert any("AIF is corrected already" in remark for remark in blood.remarks)


def test_two_files_become_one(tmp_path):
    samples = "".join(f"{t}\t{t + 1}\n" for t in range(0, 40, 5))
    sampler = "time\twhole_blood_radioactivity\n" + samples
    manual = "time\tplasma_radioactivity\n0\t0\n7\t9000\n30\t4000\n"
    fields = {"whole_blood_radioactivity": {"Units": "kBq/mL"}, "time": {"Units": "seconds"}}
    one = write(tmp_path, sampler, fields, "a_recording-autosampler_blood")
    fields = {"plasma_radioactivity": {"Units": "Bq/mL"}, "time": {"Units": "s"}}
    two = write(tmp_path, manual, fields, "a_recording-manual_blood")
    blood = load_blood([one, two])
    np.testing.assert_array_equal(blood.time, [0, 5, 7, 10, 15, 20, 25, 30, 35])
    nan = np.nan
    np.testing.assert_array_equal(blood.whole_blood, [1, 6, nan, 11, 16, 21, 26, 31, 36])
    np.testing.assert_allclose(blood.plasma, [0, nan, 9, nan, nan, nan, nan, 4, nan], rtol=1e-15)
    assert blood.unit == "kBq/mL"
    with pytest.raises(InputError, match="whole_blood is in both"):
        load_blood([one, one])
    with pytest.raises(UsageError, match="no blood file"):
        load_blood([])


def two_recordings(folder, manual, unit="kBq/mL", column="whole_blood_radioactivity"):
    """A sampler to 60 s that reads t + 1, and manual samples."""
    sampler = f"time\t{column}\n0\t0\n" + "".join(f"{t}\t{t + 1}\n" for t in range(5, 65, 5))
    fields = {column: {"Units": "kBq/mL"}, "time": {"Units": "s"}}
    one = write(folder, sampler, fields, "a_recording-autosampler_blood")
    rows = f"time\t{column}\n" + "".join(f"{t}\t{v}\n" for t, v in manual)
    fields = {column: {"Units": unit}, "time": {"Units": "s"}}
    return one, write(folder, rows, fields, "a_recording-manual_blood")


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("column", ["whole_blood_radioactivity", "plasma_radioactivity"])
def test_the_denser_file_is_used_where_two_overlap(tmp_path, swapped, column):
    manual = [(-5, 0), (12, 13 * 1.2), (33, 34 * 1.2), (47, 48 * 1.2), (90, 40), (600, 10)]
    pair = two_recordings(tmp_path, manual, column=column)
    blood = load_blood(pair[::-1] if swapped else pair)
    values = blood.plasma if column.startswith("plasma") else blood.whole_blood
    np.testing.assert_array_equal(
        blood.time, np.unique([*range(0, 65, 5), -5, 12, 33, 47, 90, 600])
    )
    known = np.isfinite(values)
    np.testing.assert_array_equal(blood.time[known], [-5, *range(0, 65, 5), 90, 600])
    np.testing.assert_array_equal(values[known], [0, 0, *range(6, 66, 5), 40, 10])
    said = next(remark for remark in blood.remarks if "differ" in remark)
    assert "from a_recording-autosampler_blood.tsv from 0 to 60 s" in said
    assert "from a_recording-manual_blood.tsv outside" in said
    assert said.endswith("; they differ by 20 % (median of 3 samples in common)")


def test_files_that_do_not_overlap_or_hardly(tmp_path):
    blood = load_blood(two_recordings(tmp_path, [(90, 40), (600, 10)]))
    np.testing.assert_array_equal(blood.time, [*range(0, 65, 5), 90, 600])
    assert np.isfinite(blood.whole_blood).all()
    assert not any("common" in remark for remark in blood.remarks)
    blood = load_blood(two_recordings(tmp_path, [(12, 900), (47, 900), (600, 10)]))
    assert any("2 samples in common are too few to compare" in r for r in blood.remarks)


@pytest.mark.parametrize(
    ("factor", "unit", "refused"),
    [
        (1.45, "kBq/mL", False),
        (1 / 1.45, "kBq/mL", False),
        (1.6, "kBq/mL", True),
        (1 / 1.6, "kBq/mL", True),
        (1.0, "Bq/mL", True),
        (1000.0, "Bq/mL", False),
    ],
)
def test_gross_disagreement_is_refused(tmp_path, factor, unit, refused):
    manual = [(0, 0), *((t, factor * (t + 1)) for t in (12, 33, 47)), (90, 40 * factor)]
    pair = two_recordings(tmp_path, manual, unit)
    if not refused:
        assert load_blood(pair).whole_blood is not None
        return
    with pytest.raises(InputError, match=r"by a factor of 1(\.6|000) \(median of 3 samples in"):
        load_blood(pair)


def test_equally_dense_files_and_fractions_in_two_files_are_refused(tmp_path):
    one, two = two_recordings(tmp_path, [(t, t + 1) for t in range(0, 65, 5)])
    with pytest.raises(InputError, match=r"whole_blood is in both .* neither of them denser"):
        load_blood([one, two])
    with pytest.raises(InputError, match="parent_fraction is in both"):
        rows = "time\tmetabolite_parent_fraction\n0\t1\n600\t0.4\n"
        load_blood([write(tmp_path), write(tmp_path, rows, name="sub-01_other_blood")])
    aif, plasma = two_recordings(tmp_path, [(90, 9)], column="plasma_radioactivity")
    corrected = aif.read_text().replace("plasma_radioactivity", "AIF")
    fields = {"AIF": {"Units": "kBq/mL"}, "time": {"Units": "s"}}
    with pytest.raises(InputError, match="plasma is in both"):
        load_blood([write(tmp_path, corrected, fields, "a_inputfunction"), plasma])


@pytest.mark.parametrize(
    ("stated", "found"),
    [((None, None), None), ((False, None), False), ((False, False), False), ((False, True), True)],
)
def test_dispersion(tmp_path, stated, found):
    pair = two_recordings(tmp_path, [(90, 40), (600, 10)])
    for path, value in zip(pair, stated, strict=True):
        beside = path.with_suffix(".json")
        fields = json.loads(beside.read_text())
        beside.write_text(
            json.dumps(fields if value is None else fields | {"DispersionCorrected": value})
        )
    blood = load_blood(pair)
    assert blood.dispersion_corrected is found
    write_blood(tmp_path / "x_blood.tsv", blood)
    assert load_blood(tmp_path / "x_blood.tsv").dispersion_corrected is found
    written = json.loads((tmp_path / "x_blood.json").read_text())
    assert written.get("DispersionCorrected") is found


def test_dispersion_that_is_neither(tmp_path):
    with pytest.raises(InputError, match=r"DispersionCorrected is 'no' in sub-01_blood\.json"):
        load_blood(write(tmp_path, ROWS, {**FIELDS, "DispersionCorrected": "no"}))


@pytest.mark.parametrize("kind", ["total", "parent"])
def test_written_blood_is_read_back_bit_equal(tmp_path, kind):
    rng = np.random.default_rng(2)
    time = np.cumsum(rng.random(30)) - 1
    plasma = np.where(np.arange(30) == 9, 40.0, rng.random(30))
    plasma[4] = np.nan
    fraction = None if kind == "parent" else rng.random(30)
    blood = InputFunction(
        time=time,
        plasma=plasma,
        whole_blood=plasma / 3,
        parent_fraction=fraction,
        unit="MBq/mL",
        plasma_kind=kind,
    )
    write_blood(tmp_path / "x_blood.tsv", blood)
    again = load_blood(tmp_path / "x_blood.tsv")
    for name in ("time", "plasma", "whole_blood", "parent_fraction"):
        np.testing.assert_array_equal(getattr(again, name), getattr(blood, name))
    assert (again.unit, again.plasma_kind, again.remarks) == ("MBq/mL", kind, ())


DEFECTS = {
    "sub-13_ses-retest_recording-manual_blood.tsv": "times go from 178.2 to 133.8 s on line 10",
    "sub-13_ses-test_recording-manual_blood.tsv": "plasma ends at 2731.8 s, the scan at 5400 s",
}


def test_real_mc1(reference_data):
    found = sorted((reference_data / "bids_mc1").glob("sub-*/*/pet/*_blood.tsv"))
    assert len(found) == 36
    prepended = 0
    for path in found:
        pet = json.loads(next(path.parent.glob("*_pet.json")).read_text())
        end = pet["FrameTimesStart"][-1] + pet["FrameDuration"][-1]
        if path.name in DEFECTS:
            with pytest.raises(InputError, match=DEFECTS[path.name]):
                load_blood(path).curve(end)
            continue
        blood = load_blood(path, injection=pet["InjectionStart"])
        curve = blood.curve(end)
        odd = any("check Units" in remark for remark in blood.remarks)
        assert odd == ("sub-01_ses-blocked" in path.name)  # kBq/mL labelled Bq/mL
        assert blood.unit in ("kBq/mL", "Bq/mL") and curve.time[-1] >= end
        assert np.isfinite(curve.plasma).all() and curve.plasma.max() > 0
        prepended += any("zero prepended to plasma" in remark for remark in curve.remarks)
    assert prepended > 18


@pytest.mark.parametrize(
    ("name", "end", "plasma", "whole_blood", "peak"),
    [
        ("sub-01_ses-01_recording-manual_blood.tsv", 7200, True, False, 33226.4655),
        ("sub-01_ses-01_trc-CIMBI36_recording-manual_blood.tsv", 7200, True, True, 48.96),
        ("sub-01_ses-01_trc-CIMBI36_recording-autosampler_blood.tsv", 900, False, True, None),
        ("sub-01_recording-manual_blood.tsv", 7200, True, True, 48.40),
        ("sub-01_recording-autosampler_blood.tsv", 4673, False, True, None),
    ],
)
def test_real_examples(reference_data, name, end, plasma, whole_blood, peak):
    path = next((reference_data / "pet_bids_blood").rglob(name))
    blood = load_blood(path)
    assert (blood.plasma is not None, blood.whole_blood is not None) == (plasma, whole_blood)
    if peak is not None:
        assert np.nanmax(blood.plasma) == peak
    curve = blood.curve(end)
    assert curve.time[-1] == pytest.approx(end)
    text = " / ".join(curve.remarks)
    assert ("no whole blood" in text) != whole_blood
    assert ("no plasma" in text) != plasma


@pytest.mark.parametrize(
    ("study", "last", "common", "off", "late"),
    [("pet001", 900, 3, "19 %", 7), ("pet004", 4673, 9, "38 %", 3)],
)
def test_real_recordings_of_one_scan(reference_data, study, last, common, off, late):
    """Both files hold whole blood: the sampler's to its end, manual samples after it."""
    found = sorted((reference_data / "pet_bids_blood" / study).rglob("*_blood.tsv"))
    sampler, manual = (load_blood(path) for path in found)
    blood = load_blood(found)
    early = blood.time <= last
    for ours, theirs in ((early, sampler), (~early, manual)):
        known = ours & np.isfinite(blood.whole_blood)
        own = theirs.time <= last if theirs is sampler else theirs.time > last
        np.testing.assert_array_equal(blood.whole_blood[known], theirs.whole_blood[own])
    assert (np.isfinite(blood.whole_blood) & ~early).sum() == late
    np.testing.assert_array_equal(
        blood.plasma[np.isfinite(blood.plasma)], manual.plasma[np.isfinite(manual.plasma)]
    )
    said = next(remark for remark in blood.remarks if "differ" in remark)
    assert f"differ by {off} (median of {common} samples in common)" in said
    assert all(path.name in said for path in found)
    assert blood.dispersion_corrected is False
    assert blood.curve(7200.0).time[-1] == 7200.0


def test_a_sample_before_the_injection_keeps_the_rise():
    """The line from a sample before the injection to the first after it is cut, not dropped."""
    blood = InputFunction(
        time=np.array([-5.0, 10.0, 20.0, 60.0]),
        plasma=np.array([0.0, 30.0, 20.0, 10.0]),
        plasma_kind="parent",
    )
    curve = blood.curve(60.0)
    assert curve.time[0] == 0.0
    assert np.interp(5.0, curve.time, curve.plasma) == pytest.approx(20.0)
