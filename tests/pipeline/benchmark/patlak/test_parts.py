"""Parts: each is there, unknown ones are refused, and small runs go on where they were stopped."""

import dataclasses
import inspect
import json
from importlib import import_module

import pytest
from typer.testing import CliRunner

from betaplus.cli.main import app
from betaplus.core.errors import UsageError
from betaplus.pipeline.benchmark.patlak import bench, images, run, scoring, tuning
from betaplus.pipeline.benchmark.patlak.bench import Plan, plan_of
from betaplus.report.benchmark.patlak import patlak_report

TINY = Plan(
    shape=(20, 20, 20), voxel=8.0, doses=(0.5, 0.1), anatomies=("body",), people=1,
    realisations=2, elsewhere=1, tuning_draws=1, methods=("wls", "gaussian", "tv"),
)  # fmt: skip


@pytest.fixture
def tiny(monkeypatch, simulated):
    """Runs of `TINY` on one small trunk; what is fitted is counted."""
    fitted = []
    real = tuning.run_candidate

    def counted(study, method, settings, *, seed=0):
        fitted.append((method, dict(settings)))
        return real(study, method, settings, seed=seed)

    monkeypatch.setattr(images, "plan_of", lambda *_: TINY)
    monkeypatch.setattr(bench, "draw_subject", lambda subject, **_: simulated)
    for module in (tuning, scoring):
        monkeypatch.setattr(module, "run_candidate", counted)
    return fitted


@pytest.mark.parametrize("part", run.PARTS)
def test_a_part_is_a_function_of_its_own(part):
    module, _, name = run.PARTS[part].partition(":")
    known = inspect.signature(getattr(import_module(module), name)).parameters
    assert next(iter(known)) == "out"
    for keyword in ("quick", "progress"):
        assert known[keyword].kind is inspect.Parameter.KEYWORD_ONLY


def test_help_names_every_part():
    shown = CliRunner().invoke(app, ["benchmark", "patlak", "--help"], env={"COLUMNS": "200"})
    for part in run.PARTS:
        assert part in shown.stdout


def test_an_unknown_part_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(UsageError, match="expected one of images"):
        run.benchmark_patlak(tmp_path / "new", parts=("images", "colours"))
    with pytest.raises(UsageError, match="expected 1 or more"):
        run.benchmark_patlak(tmp_path / "new", realisations=0)
    assert not (tmp_path / "new").exists()


def test_a_run_goes_on_where_it_was_stopped_and_ends_the_same(tmp_path, tiny):
    first = images.benchmark_images(tmp_path)
    assert {row["method"] for row in first["rows"]} == {"wls", "gaussian", "tv"}
    assert len(first["rows"]) == 3 * (1 + 2)
    widths = {t["dose"]: t["settings"]["fwhm"] for t in first["tuning"] if "fwhm" in t["settings"]}
    assert widths[0.1] >= widths[0.5]
    tried = len(tiny)
    assert images.benchmark_images(tmp_path)["rows"] == first["rows"]
    assert len(tiny) == tried  # nothing again
    (item,) = tmp_path.glob("*/scores/dynamic_body0_1of10_1_tv.json")
    item.unlink()
    again = images.benchmark_images(tmp_path)
    assert len(tiny) == tried + 1
    for old, new in zip(first["rows"], again["rows"], strict=True):
        assert {**old, "seconds": 0} == {**new, "seconds": 0}
    stored = json.loads((tmp_path / "benchmark_patlak_images.json").read_text())
    assert stored["rows"] == again["rows"]
    text = (tmp_path / "benchmark_patlak_images.md").read_text()
    assert "| gaussian | " in text and "nan" not in text
    page = patlak_report(tmp_path).read_text(encoding="utf-8")
    assert "Bodies and heads" in page


def test_smoothing_is_better_than_none_where_it_is_tuned(tmp_path, tiny):
    found = images.benchmark_images(tmp_path)
    errors = {
        row["method"]: row["Ki"]["nrmse"]
        for row in found["rows"]
        if (row["dose"], row["draw"]) == (0.1, 0)
    }
    assert errors["gaussian"] < errors["wls"]
    assert errors["tv"] < errors["wls"]


def test_quick_runs_do_not_mix_with_others():
    quick, whole = plan_of(True), plan_of(False)
    assert quick.folder != whole.folder
    assert "gibbs" not in quick.methods and "gibbs" in whole.methods
    assert whole.draws(0.1) == 10 and whole.draws(0.5) == 3
    assert plan_of(False, 2).draws(0.5) == 2
    assert dataclasses.replace(whole, realisations=4).folder == whole.folder  # more go on
