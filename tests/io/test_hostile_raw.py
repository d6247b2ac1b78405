"""Interfile headers, list files and stores of raw data that lead elsewhere or ask for too much."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from tests.io.raw.cases import NO_GAPS, TINY, list_file, tag, word

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.raw import RawScan
from betaplus.core.tracer import Tracer
from betaplus.io.raw.interfile_image import read_interfile_image
from betaplus.io.raw.interfile_projections import (
    read_interfile_projections,
    write_interfile_projections,
)
from betaplus.io.raw.listmode_open import open_listmode
from betaplus.io.raw.store import read_raw, write_raw

IMAGE = """!INTERFILE :=
name of data file := {name}
!number format := float
!number of bytes per pixel := 4
imagedata byte order := LITTLEENDIAN
number of dimensions := 3
!matrix size [1] := {n}
!matrix size [2] := {n}
!matrix size [3] := {n}
scaling factor (mm/pixel) [1] := 2
scaling factor (mm/pixel) [2] := 2
scaling factor (mm/pixel) [3] := 2
!END OF INTERFILE :=
"""


def projections(folder: Path) -> tuple[Path, Path]:
    """Write projections; return their header and their data."""
    folder.mkdir(parents=True, exist_ok=True)
    write_interfile_projections(folder / "a.hs", np.ones(NO_GAPS.shape, np.float32), NO_GAPS)
    return folder / "a.hs", folder / "a.s"


@pytest.mark.parametrize("how", ["up", "absolute", "windows", "through", "link", "gzip link"])
def test_data_out_of_the_folder(tmp_path: Path, how: str) -> None:
    header, data = projections(tmp_path / "data")
    outside = tmp_path / "outside.s"
    data.rename(outside)
    names = {
        "up": "../outside.s",
        "absolute": str(outside),
        "windows": "..\\outside.s",
        "through": "sub/../../outside.s",
    }
    header.write_text(header.read_text().replace(":= a.s", f":= {names.get(how, 'a.s')}"))
    if how == "link":
        data.symlink_to(outside)
    elif how == "gzip link":
        (tmp_path / "outside.gz").write_bytes(gzip.compress(outside.read_bytes()))
        data.with_name("a.s.gz").symlink_to(tmp_path / "outside.gz")
    with pytest.raises(InputError, match=r"'name of data file' is .* leads out of the folder"):
        read_interfile_projections(header)


def test_data_in_the_folder_by_any_name(tmp_path: Path) -> None:
    header, data = projections(tmp_path / "data")
    text = header.read_text()
    (tmp_path / "data" / "sub").mkdir()
    moved = data.rename(tmp_path / "data" / "sub" / "b.s")
    for name in ("sub/b.s", "sub\\b.s", "./sub/../sub/b.s", str(moved)):
        header.write_text(text.replace(":= a.s", f":= {name}"))
        assert read_interfile_projections(header).data.sum() == np.prod(NO_GAPS.shape)


def test_data_that_git_annex_keeps(tmp_path: Path) -> None:
    header, data = projections(tmp_path / "set" / "sub-01")
    kept = tmp_path / "set" / ".git" / "annex" / "x"
    kept.parent.mkdir(parents=True)
    data.rename(kept)
    data.symlink_to(kept)
    assert read_interfile_projections(header).data.sum() == np.prod(NO_GAPS.shape)


@pytest.mark.parametrize("n", [1000, 10**4, 10**6])
def test_an_image_that_is_not_there(tmp_path: Path, n: int) -> None:
    (tmp_path / "a.hv").write_text(IMAGE.format(name="a.v", n=n))
    (tmp_path / "a.v.gz").write_bytes(gzip.compress(bytes(1 << 20)))
    with pytest.raises(InputError, match=r"cannot hold 4000000000|expected at most"):
        read_interfile_image(tmp_path / "a.hv")


def test_projections_of_a_scanner_that_is_not_there(tmp_path: Path) -> None:
    header, data = projections(tmp_path / "data")
    text = header.read_text()
    for old, new in (("ring := 36", "ring := 3600000000"), ("[3] := 18", "[3] := 1800000000")):
        assert old in text
        text = text.replace(old, new)
    header.write_text(text.replace("diameter (cm) := 12.0", "diameter (cm) := 1200000000.0"))
    with data.open("r+b") as file:
        file.truncate(4 * 18 * 10**8 * 15 * 19)  # takes no room on the disk
    with pytest.raises(InputError, match=r"numbers in a\.hs; expected at most"):
        read_interfile_projections(header)


def test_a_header_of_a_list_file_that_lies_elsewhere(tmp_path: Path) -> None:
    words = [tag(0), word(True, 172, 4, 0), tag(1)]
    (tmp_path / "data").mkdir()
    path = list_file(tmp_path / "data" / "a.l", words)
    assert open_listmode(path).fields
    beside = path.with_name("a.l.hdr")
    beside.rename(tmp_path / "elsewhere.hdr")
    beside.symlink_to(tmp_path / "elsewhere.hdr")
    with pytest.raises(InputError, match="no header beside"):
        open_listmode(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"half_life": 109.8}, "half_life is 109.8 s of F18; expected about 6584"),
        ({"half_life": 10**400}, "half_life is"),
        ({"radionuclide": "X99"}, "radionuclide 'X99'"),
    ],
)
def test_a_tracer_that_is_none(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    path = tmp_path / "a_raw.zarr"
    prompts = np.ones((1, *TINY.shape))
    frames = FrameTiming.from_durations([60.0])
    write_raw(path, RawScan(scanner=TINY, prompts=prompts, frames=frames, tracer=Tracer.of("F18")))
    assert read_raw(path).tracer == Tracer.of("F18")
    fields = json.loads((path / "zarr.json").read_text())
    fields["attributes"]["betaplus_raw"]["tracer"] |= changes
    (path / "zarr.json").write_text(json.dumps(fields))
    with pytest.raises(InputError, match=words):
        read_raw(path)
