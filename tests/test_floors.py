"""The floors hold, and the contract that says so can fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import betaplus

ROOT = Path(__file__).resolve().parents[1]
FLOORS = (
    ("core",),
    ("generative", "physics", "io"),
    ("engine", "simulation", "evaluation"),
    ("reconstruction", "denoising", "separation", "patlak", "kinetics"),
    ("pipeline",),
    ("report",),
    ("cli",),
)
ALLOWED = (
    ("engine", "io"),
    ("engine", "core"),
    ("simulation", "physics"),
    ("kinetics", "engine"),
    ("pipeline", "kinetics"),
    ("report", "kinetics"),
    ("cli", "report"),
)
BROKEN = (
    ("core", "physics"),
    ("physics", "io"),
    ("io", "physics"),
    ("generative", "physics"),
    ("physics", "simulation"),
    ("io", "engine"),
    ("engine", "physics"),
    ("engine", "generative"),
    ("engine", "simulation"),
    ("simulation", "kinetics"),
    ("kinetics", "patlak"),
    ("denoising", "reconstruction"),
    ("kinetics", "report"),
    ("pipeline", "report"),
    ("report", "cli"),
)


def lint_imports(folder: Path, package_parent: Path) -> tuple[int, int, int, str]:
    """Run the contracts of `folder`; return exit code, contracts kept, broken, and all output."""
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            "--no-cache",
            "--config",
            str(folder / "pyproject.toml"),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(package_parent)},
        capture_output=True,
        text=True,
    )
    counts = re.search(r"Contracts: (\d+) kept, (\d+) broken", run.stdout)
    kept, broken = (int(counts[1]), int(counts[2])) if counts else (0, 0)
    return run.returncode, kept, broken, run.stdout + run.stderr


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """An empty betaplus with every folder of the design, under the project's own contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("", *(folder for floor in FLOORS for folder in floor)):
        package = tmp_path / "betaplus" / name
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
    return tmp_path


def add_import(skeleton: Path, importer: str, imported: str) -> None:
    (skeleton / "betaplus" / importer / f"uses_{imported}.py").write_text(
        f"def late():\n    import betaplus.{imported}\n"
    )


def test_floors_hold() -> None:
    code, kept, broken, output = lint_imports(ROOT, Path(betaplus.__file__).parents[1])
    assert (code, broken) == (0, 0), output
    assert kept == 3, output


def test_imports_from_lower_floors_are_allowed(skeleton: Path) -> None:
    for importer, imported in ALLOWED:
        add_import(skeleton, importer, imported)
    code, kept, broken, output = lint_imports(skeleton, skeleton)
    assert (code, kept, broken) == (0, 3, 0), output


@pytest.mark.parametrize(("importer", "imported"), BROKEN)
def test_contract_breaks(skeleton: Path, importer: str, imported: str) -> None:
    add_import(skeleton, importer, imported)
    code, _, broken, output = lint_imports(skeleton, skeleton)
    assert code == 1, output
    assert broken >= 1, output
    assert f"betaplus.{importer}.uses_{imported} -> betaplus.{imported}" in output


def test_contract_breaks_when_core_needs_more_than_numpy(skeleton: Path) -> None:
    (skeleton / "betaplus" / "core" / "heavy.py").write_text("import torch\n")
    code, _, broken, output = lint_imports(skeleton, skeleton)
    assert (code, broken) == (1, 1), output
    assert "betaplus.core.heavy -> torch" in output


def test_contract_breaks_on_a_folder_without_a_floor(skeleton: Path) -> None:
    (skeleton / "betaplus" / "attic").mkdir()
    (skeleton / "betaplus" / "attic" / "__init__.py").touch()
    code, _, broken, output = lint_imports(skeleton, skeleton)
    assert (code, broken) == (1, 1), output
    assert "betaplus.attic" in output
