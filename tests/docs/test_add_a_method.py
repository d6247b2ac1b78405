"""The page on adding a method does what it says: its file, its lines and its test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli import patlak_study

import betaplus.patlak
from betaplus.cli.main import run
from betaplus.patlak import costs, method

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add_a_method.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The method's file in the package, its lines in the registry and in the costs."""
    folder = tmp_path / "patlak"
    folder.mkdir()
    (folder / "median.py").write_text(blocks("python")[0])
    monkeypatch.setattr(
        betaplus.patlak, "__path__", [*betaplus.patlak.__path__, str(folder)], raising=False
    )
    sys.modules.pop("betaplus.patlak.median", None)
    lines = re.findall(r'^\+    "(\w+)": (.*),$', blocks("diff")[0], re.MULTILINE)
    assert [name for name, _ in lines] == ["median", "median"]
    monkeypatch.setitem(method.METHODS, "median", lines[0][1].strip('"'))
    monkeypatch.setitem(costs._VOXEL, "median", int(lines[1][1]))
    return tmp_path


def test_the_command_works(added: Path) -> None:
    patlak_study.write_study(added)
    words = patlak_study.arguments(added, added / "out", "--method", "median", "--quiet")
    assert run([str(w) for w in (*words, "--set", "edge=3")]) == 0
    assert (added / "out" / "sub-01_model-Patlak_meas-Ki_stat-mean_mimap.nii.gz").is_file()
    assert (added / "out" / "sub-01_patlak_report.html").is_file()
    again = patlak_study.arguments(added, added / "other", "--method", "median", "--quiet")
    assert run([str(w) for w in (*again, "--set", "edge=0")]) == 2
    assert not (added / "other").exists()


def test_its_test_passes(added: Path) -> None:
    names: dict[str, object] = {}
    exec(compile(blocks("python")[1], "test_median.py", "exec"), names)
    tests = [f for name, f in names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()  # type: ignore[operator]


def test_its_test_can_fail(added: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = blocks("python")[0].replace("edge: int = 3", "edge: int = 1")
    (added / "patlak" / "median.py").write_text(broken)
    names: dict[str, object] = {}
    exec(compile(blocks("python")[1], "test_median.py", "exec"), names)
    with pytest.raises(AssertionError):
        names["test_a_lone_voxel_goes_and_the_rest_stays"]()  # type: ignore[operator]


def test_the_lines_around_are_those_of_the_files() -> None:
    package = Path(betaplus.patlak.__file__).parent
    text = (package / "method.py").read_text() + (package / "costs.py").read_text()
    around = re.findall(r"^ (    .*)$", blocks("diff")[0], re.MULTILINE)
    assert len(around) == 4
    assert all(line in text for line in around)


def test_style_of_the_file() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "100",
         "--select", "E,F,W,I,B,UP,D,SIM", "--ignore", "D105,D107", "--config",
         "lint.pydocstyle.convention='google'", "-"],
        input=blocks("python")[0], text=True, capture_output=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
