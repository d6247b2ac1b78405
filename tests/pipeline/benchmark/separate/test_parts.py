"""Parts: each is there, unknown ones are refused, and small runs go on where they were stopped."""

import dataclasses
import inspect
import json
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from betaplus.cli.main import app
from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.pipeline.benchmark.separate import bench, run, scoring, tuning
from betaplus.pipeline.benchmark.separate.bench import Plan, plan_of
from betaplus.pipeline.benchmark.separate.candidates import CANDIDATES, TUNED
from betaplus.pipeline.benchmark.separate.coverage.figures import cases_of, judge
from betaplus.pipeline.benchmark.separate.coverage.table import coverage_table
from betaplus.pipeline.benchmark.separate.crosstalk import benchmark_crosstalk
from betaplus.pipeline.benchmark.separate.images import benchmark_images
from betaplus.pipeline.benchmark.separate.mixing import benchmark_mixing
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.real.run import benchmark_real, mixture_share
from betaplus.pipeline.benchmark.separate.real.sums import RealSum
from betaplus.pipeline.benchmark.separate.shifts import benchmark_shifts
from betaplus.pipeline.benchmark.separate.speed import benchmark_speed
from betaplus.report.benchmark.separate import separate_report
from betaplus.separation import study
from betaplus.separation.method import METHODS

TINY = Plan(
    quick=True, shape=(14, 14, 10), pairs=("FMZ+FDG",), delays=(0.0, 20.0), counts=(1.0,),
    people=1, draws=2, tuning_people=1, methods=("inn", "linear", "extrapolation"),
)  # fmt: skip
NONE = Networks(missing={name: "no weights" for name in ("inn", "inn-published", "ced", "cnn3d")})


@pytest.fixture
def few_people(monkeypatch):
    """Spaces of curves from few people: most of the time of a small scan goes there."""
    monkeypatch.setattr(study, "_PEOPLE", 15)


@pytest.fixture
def counted(monkeypatch, few_people):
    """Count what is fitted; tuning is short."""
    fitted = []
    real = tuning.run_candidate

    def run_one(study, column, settings, networks, *, seed=0):
        fitted.append((column, dict(settings)))
        return real(study, column, settings, networks, seed=seed)

    for module in (tuning, scoring):
        monkeypatch.setattr(module, "run_candidate", run_one)
    short = dataclasses.replace(CANDIDATES["extrapolation"], rounds=1)
    short = dataclasses.replace(short, axes=short.axes[:1], start={"fwhm": 2.8})
    monkeypatch.setitem(CANDIDATES, "extrapolation", short)
    return fitted


@pytest.mark.parametrize("part", run.PARTS)
def test_a_part_is_a_function_of_its_own(part):
    module, _, name = run.PARTS[part].partition(":")
    known = inspect.signature(getattr(import_module(module), name)).parameters
    assert list(known)[:2] == ["out", "networks"]
    for keyword in ("quick", "progress"):
        assert known[keyword].kind is inspect.Parameter.KEYWORD_ONLY


def test_help_names_every_part():
    shown = CliRunner().invoke(app, ["benchmark", "separate", "--help"], env={"COLUMNS": "200"})
    for part in run.PARTS:
        assert part in shown.stdout


def test_an_unknown_part_and_a_missing_bundle_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(UsageError, match="expected one of images"):
        run.benchmark_separate(tmp_path / "new", parts=("images", "colours"))
    with pytest.raises(UsageError, match="not a folder"):
        run.benchmark_separate(tmp_path / "new", bundles=[tmp_path / "none"])
    with pytest.raises(UsageError, match="not a folder"):
        run.benchmark_separate(tmp_path / "new", unconditional=tmp_path / "none")
    assert not (tmp_path / "new").exists()


def test_every_method_is_a_candidate_and_what_is_tuned_is_a_setting():
    from betaplus.separation.method import find_method

    assert set(CANDIDATES) == set(METHODS)
    for name in TUNED:
        settings = {field.name for field in dataclasses.fields(find_method(name).Settings)}
        assert {axis.name for axis in CANDIDATES[name].axes} == set(CANDIDATES[name].start)
        assert set(CANDIDATES[name].start) <= settings


def test_images_go_on_where_they_were_stopped_and_end_the_same(tmp_path, counted):
    first = benchmark_images(tmp_path, NONE, plan=TINY)
    assert len(first["rows"]) == 2 * 2 * 3
    why = first["skipped"]
    assert why["inn"] == "no weights" and "before the second injection" in why["extrapolation"]
    assert {row["method"] for row in first["rows"] if "skipped" not in row} == {
        "linear", "extrapolation",
    }  # fmt: skip
    (tuned,) = (t for t in first["tuning"] if "settings" in t)
    assert (tuned["method"], tuned["delay"]) == ("extrapolation", 20.0)
    tried = len(counted)
    assert benchmark_images(tmp_path, NONE, plan=TINY)["rows"] == first["rows"]
    assert len(counted) == tried  # nothing again
    (item,) = tmp_path.glob("*/scores/FMZ+FDG_20min_1of1_head0_1_linear.json")
    item.unlink()
    again = benchmark_images(tmp_path, NONE, plan=TINY)
    assert len(counted) == tried + 1
    for old, new in zip(first["rows"], again["rows"], strict=True):
        assert {**old, "seconds": 0} == {**new, "seconds": 0}
    stored = json.loads((tmp_path / "benchmark_separate_images.json").read_text())
    assert {gate["verdict"] for gate in stored["gates"]} == {"not measured"}
    text = (tmp_path / "benchmark_separate_images.md").read_text()
    assert "| linear | " in text and "Cramer-Rao bound of unbiased" in text
    assert "Images of both tracers" in separate_report(tmp_path).read_text(encoding="utf-8")


def test_shifts_lesions_and_residuals_run(tmp_path, few_people):
    plan = dataclasses.replace(TINY, delays=(20.0,), draws=1, tuned=False)
    found = benchmark_shifts(tmp_path, NONE, plan=plan)
    assert found["shifts"] == ["delay", "dose"]
    assert len(found["rows"]) == 3 * 3
    lesions = benchmark_crosstalk(tmp_path, NONE, plan=plan)
    both = [m for m in lesions["means"] if m["method"] == "linear"]
    assert {m["kind"] for m in both} == {"first", "second"}
    assert all(0.3 < m["recovered"] < 1.5 and m["leak"] < 0.5 for m in both)
    mixing = benchmark_mixing(tmp_path, NONE, plan=plan)
    (linear,) = (r for r in mixing["rows"] if r["method"] == "linear")
    assert 0.8 < linear["chi_square"] < 1.3
    assert linear["seen"]
    for part in ("shifts", "crosstalk", "mixing"):
        assert (tmp_path / f"benchmark_separate_{part}.md").is_file()


def person(seed, rng, boxes=40, regions=4):
    """A person as `measure_person` writes one: `inn` errs half as much as `linear`."""
    rows = []
    for box in range(boxes):
        for region in range(regions):
            for tracer in ("FMZ", "FDG"):
                truth, sd = rng.uniform(2, 6), rng.uniform(0.05, 0.2)
                about = {"border": 0.5, "step": 0.2, "spread": 0.1}
                rows.append({
                    "box": box, "region": region, "name": "r", "kind": "organ",
                    "volume": rng.uniform(1, 9), "tracer": tracer, "delay": rng.uniform(0, 2400),
                    "truth": truth, "noisy": truth + sd * rng.standard_normal(), "own": sd,
                    "methods": {
                        name: {"mean": truth + k * sd * rng.standard_normal(), **about}
                        for name, k in (("inn", 0.5), ("linear", 1.0))
                    },
                })  # fmt: skip
    return {"person": seed, "studies": boxes, "rows": rows}


def test_intervals_hold_and_half_the_error_halves_the_score():
    rng = np.random.default_rng(1)
    known, judged = ([person(first + n, rng) for n in range(6)] for first in (0, 100))
    assert len(cases_of(known, "inn", "FDG")) == 240
    assert cases_of(known, "nmf", "FDG") == []
    found = judge(known, judged, "inn", ("inn", "linear", "compartment"))
    for one in found.values():
        assert one["regions"] == 960
        assert 0.87 < one["coverage"] < 0.94
        assert 0.87 < one["plain"]["linear"]["coverage"] < 0.94
        assert one["ratio"] == pytest.approx(0.5, abs=0.1)
    result = {"quick": False, "method": "inn", "studies": [240, 240], "tracers": found}
    assert "| linear | plain | 960 |" in coverage_table(result)


def test_real_sums_say_so_where_there_are_no_data(tmp_path):
    found = benchmark_real(tmp_path, NONE, folder=tmp_path)
    assert found["rows"] == [] and "BETAPLUS_DATA" in found["missing"]
    assert "BETAPLUS_DATA" in (tmp_path / "benchmark_separate_real.md").read_text()


def test_real_sums_are_separated(tmp_path, reference_data):
    pytest.importorskip("pandas")
    pytest.importorskip("tables")
    found = benchmark_real(tmp_path, NONE, quick=True, folder=reference_data)
    linear = [r for r in found["rows"] if r["method"] == "linear"]
    assert {r["pair"] for r in linear} == {"PBR28+FDG", "MC1+FDG"}
    assert all(max(r["mean"]) < 0.3 for r in linear)
    assert all(r["voxel"][i] >= 0.999 * r["mean"][i] for r in linear for i in (0, 1))
    assert all(0.02 < r["share"] < 0.98 for r in linear)
    assert "% of the activity" in (tmp_path / "benchmark_separate_real.md").read_text()


def test_the_share_of_the_second_tracer_is_of_its_counts():
    """Three frames, the first before the second injection: it does not count."""
    problem = SimpleNamespace(
        decay=np.array([[1.0, 0.5, 0.5], [0.0, 0.25, 0.2]]),
        frames=FrameTiming(np.array([0.0, 100.0, 130.0]), np.array([100.0, 30.0, 60.0])),
        seen=np.array([[True, True, True], [False, True, True]]),
    )
    truth = np.array([[7.0, 6.0, 4.0], [9.0, 8.0, 5.0]])
    one = RealSum(name="", pair="A+B", delay=100.0, problem=problem, truth=truth)
    first, second = 0.5 * (30.0 * 6.0 + 60.0 * 4.0), 0.25 * 30.0 * 8.0 + 0.2 * 60.0 * 5.0
    assert mixture_share(one) == pytest.approx(second / (first + second))


@pytest.mark.slow
def test_the_verb_is_timed_in_a_process_of_its_own(tmp_path):
    found = benchmark_speed(
        tmp_path, NONE, shape=(16, 16, 8), threads=1, methods=("inn", "extrapolation")
    )
    assert found["skipped"] == {"inn": "no weights"}
    row = found["methods"]["extrapolation"]
    assert row["peak_bytes"] > 1 << 20 and row["wall_s"] > row["stages_s"]["fit"]
    assert not list(tmp_path.glob(".speed-*"))


def test_quick_runs_do_not_mix_with_others():
    quick, whole = plan_of(True), plan_of(False)
    assert quick.folder != whole.folder
    assert len(whole.scenes) == 16
    assert bench.Plan(draws=9).folder == whole.folder  # more go on
