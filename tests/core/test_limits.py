"""What is larger, deeper or elsewhere than it may be is refused, in one line and unread."""

from __future__ import annotations

import json
import math
import os
import tomllib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import BetaplusError, InputError, visible
from betaplus.core.limits import (
    LARGEST_TEXT,
    MOST_NUMBERS,
    MOST_VOXELS,
    belongs,
    can_unzip_to,
    check_shape,
    is_affine,
    lies_in,
    parse_json,
    read_text,
    read_toml,
)


@pytest.mark.parametrize("shape", [(440, 440, 1000), (192, 288, 520, 200), (1, 1, 32767, 32767)])
def test_shapes_of_scans(shape):
    check_shape(shape, "a.nii")


@pytest.mark.parametrize(
    "shape", [(32768, 1, 1), (10000, 10000, 10000), (1024, 1024, 1025), (1000, 1000, 1000, 1000)]
)
def test_shapes_of_nothing(shape):
    with pytest.raises(InputError, match=r"a\.nii says that it has shape .* expected at most"):
        check_shape(shape, "a.nii")
    assert MOST_VOXELS < 1e10 and MOST_NUMBERS < 1e12


def test_gzip_cannot_hold_more_than_a_thousand_times_itself():
    import gzip

    for n in (0, 1000, 10**6, 3 * 10**7):
        assert can_unzip_to(len(gzip.compress(bytes(n), 9)), n)
    assert not can_unzip_to(1000, 2 * 10**6)


def test_affines():
    assert is_affine(np.diag([2.0, -2.0, 3.0, 1.0]))
    for entry in (0.0, np.nan, np.inf, 1e200, 1e-20):
        matrix = np.eye(4)
        matrix[0, 0] = entry
        assert not is_affine(matrix), entry


def test_a_text_that_is_too_large_is_not_held(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(4 << 30)  # takes no room on the disk
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a\.json holds over 16 MiB; expected a table"):
        read_text(path, "expected a table")
    assert tracemalloc.get_traced_memory()[1] < 3 * LARGEST_TEXT
    tracemalloc.stop()


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("pipe.json", "."):
        with pytest.raises(InputError, match="is no file"):
            read_text(tmp_path / name, "expected a table")
    with pytest.raises(InputError, match="does not exist"):
        read_text(tmp_path / "no.json", "expected a table")
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as text"):
        read_text(tmp_path / "a.json", "expected a table")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "of over 64 levels"),
        ("[" * 65 + "]" * 65, "of over 64 levels"),
        ('{"a":' * 70 + "1" + "}" * 70, "of over 64 levels"),
        ('{"a": ' + "9" * 5000 + "}", "is not valid JSON"),
        ('{"a": 1', "is not valid JSON at line 1, column 8"),
        ("", "is not valid JSON at line 1"),
    ],
)
def test_json_that_is_none_or_too_deep(text, words):
    with pytest.raises(InputError, match=words):
        parse_json(text, "a.json", "expected fields")


def test_json_that_is_deep_enough():
    text = "[" * 64 + "]" * 64
    assert json.dumps(parse_json(text, "a.json", "expected fields")) == text
    assert math.isnan(parse_json("NaN", "a.json", ""))
    with pytest.raises(InputError, match="NaN is no number"):
        parse_json("[NaN]", "a.json", "", constants=False)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = "])
def test_toml_that_is_none_or_too_deep(tmp_path, text):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(tomllib.TOMLDecodeError):
        read_toml(tmp_path / "a.toml")


def test_toml(tmp_path):
    (tmp_path / "a.toml").write_text("a = {b = 1.5}")
    assert read_toml(tmp_path / "a.toml") == {"a": {"b": 1.5}}


def test_what_belongs_to_a_file(tmp_path):
    """By links and names: the folder, the data set above, and where the file itself is kept."""
    elsewhere, data = tmp_path / "elsewhere", tmp_path / "data" / "sub-01" / "pet"
    for folder in (elsewhere, data):
        folder.mkdir(parents=True)
    owner, secret = data / "a.nii", elsewhere / "secret.json"
    owner.touch(), secret.touch()
    assert belongs(data / "a.json", owner) and belongs(data / "more" / "a.s", owner)
    assert not belongs(data / ".." / "a.json", owner)
    assert not belongs(secret, owner) and not belongs(Path("/etc/passwd"), owner)
    (data / "a.json").symlink_to(secret)
    assert not belongs(data / "a.json", owner) and not lies_in(data / "a.json", data)
    (data / "loop").symlink_to(data / "loop")
    assert not belongs(data / "loop", owner)
    assert not belongs(Path("\0"), owner)

    kept = tmp_path / "data" / ".git" / "annex" / "objects" / "x"
    kept.mkdir(parents=True)
    (kept / "a.json").touch()
    (data / "b.json").symlink_to(kept / "a.json")
    assert belongs(data / "b.json", owner) and lies_in(data / "b.json", data)
    assert not belongs(data / "a.json", owner)

    link = tmp_path / "links" / "a.nii"
    link.parent.mkdir()
    link.symlink_to(elsewhere / "a.nii")
    (link.parent / "secret.json").symlink_to(secret)
    assert belongs(link.parent / "secret.json", link)


def test_a_message_is_one_line_that_a_terminal_can_show():
    error = BetaplusError("a\x1b[2Jb\u2028c\nd\u202ee", "x" * 10**6, "the end")
    text = str(error)
    assert text.isprintable() and len(text) < 2100
    assert text.startswith("a?[2Jb c d?e; xxx") and text.endswith("; the end")


def test_what_is_printed_keeps_its_lines_and_columns():
    assert visible("a  b\n c\td\x1b]0;x\x07\r") == "a  b\n c?d?]0;x??"
    assert visible("µ Ki  0.1") == "µ Ki  0.1"
