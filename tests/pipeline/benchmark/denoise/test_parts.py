"""Parts of the benchmark of denoise: each is there, takes what it is given, and is said in help."""

import inspect
import json
from importlib import import_module

import pytest
from typer.testing import CliRunner

from betaplus.cli.main import app
from betaplus.core.errors import UsageError
from betaplus.pipeline.benchmark import parts
from betaplus.pipeline.benchmark.denoise import run
from betaplus.pipeline.benchmark.denoise.scanners import gains


@pytest.mark.parametrize("part", run.PARTS)
def test_a_part_is_a_function_of_its_own(part):
    module, _, name = run.PARTS[part].partition(":")
    known = inspect.signature(getattr(import_module(module), name)).parameters
    assert next(iter(known)) == "out"
    for keyword in ("bundle", "quick", "progress"):
        assert known[keyword].kind is inspect.Parameter.KEYWORD_ONLY


def test_help_names_every_part():
    shown = CliRunner().invoke(app, ["benchmark", "denoise", "--help"], env={"COLUMNS": "200"})
    for part in run.PARTS:
        assert part in shown.stdout


def test_an_unknown_part_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(UsageError, match="expected one of images"):
        run.benchmark_denoise(tmp_path / "new", parts=("images", "colours"))
    assert not (tmp_path / "new").exists()


def test_parts_get_what_is_theirs(tmp_path, monkeypatch):
    asked = {}

    def measure(out, *, bundle, quick, progress, **sizes):
        asked[len(asked)] = (out, bundle, quick, sizes)
        return {"found": len(asked)}

    monkeypatch.setattr(parts, "import_module", lambda module: module)
    monkeypatch.setattr(parts, "getattr", lambda module, name: measure, raising=False)
    found = run.benchmark_denoise(
        tmp_path, parts=("nema", "images", "nema", "observer"), people=2, draws=9, bundle=tmp_path,
        quick=True,
    )  # fmt: skip
    assert list(found) == ["nema", "images", "observer"]
    sizes = ({}, {"people": 2}, {"draws": 9})
    assert asked == {n: (tmp_path, tmp_path, True, own) for n, own in enumerate(sizes)}


def test_gains_are_over_the_noisy_image_and_the_better_filter():
    found = {"noisy": 30.0, "gaussian": 34.0, "nlm": 35.5, "mmse": 36.0}
    assert gains(found) == (6.0, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["images", "scanners", "recovery", "nema", "observer"])
def test_a_quick_run_writes_its_files(part, tmp_path):
    (found,) = run.benchmark_denoise(tmp_path, parts=(part,), quick=True).values()
    assert found["quick"] and found["rows" if "rows" in found else "points"]
    text = (tmp_path / f"benchmark_denoise_{part}.md").read_text()
    assert "Quick run" in text and "nan" not in text
    assert found == json.loads((tmp_path / f"benchmark_denoise_{part}.json").read_text())
