"""Tables, sidecars and PMOD files made to crash a reader, to fill memory or to lie."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from betaplus.core.errors import InputError
from betaplus.io.blood import load_blood
from betaplus.io.jsons import number, number_list, read_sidecar
from betaplus.io.open import load
from betaplus.io.pmod_text import PmodText
from betaplus.io.tsv import column_numbers, read_table


@pytest.mark.parametrize("text", ["1" + "0" * 400, "-1" + "0" * 400, "1e999", "NaN", "true", '"1"'])
def test_numbers_that_are_none(tmp_path: Path, text: str) -> None:
    fields = json.loads('{"a": ' + text + ', "b": [1, ' + text + "]}")
    with pytest.raises(InputError, match="a is"):
        number(fields, "a", "x.json")
    with pytest.raises(InputError, match="b holds"):
        number_list(fields, "b", "x.json")


def test_numbers_of_python_but_not_of_tables(tmp_path: Path) -> None:
    for text in ("1_000", "٣", "0x10", "1e999", "1,5"):
        with pytest.raises(InputError, match="column a holds"):
            column_numbers([text], "a", "x.tsv")


def test_a_table_of_too_many_cells(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\n" + "0\t" * 2_000_001 + "\n")
    with pytest.raises(InputError, match="2000003 cells; expected a table of up to 2000000"):
        read_table(tmp_path / "a.tsv")


def test_a_table_of_many_columns(tmp_path: Path) -> None:
    """Names are compared with each other: that must not take the square of their number."""
    names = "\t".join(f"c{i}" for i in range(300_000))
    (tmp_path / "a.tsv").write_text(f"{names}\n{names}\n")
    assert len(read_table(tmp_path / "a.tsv")) == 300_000
    (tmp_path / "b.tsv").write_text(f"{names}\tc7\n{names}\t1\n")
    with pytest.raises(InputError, match="two columns 'c7'"):
        read_table(tmp_path / "b.tsv")


def test_a_table_that_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sub-01_blood.tsv")
    with pytest.raises(InputError, match="is no file"):
        load_blood(tmp_path / "sub-01_blood.tsv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("start[seconds]\tend[kBq/cc]\ta\n0\t1\t" + "9" * 5000, "a holds '999"),
        ("start[seconds]\tend[kBq/cc]\ta\n0\t1\t1e999", "a holds '1e999'"),
        ("start[seconds]\tend[kBq/cc]\ta" + " " * 200_000 + "b\n0\t1\t2", "of 200002 characters"),
        ("start[seconds]\tend[kBq/cc]\ta\n" + "0 " * 2_000_001, "over 2000000 cells"),
    ],
)
def test_pmod_files_that_take_forever(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.tac").write_text(text)
    with pytest.raises(InputError, match=words):
        PmodText.read(tmp_path / "a.tac").numbers(2)


def test_a_heading_of_blanks_is_not_searched_again_and_again(tmp_path: Path) -> None:
    text = "start[seconds]\tend[kBq/cc]\ta" + " " * 900 + "]\n0\t60\t2\n"
    (tmp_path / "a.tac").write_text(text)
    assert load(tmp_path / "a.tac", radionuclide="F18", decay_corrected_to="none").names


def test_a_sidecar_that_leads_out_of_the_data_set(tmp_path: Path) -> None:
    """Its fields would be copied into what is written."""
    (tmp_path / "private.json").write_text('{"token": "secret"}')
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a_tacs.tsv").write_text("frame_start\tframe_end\tx\n0\t60\t1\n")
    (folder / "a_tacs.json").symlink_to(tmp_path / "private.json")
    with pytest.raises(InputError, match=r"a_tacs\.json, which belongs to a_tacs\.tsv, leads out"):
        load(folder / "a_tacs.tsv")
    (tmp_path / "dataset_description.json").write_text("{}")  # now it is in the data set
    assert read_sidecar(folder / "a_tacs.tsv")[0] == {"token": "secret"}


def test_fields_that_a_terminal_would_obey(tmp_path: Path) -> None:
    (tmp_path / "a_tacs.tsv").write_text(
        "frame_start\tframe_end\tx\x1b[2J\tx\x1b[2J\n0\t60\t1\t1\n"
    )
    with pytest.raises(InputError) as caught:
        load(tmp_path / "a_tacs.tsv")
    assert str(caught.value).isprintable()
