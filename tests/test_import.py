"""`import betaplus` is light, and one version number is told everywhere."""

from __future__ import annotations

import importlib.metadata
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import betaplus

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "numba", "scipy", "matplotlib", "nibabel", "zarr", "jinja2", "pandas", "dask")


def run_python(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout


def seconds_of(code: str) -> float:
    start = time.perf_counter()
    run_python(code)
    return time.perf_counter() - start


def test_import_costs_under_a_second_beside_bare_python() -> None:
    run_python("import betaplus")
    pairs = [(seconds_of("pass"), seconds_of("import betaplus")) for _ in range(5)]
    extra = statistics.median(light - bare for bare, light in pairs)
    assert extra < 1.0


@pytest.mark.parametrize("module", ["betaplus", "betaplus.cli.main"])
def test_import_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    loaded = set(run_python(code).split())
    assert "betaplus" in loaded
    assert not loaded & set(HEAVY)


def test_every_public_name_is_importable() -> None:
    for name in betaplus.__all__:
        assert getattr(betaplus, name) is not None
    with pytest.raises(AttributeError, match="no_such_verb"):
        _ = betaplus.no_such_verb


def test_citation_and_changelog_tell_the_package_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    stated = re.search(r"^version: (\S+)$", citation, re.MULTILINE)
    assert stated and stated[1] == betaplus.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\d\S*)", changelog, re.MULTILINE)
    assert newest and newest[1] == betaplus.__version__


def test_installed_metadata_tells_the_package_version() -> None:
    try:
        installed = importlib.metadata.version("betaplus")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("betaplus runs from its source folder, not installed")
    assert installed == betaplus.__version__
