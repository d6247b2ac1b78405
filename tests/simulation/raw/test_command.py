"""`betaplus simulate raw`: what it refuses, and one run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import RunCli, run_cli
from tests.physics.projector.cases import SMALL

from betaplus.core.scanners import SCANNERS
from betaplus.io.raw.store import read_raw

__all__ = ["run_cli"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--size", "huge"], "size 'huge' is unknown"),
        (["--scanner", "MMX"], "scanner 'MMX' is unknown"),
        (["--scanner", "Quadra"], "million bins"),
        (["--size", "full", "--tof"], "million bins"),
        (["--anatomy", "body"], "anatomy 'body' is unknown"),
        (["--tracer", "X"], "tracer 'X' is unknown"),
        (["--dose-fraction", "0"], "dose fraction 0"),
        (["--time-fraction", "2"], "time fraction 2"),
        (["--counts", "nan"], "nan counts"),
        (["--counts", "many"], "'--counts'"),
        (["--randoms", "1"], "share of randoms of 1"),
        (["--scatter", "-1"], "share of scatter of -1"),
        (["--realisations", "0"], "0 realisations"),
        (["--seed", "-1"], "'--seed'"),
    ],
)
def test_bad_options_are_one_line_and_nothing_is_written(
    tmp_path: Path, run_cli: RunCli, options: list[str], text: str
) -> None:
    out = tmp_path / "out"
    code, said, error = run_cli("simulate", "raw", "-o", out, *options)
    assert code == 2
    assert said == "" and error.count("\n") == 1
    assert error.startswith("betaplus: error: ") and text in error
    assert not out.exists()


def test_a_file_in_the_way(tmp_path: Path, run_cli: RunCli) -> None:
    (tmp_path / "out").write_text("mine")
    code, _, error = run_cli("simulate", "raw", "-o", tmp_path / "out")
    assert code == 2 and error.count("\n") == 1 and "is a file" in error
    assert (tmp_path / "out").read_text() == "mine"


def test_a_run(tmp_path: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCANNERS, "tiny", SMALL.replace(name="tiny"))
    out = tmp_path / "out"
    command = ("simulate", "raw", "-o", out, "--scanner", "tiny", "--tof", "--counts", "2e5")
    code, said, error = run_cli(*command, "--dose-fraction", "0.5")
    assert code == 0, error
    assert str(out / "sub-01_raw.zarr") in said.splitlines()
    scan = read_raw(out / "sub-01_raw.zarr")
    assert scan.scanner.tof and scan.prompts.ndim == 5 and scan.delayeds.ndim == 4
    assert scan.prompts[0].sum() == pytest.approx(2e5 * (0.5 * 0.6 + 0.25 * 0.4), rel=0.02)
    code, _, error = run_cli(*command)
    assert code == 2 and error.count("\n") == 1 and "--overwrite" in error
