"""What training commands refuse before they begin."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from betaplus.core.errors import UsageError
from betaplus.pipeline.training.flags import check_flags, refuse_earlier_run

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"resume": True, "overwrite": True}, "--resume and --overwrite; expected one of the two"),
    ({"max_minutes": 0.0}, "--max-minutes 0; expected a number above 0"),
    ({"max_minutes": math.nan}, "--max-minutes nan; expected a number above 0"),
    ({"max_minutes": math.inf}, "--max-minutes inf; expected a number above 0"),
    ({"workers": 0}, "--workers 0; expected 1 or more"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_options_that_cannot_be_followed(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        check_flags(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_what_can_be_followed_is_let_through(tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "new"):
        for options in ({"resume": True}, {"overwrite": True}, {"max_minutes": 0.1, "workers": 1}):
            check_flags(out, **options)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("")
    with pytest.raises(UsageError, match="out is a file; expected a folder to write to"):
        check_flags(path)


def test_an_earlier_run_is_neither_continued_nor_replaced_unasked(tmp_path: Path) -> None:
    refuse_earlier_run(tmp_path, "corpus")
    (tmp_path / "corpus").mkdir()
    with pytest.raises(UsageError, match="earlier training run; give --resume"):
        refuse_earlier_run(tmp_path, "corpus")
    refuse_earlier_run(tmp_path, "corpus", resume=True)
    refuse_earlier_run(tmp_path, "corpus", overwrite=True)
    refuse_earlier_run(tmp_path, "other")
