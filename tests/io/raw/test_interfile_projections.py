"""Projection data in Interfile: every number where the header says, whatever the order."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.io.raw.cases import NO_GAPS, TINY, brute_planes

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.scanners import SCANNERS
from betaplus.core.tracer import Tracer
from betaplus.io.raw.interfile_projections import (
    read_interfile_projections,
    write_interfile_projections,
)

HEADER = """!INTERFILE  :=
name of data file := a.s
imagedata byte order := {order}
!number format := {kind}
!number of bytes per pixel := {size}
data offset in bytes := {offset}
image scaling factor [1] := {scale}
number of dimensions := 4
matrix axis label [4] := segment
!matrix size [4] := 3
matrix axis label [{view}] := view
!matrix size [{view}] := 18
matrix axis label [{axial}] := axial coordinate
!matrix size [{axial}] := {planes}
matrix axis label [1] := tangential coordinate
!matrix size [1] := {radial}
minimum ring difference per segment := {low}
maximum ring difference per segment := {high}
Scanner type := tiny
Number of rings := {rings}
Number of detectors per ring := 36
Inner ring diameter (cm) := 12
Average depth of interaction (cm) := 0.5
Distance between rings (cm) := 0.4
View offset (degrees) := 0
Number of crystals per block in transaxial direction := 9
end scanner parameters :=
!END OF INTERFILE :=
"""
PLAIN = {
    "order": "LITTLEENDIAN",
    "kind": "float",
    "size": 4,
    "offset": 0,
    "scale": 1,
    "view": 3,
    "axial": 2,
    "planes": "{5,9,5}",
    "radial": 15,
    "low": "{-4,-1,2}",
    "high": "{-2,1,4}",
    "rings": 5,
}


def lines(seed: int = 0, most: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, most, NO_GAPS.shape).astype(np.float32)


def write_by_hand(tmp_path, data, dtype="<f4", order=(-1, 0, 1), by_view=True, **changes):
    """Write segments in a given order with nothing but numpy; planes by counting pairs."""
    segments = {0: data[..., 0:9], 1: data[..., 9:14], -1: data[..., 14:19]}
    fields = dict(PLAIN)
    fields["planes"] = "{" + ",".join(str(segments[n].shape[2]) for n in order) + "}"
    fields["low"] = "{" + ",".join({-1: "-4", 0: "-1", 1: "2"}[n] for n in order) + "}"
    fields["high"] = "{" + ",".join({-1: "-2", 0: "1", 1: "4"}[n] for n in order) + "}"
    if not by_view:
        fields |= {"view": 2, "axial": 3}
    fields |= changes
    axes = (0, 2, 1) if by_view else (2, 0, 1)
    raw = b"".join(segments[n].transpose(axes).astype(dtype).tobytes() for n in order)
    (tmp_path / "a.s").write_bytes(b"x" * int(fields["offset"]) + raw)
    (tmp_path / "a.hs").write_text(HEADER.format(**fields))
    return tmp_path / "a.hs"


def test_the_planes_are_those_of_the_pairs():
    pairs = brute_planes(5, 3, 4)
    first = {0: 0, 1: 9, -1: 14}
    for (a, b), (segment, axial) in pairs.items():
        assert NO_GAPS.michelogram.plane_of_pair[a, b] == first[segment] + axial


@pytest.mark.parametrize("order", [(-1, 0, 1), (0, -1, 1), (1, 0, -1)])
@pytest.mark.parametrize("by_view", [True, False])
def test_orders(tmp_path, order, by_view):
    data = lines()
    found = read_interfile_projections(write_by_hand(tmp_path, data, order=order, by_view=by_view))
    assert found.scanner == NO_GAPS
    assert found.data.dtype == np.float32 and np.array_equal(found.data, data)
    assert found.frames is None and found.tracer is None and found.remarks == ()


@pytest.mark.parametrize(
    ("dtype", "kind", "size"),
    [
        ("f4", "float", 4),
        ("f4", "short float", 4),
        ("f8", "float", 8),
        ("i2", "signed integer", 2),
        ("i2", "short", 2),
        ("u2", "unsigned integer", 2),
        ("u2", "unsigned short", 2),
        ("u1", "unsigned integer", 1),
        ("i4", "signed integer", 4),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_types(tmp_path, dtype, kind, size, order):
    data = lines()
    name = {"<": "LITTLEENDIAN", ">": "BIGENDIAN"}[order]
    path = write_by_hand(tmp_path, data, order + dtype, kind=kind, size=size, offset=12, scale=0.5)
    path.write_text(path.read_text().replace("LITTLEENDIAN", name))
    assert np.array_equal(read_interfile_projections(path).data, 0.5 * data)


def test_compressed(tmp_path):
    path = write_by_hand(tmp_path, lines())
    raw = (tmp_path / "a.s").read_bytes()
    (tmp_path / "a.s").unlink()
    (tmp_path / "a.s.gz").write_bytes(gzip.compress(raw))
    assert np.array_equal(read_interfile_projections(path).data, lines())
    for bad, message in (
        (gzip.compress(raw + b"x"), "a.s.gz holds more than 20520 bytes; expected 20520"),
        (gzip.compress(raw[:-4]), "a.s.gz holds 20516 bytes; expected 20520"),
        (gzip.compress(raw)[:-20], "a.s.gz is damaged"),
        (raw, "a.s.gz is damaged"),
    ):
        (tmp_path / "a.s.gz").write_bytes(bad)
        with pytest.raises(InputError, match=message):
            read_interfile_projections(path)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["teaching", "mMR"]),
    span=st.sampled_from([1, 3, 5]),
    most=st.integers(0, 4),
    radial=st.integers(1, 24),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8, np.uint16, np.int16, np.int32]),
    seed=st.integers(0, 99),
)
def test_written_is_read(tmp_path, name, span, most, radial, dtype, seed):
    scanner = SCANNERS[name].replace(rings=6, span=span, max_ring_difference=most, radial=radial)
    data = np.random.default_rng(seed).integers(0, 127, scanner.shape).astype(np.float32)
    frames, tracer = FrameTiming.from_durations([60.5], 12.25), Tracer.of("C11", name="PBR28")
    path = tmp_path / "b.hs"
    write_interfile_projections(path, data, scanner, frames=frames, tracer=tracer, dtype=dtype)
    found = read_interfile_projections(path)
    assert np.array_equal(found.data, data)
    assert found.frames == frames and found.tracer == tracer
    own, other = found.scanner, scanner
    assert np.array_equal(own.michelogram.plane_of_pair, other.michelogram.plane_of_pair)
    assert own.radial == other.radial and own.radius == pytest.approx(other.radius)


def test_missing_crystals_come_from_the_known_scanner(tmp_path):
    scanner = SCANNERS["teaching"]
    data = np.ones(scanner.shape, np.float32)
    write_interfile_projections(tmp_path / "b.hs", data, scanner)
    assert read_interfile_projections(tmp_path / "b.hs").scanner == scanner
    text = (tmp_path / "b.hs").read_text().replace(":= 40.0", ":= 44.0")
    (tmp_path / "b.hs").write_text(text)
    found = read_interfile_projections(tmp_path / "b.hs")
    assert found.scanner.gap == 0 and found.scanner.radius == 220.0
    assert "not that of teaching" in found.remarks[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"radial": 14}, "a.s holds 20520 bytes; expected 19152 as a.hs says"),
        ({"offset": -1}, "'data offset in bytes' is -1"),
        ({"planes": "{5,9,6}"}, "a segment of ring differences 2 to 4 with 6 planes in a.hs"),
        ({"planes": "{5,9}"}, "ring differences and axial sizes do not go together"),
        ({"low": "{-4,-1,3}"}, "a segment of ring differences 3 to 4 with 5 planes"),
        ({"low": "{-4,0,2}"}, "span 2 in a.hs; expected an odd number"),
        ({"high": "{-2,1,5}"}, "a ring difference of 5 on 5 rings"),
        ({"rings": 6}, "ring differences -4 to -2 with 5 planes in a.hs; expected 7 planes"),
        ({"kind": "complex"}, "numbers are of format 'complex' with 4 bytes"),
        ({"size": 3}, "numbers are of format 'float' with 3 bytes"),
        ({"order": "MIDDLE"}, "byte order 'MIDDLE'"),
        ({"order": ""}, "'imagedata byte order' is missing"),
        ({"scale": "{1,2}"}, "'image scaling factor' is not one number"),
        ({"view": 2, "axial": 2}, "'matrix axis label .3.' is missing"),
    ],
)
def test_headers_that_disagree(tmp_path, changes, message):
    path = write_by_hand(tmp_path, lines())
    fields = PLAIN | changes
    path.write_text(HEADER.format(**fields))
    with pytest.raises(InputError, match=message) as error:
        read_interfile_projections(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[4] := 3", "[4] := 4", "4 segments but 3 axial sizes"),
        ("size [3] := 18", "size [3] := 9", "9 views in a.hs; expected 18"),
        ("detectors per ring := 36", "detectors per ring := 54", "18 views in a.hs; expected 27"),
        ("degrees) := 0", "degrees) := 10", "a view offset of 10 degrees"),
        ("label [1] := tang", "label [1] := other tang", "axes other tangential coordinate"),
        ("= 12\n", "= 1200\n", "crystals 1e.03 mm apart"),
        ("Number of rings := 5\n", "", "'number of rings' missing and scanner 'tiny' not known"),
        ("!number format", "applied corrections := {arc correction}\n!number format", "arc-corr"),
        ("dimensions := 4", "dimensions := 5", "'matrix axis label .5.' is missing"),
        ("a.s\n", "c.s\n", "c.s, which a.hs names as its data, does not exist"),
    ],
)
def test_headers_that_are_wrong(tmp_path, old, new, message):
    path = write_by_hand(tmp_path, lines())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_interfile_projections(path)


def test_values_that_are_no_numbers(tmp_path):
    data = lines()
    data[3, 4, 5] = np.nan
    with pytest.raises(InputError, match=r"1 values of a\.hs are NaN or infinite"):
        read_interfile_projections(write_by_hand(tmp_path, data))


def test_what_cannot_be_written(tmp_path):
    path, data = tmp_path / "b.hs", lines()
    for call, message in (
        (lambda: write_interfile_projections(path, data[1:], TINY), "expected .18, 15, 19."),
        (lambda: write_interfile_projections(tmp_path / "b.s", data, TINY), "a name in .hs"),
        (lambda: write_interfile_projections(path, data + 200, TINY, dtype=np.uint8), "uint8"),
        (lambda: write_interfile_projections(path, data + 0.5, TINY, dtype=np.int16), "int16"),
        (lambda: write_interfile_projections(path, data, TINY, dtype=np.complex64), "complex64"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
    assert list(tmp_path.iterdir()) == []


def test_radionuclides_as_stir_spells_them(tmp_path):
    path = write_by_hand(tmp_path, lines())
    text = path.read_text()
    for name, nuclide in (("^18^Fluorine", "F18"), ("^11^Carbon", "C11"), ("Ga-68", "Ga68")):
        path.write_text(
            text.replace("end scanner", f"radionuclide name [1] := {name}\nend scanner")
        )
        assert read_interfile_projections(path).tracer == Tracer.of(nuclide)
    path.write_text(text.replace("end scanner", "isotope name := Xx-99\nend scanner"))
    found = read_interfile_projections(path)
    assert found.tracer is None and "Xx-99" in found.remarks[0]


JUNK = ["", "-1", "0", "1e400", "nan", "{", "{1,2", "99999999999999999999", "x" * 300, ".", "/"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.integers(1, 25), value=st.sampled_from(JUNK))
def test_any_line_may_be_wrong(tmp_path, line, value):
    path = write_by_hand(tmp_path, lines())
    text = path.read_text().splitlines()
    text[line] = text[line].partition(":=")[0] + ":= " + value
    path.write_text("\n".join(text))
    try:
        read_interfile_projections(path)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
