"""DICOM files with private junk, headers without end, and links that lead elsewhere."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.io.dicom.cases import dose_of, first_file, simple

from betaplus.core.errors import InputError
from betaplus.io.open import load

_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
_END_OF_ITEM = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def element(group: int, number: int, kind: bytes, value: bytes, length: int | None = None) -> bytes:
    """Return an element of explicit VR in little endian, with a length of four bytes."""
    size = len(value) if length is None else length
    return struct.pack("<HH2sHI", group, number, kind, 0, size) + value


def with_elements(path: Path, junk: bytes) -> None:
    """Put elements of group 0009 before the first of group 0010."""
    raw = path.read_bytes()
    at = raw.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    path.write_bytes(raw[:at] + junk + raw[at:])


def test_large_private_elements_are_passed_over(tmp_path: Path) -> None:
    folder, values = simple(tmp_path / "s")
    with_elements(first_file(folder), element(0x0009, 0x1001, b"OB", bytes(50 << 20)))
    tracemalloc.start()
    image = load(folder)
    np.testing.assert_allclose(image.data[...], values, rtol=1e-6)
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


def many_elements() -> bytes:
    return b"".join(element(0x0009, 0x1000 + i, b"OB", bytes(40_000)) for i in range(100))


def many_items() -> bytes:
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 140_000
    return element(0x0009, 0x1001, b"SQ", items + _END, 0xFFFFFFFF)


def deep_sequences() -> bytes:
    head = element(0x0009, 0x1001, b"SQ", b"", 0xFFFFFFFF) + _ITEM
    return head * 5000 + (_END_OF_ITEM + _END) * 5000


def a_length_beyond_the_file() -> bytes:
    return element(0x0009, 0x1001, b"OB", b"x", 0xFFFFFFF0)


def a_length_beyond_the_file_of_text() -> bytes:
    return struct.pack("<HH2sH", 0x0009, 0x1001, b"LO", 0xFFFF) + b"x"


def noise() -> bytes:
    return np.random.default_rng(0).bytes(3000)


@pytest.mark.parametrize(
    "junk",
    [
        many_elements,
        many_items,
        deep_sequences,
        a_length_beyond_the_file,
        a_length_beyond_the_file_of_text,
        noise,
    ],
)
def test_headers_without_end(tmp_path: Path, junk: Any) -> None:
    folder, _ = simple(tmp_path / "s")
    path = first_file(folder)
    with_elements(path, junk())
    with pytest.raises(InputError, match=path.name):
        load(folder)


def test_a_file_larger_than_a_slice(tmp_path: Path) -> None:
    folder, _ = simple(tmp_path / "s")
    with first_file(folder).open("r+b") as file:
        file.truncate(1 << 30)  # takes no room on the disk
    with pytest.raises(InputError, match="holds 1073741824 bytes; expected one slice, up to"):
        load(folder)


def test_links_are_followed_within_the_data_set_only(tmp_path: Path) -> None:
    folder, values = simple(tmp_path / "set" / "series")
    kept = tmp_path / "set" / ".git" / "annex"
    kept.mkdir(parents=True)
    for path in sorted(folder.iterdir())[:2]:
        path.rename(kept / path.name)
        path.symlink_to(kept / path.name)
    np.testing.assert_allclose(load(folder).data[...], values, rtol=1e-6)
    outside = tmp_path / "outside"
    path = max(folder.iterdir())
    path.rename(outside)
    path.symlink_to(outside)
    remarks = load(folder).remarks
    assert any("1 links of series lead out of it and were left out" in line for line in remarks)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ActualFrameDuration", "99999999999", r"ActualFrameDuration .* is 1e\+11"),
        ("AcquisitionDate", "99991231", r"AcquisitionDate .* '99991231'"),
        ("PixelSpacing", ["1e200", "2"], r"PixelSpacing .* up to 10000 mm"),
        ("ImagePositionPatient", ["1e200", "0", "0"], "at most 1e\\+06 mm from the origin"),
        ("DecayFactor", "1e300", r"DecayFactor .* is 1e\+300"),
        ("RadionuclideHalfLife", "1e-300", "RadionuclideHalfLife|DecayFactor|half-lives"),
        ("RadionuclideHalfLife", "1e300", r"RadionuclideHalfLife .* is 1e\+300"),
    ],
)
def test_numbers_beyond_any_scan(tmp_path: Path, name: str, value: Any, words: str) -> None:
    def spoil(data: Any, z: int, t: int) -> None:
        setattr(dose_of(data) if name == "RadionuclideHalfLife" else data, name, value)

    folder, _ = simple(tmp_path / "s", edit=spoil)
    with pytest.raises(InputError, match=words):
        load(folder)
