"""`betaplus train denoiser --data`: what is refused in one line, before anything is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.cli.conftest import RunCli

REFUSED = {
    "no folder": (["--data", "none"], "none is not a folder; expected a folder of images"),
    "no pairs": (["--data", "."], "holds no pairs of images; expected of each subject sub-01_desc"),
    "workers": (["--data", ".", "--workers", "2"], "--workers with --data"),
    "draws": (["--data", ".", "--kind", "draws"], "--kind draws with --data"),
    "unit": (["--unit", "Bq/mL"], "--unit without --data"),
    "kind": (["--kind", "median"], "--kind median; expected one of mean, draws, fast"),
    "time": (["--data", ".", "--max-minutes", "0"], "--max-minutes 0; expected a number above 0"),
    "config": (["--data", ".", "--config", "none.toml"], "none.toml cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    more, words = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli("train", "denoiser", "-o", "out", *more)
    assert code == 2, err
    assert err.count("\n") == 1 and not out
    assert re.search(words, err), err
    assert not any(tmp_path.iterdir())
