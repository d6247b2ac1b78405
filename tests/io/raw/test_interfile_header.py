"""Interfile headers: names in any spelling, all line ends, one line for every defect."""

from __future__ import annotations

import datetime

import pytest

from betaplus.core.errors import InputError
from betaplus.io.raw.interfile_header import InterfileHeader


def header(tmp_path, text: str) -> InterfileHeader:
    (tmp_path / "a.hs").write_bytes(text.encode("latin-1"))
    return InterfileHeader(tmp_path / "a.hs")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\n\r\n"])
def test_fields(tmp_path, end):
    lines = [
        "!INTERFILE  :=",
        "; a comment := of no use",
        "!Number  Of Rings := 64",
        "%Matrix size [ 1 ]:={3, 4,5}",
        "distance between rings (cm) := 0.40625",
        "%study date (yyyy:mm:dd):=2017:03:27",
        "%study time (hh:mm:ss GMT+00:00):=17:00:35",
        "empty :=",
        "!END OF INTERFILE :=",
        "number of rings := 65",
    ]
    found = header(tmp_path, end.join(lines))
    assert found.whole("number of rings") == 64
    assert found.wholes("matrix size [1]") == [3, 4, 5]
    assert found.number("nothing", "distance between rings (cm)") == 0.40625
    assert found.text("empty") is None and found.whole("nothing") is None
    assert found.moment("study") == datetime.datetime(2017, 3, 27, 17, 0, 35)
    assert found.moment("tracer injection") is None


@pytest.mark.parametrize("text", ["", "rings := 3\n!INTERFILE :=\n", "x", "!INTERFILE :=\0"])
def test_no_header(tmp_path, text):
    with pytest.raises(InputError, match=r"a\.hs is no Interfile header"):
        header(tmp_path, text)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        InterfileHeader(tmp_path / "none.hs")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("six", "'rings' is 'six' in a.hs; expected a number"),
        ("nan", "'rings' is 'nan' in a.hs; expected a number"),
        ("6.5", "'rings' is 6.5 in a.hs; expected a whole number"),
        ("", "'rings' is missing in a.hs; expected that field"),
    ],
)
def test_bad_values(tmp_path, value, message):
    found = header(tmp_path, f"!INTERFILE :=\nrings := {value}\n")
    with pytest.raises(InputError) as error:
        found.required_whole("rings")
    assert str(error.value) == message


def test_bad_time_is_none(tmp_path):
    found = header(tmp_path, "!INTERFILE :=\nstudy date := 2017:13:01\nstudy time := 1:2:3\n")
    assert found.moment("study") is None
