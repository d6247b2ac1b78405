"""Normalisation of the mMR: against a sum written out, and every kind of bad file."""

from __future__ import annotations

import numpy as np
import pytest
from tests.io.raw.cases import TINY

from betaplus.core.errors import InputError
from betaplus.io.raw.norm import read_norm

SHAPES = {
    "geometric effects": (9, 15),
    "crystal interference": (15, 9),
    "crystal efficiencies": (5, 36),
    "axial effects": (19,),
}
HEADER = """!INTERFILE:=
!name of data file:=a.n
image data byte order:=LITTLEENDIAN
number format:=float
number of bytes per pixel:=4
%number of normalization components:=4
%axial compression:=3
%maximum ring difference:=4
number of rings:=5
"""


def components(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {n: rng.uniform(0.5, 2.0, s).astype("<f4") for n, s in SHAPES.items()}


def write(tmp_path, parts, **sizes):
    text, raw = HEADER, b""
    for i, (name, values) in enumerate(parts.items(), start=1):
        size = sizes.get(name.split()[0], ",".join(map(str, values.shape[::-1])))
        text += f"%normalization component [{i}]:={name}\n"
        text += f"data offset in bytes [{i}]:={len(raw)}\n%matrix size [{i}]:={{{size}}}\n"
        raw += values.tobytes()
    (tmp_path / "a.n").write_bytes(raw)
    (tmp_path / "a.n.hdr").write_text(text)
    return tmp_path / "a.n.hdr"


def by_hand(parts, span) -> np.ndarray:
    """The formula of the module, pair by pair."""
    scanner = TINY.replace(span=span)
    own, file = scanner.michelogram, TINY.michelogram
    siemens = {0: 0, -1: 9, 1: 14}  # where segments begin in the file
    out = np.zeros(scanner.shape)
    for v in range(18):
        for r in range(15):
            d1, d2 = scanner.pairs[v, r]
            if d1 % 9 == 0 or d2 % 9 == 0:
                continue
            for a, b in own.pairs:
                plane = file.plane_of_pair[a, b]
                segment = next(s for s in file.segments if 0 <= plane - s.first < s.planes)
                axial = parts["axial effects"][siemens[segment.number] + plane - segment.first]
                out[v, r, own.plane_of_pair[a, b]] += (
                    parts["crystal efficiencies"][a, d1 - 1]
                    * parts["crystal efficiencies"][b, d2 - 1]
                    * parts["geometric effects"][a + b, r]
                    * parts["crystal interference"][r, v % 9]
                    / axial
                )
    return out


@pytest.mark.parametrize("span", [1, 3, 5])
def test_against_a_sum_written_out(tmp_path, span):
    parts = components()
    found = read_norm(write(tmp_path, parts), TINY.replace(span=span))
    assert found.dtype == np.float32
    assert np.allclose(found, by_hand(parts, span), rtol=1e-6)
    assert np.array_equal(found == 0.0, np.broadcast_to(~TINY.live[..., None], found.shape))


def test_pairs_of_rings_are_counted_once(tmp_path):
    parts = {name: np.ones_like(values) for name, values in components().items()}
    found = read_norm(write(tmp_path, parts), TINY)
    assert np.array_equal(found[TINY.live][7], TINY.michelogram.multiplicity)


def test_the_data_file_may_be_named(tmp_path):
    write(tmp_path, components())
    assert np.array_equal(read_norm(tmp_path / "a.n", TINY), read_norm(tmp_path / "a.n.hdr", TINY))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_factors_that_are_none(tmp_path, name, value):
    parts = components()
    parts[name].flat[7] = value
    with pytest.raises(InputError, match=f"1 values of {name} in a.n are not above 0"):
        read_norm(write(tmp_path, parts), TINY)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"geometric": "15,8"}, "geometric effects of size 15 x 8 in a.n.hdr; expected 15 x 9"),
        ({"crystal": "9"}, "crystal interference of size 9 in a.n.hdr; expected 9 x 15"),
        ({"axial": "837"}, "axial effects of size 837 in a.n.hdr; expected 19"),
    ],
)
def test_sizes_that_disagree(tmp_path, sizes, message):
    with pytest.raises(InputError, match=message):
        read_norm(write(tmp_path, components(), **sizes), TINY)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rings:=5", "rings:=6", "a.n.hdr is of another scanner: number of rings is 6"),
        ("difference:=4", "difference:=3", "ring differences up to 3 in a.n.hdr; expected 4"),
        ("component [4]:=axial", "component [4]:=other", "no component 'axial effects'"),
        ("%number of normalization components:=4\n", "", "no normalisation components"),
        ("a.n\n", "b.n\n", "b.n, which a.n.hdr names as its data, does not exist"),
        ("offset in bytes [3]:=1080", "offset in bytes [3]:=1800", "expected at least 2520 for"),
    ],
)
def test_headers_that_are_wrong(tmp_path, old, new, message):
    path = write(tmp_path, components())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_norm(path, TINY)


def test_a_cut_file(tmp_path):
    path = write(tmp_path, components())
    (tmp_path / "a.n").write_bytes((tmp_path / "a.n").read_bytes()[:-1])
    with pytest.raises(
        InputError, match=r"a\.n holds 1875 bytes; expected at least 1876 for axial"
    ):
        read_norm(path, TINY)
