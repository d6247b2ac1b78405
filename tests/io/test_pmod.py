"""PMOD's text files: what is read, what comes back bit-equal, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from betaplus.core import FrameTiming, InputError, TacTable, Tracer, UsageError
from betaplus.core.input_function import InputFunction
from betaplus.io.blood import load_blood
from betaplus.io.describe import describe
from betaplus.io.open import load
from betaplus.io.pmod import load_pmod_blood, load_pmod_tacs, write_pmod_blood, write_pmod_tacs

TAC = "start[seconds]\tend[kBq/cc]\tPutamen_l\tGrey matter\n0\t30\t0.5\t-1e-2\n30\t90\t4.25\t3\n"
OPTIONS = {"radionuclide": "C11", "decay_corrected_to": "injection"}


def write(folder, text, name="x.tac"):
    (folder / name).write_text(text, newline="")
    return folder / name


def test_curves(tmp_path):
    table = load_pmod_tacs(write(tmp_path, TAC), **OPTIONS)
    assert table.names == ("Putamen_l", "Grey matter") and table.unit == "kBq/mL"
    np.testing.assert_array_equal(table.values, [[0.5, 4.25], [-0.01, 3]])
    np.testing.assert_array_equal(table.frames.start, [0, 30])
    np.testing.assert_array_equal(table.frames.duration, [30, 60])
    assert table.tracer.radionuclide == "C11" and table.decay_corrected_to == 0.0
    assert table.remarks == ("time 0 of x.tac taken as the injection",)
    table = load_pmod_tacs(tmp_path / "x.tac", radionuclide="F18", decay_corrected_to="none")
    assert table.decay_corrected_to is None


@pytest.mark.parametrize(
    "text",
    [
        TAC.replace("seconds", "sec").replace("kBq/cc", "kBq/ml"),
        TAC.replace("\n", "\r\n") + "\r\n",
        "\ufeff" + TAC.replace("start[seconds]", "Start [seconds] "),
        TAC.replace("Grey matter", "Grey-matter").replace("\t", "   "),
        TAC.replace("seconds", "minutes")
        .replace("\n30\t90", "\n0.5\t1.5")
        .replace("0\t30", "0\t.5"),
    ],
)
def test_spellings(tmp_path, text):
    table = load_pmod_tacs(write(tmp_path, text), **OPTIONS)
    np.testing.assert_array_equal(table.frames.end, [30, 90])
    np.testing.assert_array_equal(table.values, [[0.5, 4.25], [-0.01, 3]])
    assert table.unit == "kBq/mL"


def test_durations_are_decimal_differences(tmp_path):
    """0.1 to 0.3 min is 12 s, although 0.3 - 0.1 is not 0.2 in binary."""
    text = "start[min]\tend[Bq/cc]\ta\n0.1\t0.3\t1\n0.3\t0.7\t2\n"
    frames = load_pmod_tacs(write(tmp_path, text), **OPTIONS).frames
    np.testing.assert_array_equal(frames.start, [6, 18])
    np.testing.assert_array_equal(frames.duration, [12, 24])


number = st.floats(-1e9, 1e9, allow_subnormal=False)


@given(
    first=st.floats(-100, 100),
    steps=st.lists(st.tuples(st.floats(0.001, 1e4), st.floats(0, 10)), min_size=2, max_size=5),
    seed=st.integers(0, 10**6),
    unit=st.sampled_from(["Bq/mL", "kBq/mL", "MBq/mL", "SUV"]),
)
def test_written_curves_come_back_bit_equal(tmp_path_factory, first, steps, seed, unit):
    start, duration = [first], []
    for length, gap in steps:
        duration.append(length)
        start.append(start[-1] + length + gap)
    frames = FrameTiming(np.array(start[:-1]), np.array(duration))
    values = np.random.default_rng(seed).standard_normal((2, len(steps))) * 10.0 ** (seed % 9)
    table = TacTable(values=values, frames=frames, unit=unit, names=("a b", "c"), tracer=None)
    path = tmp_path_factory.mktemp("t") / "x.tac"
    write_pmod_tacs(path, table)
    again = load_pmod_tacs(path, radionuclide="I124", decay_corrected_to="none")
    assert again.frames == frames and again.unit == unit and again.names == table.names
    np.testing.assert_array_equal(again.values, values)


def test_float32_voxels_without_names_come_back(tmp_path):
    values = np.float32([[0.1, 0.2], [1 / 3, 7e9]])
    frames = FrameTiming.from_durations([60, 60])
    write_pmod_tacs(tmp_path / "v.tac", TacTable(values=values, frames=frames, unit="Bq/mL"))
    again = load_pmod_tacs(tmp_path / "v.tac", **OPTIONS)
    np.testing.assert_array_equal(again.values, values.astype(np.float64))
    assert again.names == ("curve-1", "curve-2")


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        (TAC, {"decay_corrected_to": "none"}, "does not name the radionuclide; .*--radionuclide"),
        (TAC, {"radionuclide": "F18"}, "decay-corrected; .*; give --decay-corrected-to"),
        (TAC.replace("[seconds]", ""), OPTIONS, "heading start in x.tac has no known unit of time"),
        (TAC.replace("seconds", "hours"), OPTIONS, r"start\[hours\] in x.tac has no known unit"),
        (TAC.replace("[kBq/cc]", ""), OPTIONS, "Units is missing in x.tac; .*--unit"),
        (TAC.replace("kBq/cc", "cps"), OPTIONS, "unit 'cps' in Units of x.tac"),
        (TAC.replace("4.25", "4,25"), OPTIONS, "Putamen_l holds '4,25' on line 3 of x.tac"),
        (TAC.replace("4.25", "NaN"), OPTIONS, "Putamen_l holds 'NaN' on line 3"),
        (TAC.replace("4.25", "1e999"), OPTIONS, "Putamen_l holds '1e999'"),
        (TAC.replace("\t3\n", "\n"), OPTIONS, "line 3 of x.tac has 3 values for 4 headings"),
        (TAC.replace("Grey matter", "Putamen_l"), OPTIONS, "x.tac has two Putamen_l"),
        (TAC.replace("Putamen_l", ""), OPTIONS, "x.tac has an empty heading"),
        (TAC.replace("end", "stop"), OPTIONS, "x.tac begins with the headings start"),
        ("start[s]\tend[Bq/cc]\n0\t1\n", OPTIONS, "and a heading per region"),
        (TAC.splitlines()[0], OPTIONS, "x.tac has 1 lines"),
        (TAC.replace("30\t90", "20\t90"), OPTIONS, "x.tac: frame 1 ends at 30 s"),
        (TAC.replace("30\t90", "30\t20"), OPTIONS, "x.tac: frame 2 lasts -10 s"),
    ],
)
def test_curves_refused(tmp_path, text, options, says):
    with pytest.raises(InputError, match=says) as caught:
        load_pmod_tacs(write(tmp_path, text), **options)
    assert "\n" not in str(caught.value)


def test_curves_refused_otherwise(tmp_path):
    with pytest.raises(UsageError, match=r"--unit is Bq/mL but Units is kBq/cc in x\.tac"):
        load_pmod_tacs(write(tmp_path, TAC), unit="Bq/mL", **OPTIONS)
    with pytest.raises(InputError, match="does not exist"):
        load_pmod_tacs(tmp_path / "none.tac", **OPTIONS)
    frames = FrameTiming.from_durations([60])
    for names in (("a\tb",), (" a",), ("",)):
        table = TacTable(values=np.ones((1, 1)), frames=frames, unit="Bq/mL", names=names)
        with pytest.raises(InputError, match=r"cannot be a heading of y\.tac"):
            write_pmod_tacs(tmp_path / "y.tac", table)
    assert not (tmp_path / "y.tac").exists()


def test_load_and_info_know_the_files(tmp_path):
    path = write(tmp_path, TAC)
    assert load(path, **OPTIONS).names == ("Putamen_l", "Grey matter")
    about = describe(path, **OPTIONS)
    assert about["kind"] == "curves" and about["frames"]["count"] == 2
    assert [p["level"] for p in about["problems"]] == ["remark"]
    errors = [p["text"] for p in describe(path)["problems"] if p["level"] == "error"]
    assert len(errors) == 1 and "--radionuclide" in errors[0]
    blood = write(tmp_path, "sample-time[seconds]\tplasma[kBq/cc]\n0\t0\n9\t50\n60\t9\n", "p.bld")
    with pytest.raises(InputError, match=r"p\.bld is a blood file; .*; give it with --blood"):
        load(blood)
    about = describe(blood)
    assert about["kind"] == "blood" and about["series"]["plasma"]["peak"] == 50
    assert about["dispersion_corrected"] is None


def test_blood_files_merge_with_each_other_and_with_tables(tmp_path):
    plasma = "sample-time[minutes]\tplasma[kBq/cc]\n0\t0\n0.5\t90.5\n1.5\t20\n"
    whole = "sample-time[seconds]   whole-blood[Bq/cc]\n0   0\n30   70000\n90   16000\n"
    parent = "sample-time[sec]\tparent[1/1]\n60\t0.9\n90\t0.5\n"
    paths = [write(tmp_path, t, f"{i}.bld") for i, t in enumerate((plasma, whole, parent))]
    blood = load_pmod_blood(*paths, injection=1.0)
    nan = np.nan
    np.testing.assert_array_equal(blood.time, [0, 30, 60, 90])
    np.testing.assert_array_equal(blood.plasma, [0, 90.5, nan, 20])
    np.testing.assert_allclose(blood.whole_blood, [0, 70, nan, 16], rtol=1e-15)
    np.testing.assert_array_equal(blood.parent_fraction, [nan, nan, 0.9, 0.5])
    assert (blood.unit, blood.plasma_kind, blood.injection) == ("kBq/mL", "total", 1.0)
    assert blood.dispersion_corrected is None
    table = "time\tmetabolite_parent_fraction\n60\t0.9\n90\t0.5\n"
    (tmp_path / "a_blood.tsv").write_text(table)
    mixed = load_blood([*paths[:2], tmp_path / "a_blood.tsv"])
    np.testing.assert_array_equal(mixed.parent_fraction, blood.parent_fraction)
    with pytest.raises(UsageError, match=r"a_blood\.tsv is no \.bld file"):
        load_pmod_blood(paths[0], tmp_path / "a_blood.tsv")


@pytest.mark.parametrize("kind", ["total", "parent"])
def test_written_blood_comes_back_bit_equal(tmp_path, kind):
    rng = np.random.default_rng(5)
    time = np.cumsum(rng.random(40)) - 1 / 3
    plasma = np.where(np.arange(40) == 9, 40.0, rng.random(40))
    plasma[[4, 7]] = np.nan
    whole = np.where(np.arange(40) % 2 == 1, 0.6 * plasma, np.nan)
    blood = InputFunction(
        time=time,
        plasma=plasma,
        whole_blood=whole,
        parent_fraction=rng.random(40) if kind == "total" else None,
        unit="MBq/mL",
        plasma_kind=kind,
    )
    paths = write_pmod_blood(tmp_path / "sub.bld", blood)
    names = ["sub_plasma.bld", "sub_whole-blood.bld", "sub_parent.bld"]
    if kind == "parent":
        names = ["sub_parent-plasma.bld", "sub_whole-blood.bld"]
    assert [path.name for path in paths] == names
    again = load_pmod_blood(*paths)
    keep = np.isin(time, again.time)
    assert keep.sum() == (40 if kind == "total" else 38)  # rows without a sample are not written
    for name in ("time", "plasma", "whole_blood", "parent_fraction"):
        was = getattr(blood, name)
        if was is not None:
            np.testing.assert_array_equal(getattr(again, name), was[keep])
    assert (again.unit, again.plasma_kind) == ("MBq/mL", kind)


@pytest.mark.parametrize(
    ("heading", "series", "kind"),
    [
        ("plasma[kBq/cc]", "plasma", "total"),
        ("Total plasma [kBq/cc]", "plasma", "total"),
        ("parent-plasma[kBq/cc]", "plasma", "parent"),
        ("whole-blood[kBq/cc]", "whole_blood", "total"),
        ("WholeBlood[kBq/ml]", "whole_blood", "total"),
    ],
)
def test_headings(tmp_path, heading, series, kind):
    path = write(tmp_path, f"sample-time[seconds]\t{heading}\n0\t0\n9\t50\n60\t9\n", "p.bld")
    blood = load_blood(path)
    np.testing.assert_array_equal(getattr(blood, series), [0, 50, 9])
    assert blood.plasma_kind == kind


@pytest.mark.parametrize(
    "heading", ["parent[1/1]", "parent", "plasma-parent-fraction", "Fraction[1]"]
)
def test_parent_headings(tmp_path, heading):
    plasma = write(tmp_path, "sample-time[s]\tplasma[kBq/cc]\n0\t0\n9\t50\n60\t9\n", "p.bld")
    parent = write(tmp_path, f"sample-time[s]\t{heading}\n9\t1\n60\t.5\n", "f.bld")
    blood = load_pmod_blood(plasma, parent)
    np.testing.assert_array_equal(blood.parent_fraction, [np.nan, 1, 0.5])
    assert blood.plasma_kind == "total"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sample-time[s]\tblood[kBq/cc]\n0\t0\n9\t9\n", r"p.bld has the headings blood\[kBq/cc\]"),
        (
            "sample-time[s]\tplasma[Bq/cc]\tliver\n0\t0\t0\n",
            r"headings plasma\[Bq/cc\], liver; exp",
        ),
        ("sample-time[s]\twhole-plasma[kBq/cc]\n0\t0\n", "has the headings whole-plasma"),
        ("sample-time[s]\tparent[%]\n0\t100\n9\t50\n", r"parent\[%\] in p.bld; .*; divide by 100"),
        ("sample-time[s]\tparent[kBq/cc]\n0\t0\n9\t50\n", "has the headings parent"),
        ("sample-time\tplasma[kBq/cc]\n0\t0\n", "sample-time in p.bld has no known unit of time"),
        ("start[s]\tplasma[kBq/cc]\n0\t0\n", r"begins with the headings start\[s\]"),
        ("sample-time[s]\n0\n", "expected sample-time"),
        (
            "sample-time[s]\tplasma\n0\t0\n9\t9\n",
            "Units is missing in plasma of p.bld; .*--blood-unit",
        ),
        ("sample-time[s]\tplasma[Bq/cc]\n0\t0\n9\t9,\n", "holds '9,' on line 3 of p.bld"),
        ("sample-time[s]\tplasma[Bq/cc]\n0\t0\n9\t9\n\n9\t8\n", "times go from 9 to 9 s on line 5"),
        ("sample-time[s]\tplasma[Bq/cc]\tparent-plasma[Bq/cc]\n0\t0\t0\n", "two columns of plasma"),
    ],
)
def test_blood_refused(tmp_path, text, says):
    with pytest.raises(InputError, match=says) as caught:
        load_pmod_blood(write(tmp_path, text, "p.bld"))
    assert "\n" not in str(caught.value)


def test_parent_plasma_is_not_corrected_again(tmp_path):
    plasma = write(tmp_path, "sample-time[s]\tparent-plasma[kBq/cc]\n0\t0\n9\t50\n60\t9\n", "p.bld")
    parent = write(tmp_path, "sample-time[s]\tparent[1/1]\n9\t1\n60\t.5\n", "f.bld")
    blood = load_pmod_blood(plasma, parent)
    assert blood.parent_fraction is None
    assert any("AIF is corrected already" in remark for remark in blood.remarks)


def test_tracer_is_that_of_the_option(tmp_path):
    table = load_pmod_tacs(write(tmp_path, TAC), radionuclide="18F", decay_corrected_to=12.5)
    assert table.tracer == Tracer.of("F18") and table.decay_corrected_to == 12.5
