"""Tables of curves."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.io.open import load
from betaplus.io.tacs import load_tacs, write_tacs

ROWS = "frame_start\tframe_end\tgrey\twhite\n0\t60\t1\t2\n60\t180\t3\t4\n200\t500\t5\t-0.5\n"
FIELDS = {
    "Units": "kBq/mL",
    "TracerRadionuclide": "C11",
    "InjectionStart": 0,
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
}
OPTIONS = {"unit": "Bq/mL", "radionuclide": "11C", "decay_corrected_to": "injection"}


def write(folder, rows=ROWS, fields=FIELDS):
    (folder / "sub-01_tacs.tsv").write_text(rows)
    (folder / "sub-01_tacs.json").unlink(missing_ok=True)
    if fields is not None:
        (folder / "sub-01_tacs.json").write_text(json.dumps(fields))
    return folder / "sub-01_tacs.tsv"


def test_a_good_table(tmp_path):
    table = load(write(tmp_path))
    assert isinstance(table, TacTable) and table.names == ("grey", "white")
    np.testing.assert_array_equal(table.values, [[1, 3, 5], [2, 4, -0.5]])
    np.testing.assert_array_equal(table.frames.start, [0, 60, 200])
    np.testing.assert_array_equal(table.frames.duration, [60, 120, 300])
    assert (table.unit, table.tracer.radionuclide, table.decay_corrected_to) == (
        "kBq/mL",
        "C11",
        0.0,
    )
    assert table.remarks == ()


def without(*names, **changes):
    return {k: v for k, v in {**FIELDS, **changes}.items() if k not in names}


@pytest.mark.parametrize(
    ("rows", "fields", "says"),
    [
        (ROWS.replace("3\t4", "n/a\t4"), FIELDS, "region grey has no value in frame 2"),
        (ROWS.replace("3\t4", "3\tnan"), FIELDS, "column white holds 'nan' on line 3"),
        (ROWS.replace("frame_end", "end"), FIELDS, "no column frame_end"),
        ("frame_start\tframe_end\n0\t1\n", FIELDS, "no region columns"),
        (ROWS.replace("60\t180", "60\t50"), FIELDS, "frame 2 lasts -10 s"),
        (ROWS.replace("60\t180", "50\t180"), FIELDS, "frame 1 ends at 60 s"),
        (ROWS.replace("60\t180", "n/a\t180"), FIELDS, "frame_start is n/a on line 3"),
        (ROWS, without(frame_start={"Units": "min"}), "frame_start is in 'min'"),
        (ROWS, without("Units"), "--unit"),
        (ROWS, without("TracerRadionuclide"), "--radionuclide"),
        (ROWS, without("ImageDecayCorrected", "ImageDecayCorrectionTime"), "--decay-corrected-to"),
        (ROWS, without("Units", grey={"Units": "Bq/mL"}), "region white has no Units"),
        (
            ROWS,
            without("Units", grey={"Units": "Bq/mL"}, white={"Units": "kBq/mL"}),
            "units Bq/mL, kBq/mL",
        ),
        (
            ROWS,
            without(FrameTimesStart=[0, 60, 180], FrameDuration=[60, 120, 300]),
            "are not those of FrameTimesStart",
        ),
        (
            ROWS,
            without(FrameTimesStart=[0, 60], FrameDuration=[60, 120]),
            "are not those of FrameTimesStart",
        ),
    ],
)
def test_refused(tmp_path, rows, fields, says):
    with pytest.raises(InputError) as caught:
        load_tacs(write(tmp_path, rows, fields))
    assert says in str(caught.value)
    assert "sub-01_tacs" in str(caught.value) and "\n" not in str(caught.value)


def test_minutes(tmp_path):
    rows = "frame_start\tframe_end\tgrey\n" + "".join(f"{i}\t{i + 1}\t5\n" for i in range(60))
    with pytest.raises(InputError, match=r"sub-01_tacs\.tsv look like minutes: 60 frames in 60 s"):
        load_tacs(write(tmp_path, rows))


def test_units_of_columns_and_options(tmp_path):
    fields = without("Units", grey={"Units": "Bq/mL"}, white={"Units": "Bq/ml"})
    assert load_tacs(write(tmp_path, ROWS, fields)).unit == "Bq/mL"
    bare = load_tacs(write(tmp_path, ROWS, None), **OPTIONS)
    assert (bare.unit, bare.tracer.radionuclide, bare.decay_corrected_to) == ("Bq/mL", "C11", 0.0)
    with pytest.raises(UsageError, match="--unit"):
        load_tacs(write(tmp_path), unit="Bq/mL")


def test_zero_duration_row_is_left_out(tmp_path):
    table = load_tacs(write(tmp_path, ROWS.replace("0\t60\t1\t2", "0\t0\tn/a\t2", 1)))
    np.testing.assert_array_equal(table.values, [[3, 5], [4, -0.5]])
    assert table.remarks == ("frame 1 lasts 0 s in sub-01_tacs.tsv and was left out",)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=arrays(np.float64, (2, 3), elements=st.floats(-1e9, 1e9, allow_subnormal=True)),
    durations=st.lists(st.floats(0.1, 1e4), min_size=3, max_size=3),
    start=st.floats(-100, 1e4),
    corrected=st.one_of(st.none(), st.floats(-1e4, 1e4)),
)
def test_written_curves_are_read_back_bit_equal(tmp_path, values, durations, start, corrected):
    table = TacTable(
        values=values,
        frames=FrameTiming.from_durations(durations, start),
        unit="SUV",
        names=("left-Thalamus", "grey matter"),
        tracer=Tracer.of("F18", 6586.2, "FDG"),
        decay_corrected_to=corrected,
        metadata={"Kept": [1, 2]},
    )
    write_tacs(tmp_path / "x_tacs.tsv", table)
    again = load_tacs(tmp_path / "x_tacs.tsv")
    np.testing.assert_array_equal(again.values, table.values)
    assert again.frames == table.frames and again.names == table.names
    assert (again.unit, again.tracer) == ("SUV", table.tracer)
    assert again.decay_corrected_to == corrected and again.metadata["Kept"] == [1, 2]


def test_voxels_without_names_are_numbered(tmp_path):
    frames = FrameTiming.from_durations([60.0])
    table = TacTable(values=np.ones((2, 1)), frames=frames, unit="SUV", tracer=Tracer.of("F18"))
    write_tacs(tmp_path / "x_tacs.tsv", table)
    assert load_tacs(tmp_path / "x_tacs.tsv").names == ("curve-1", "curve-2")


def test_real_mc1(reference_data):
    found = sorted((reference_data / "bids_mc1" / "derivatives").rglob("*_tacs.tsv"))
    assert len(found) >= 30
    for path in found:
        table = load_tacs(path, **OPTIONS)
        assert len(table) > 50 and 3600 < table.frames.end[-1] < 7300
        assert np.isfinite(table.values).all()
    with pytest.raises(InputError, match=r"add it or give --(unit|radionuclide)"):
        load_tacs(found[0])


def test_real_pbr28_as_a_table(reference_data, tmp_path):
    with open(reference_data / "tacs_pbr28" / "pbr28_tacdata.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["PET"] == "rwrd_1"]
    lines = ["frame_start\tframe_end\tTHA"]
    for row in rows:
        begin, last = float(row["StartTime"]), float(row["Duration"])
        lines.append(f"{begin!r}\t{begin + last!r}\t{row['THA']}")
    table = load_tacs(write(tmp_path, "\n".join(lines), None), **OPTIONS)
    assert len(table.frames) == len(rows) - 1 and table.frames.start[0] == 17
    assert "frame 1 lasts 0 s" in table.remarks[1]
