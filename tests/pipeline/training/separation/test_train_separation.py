"""Training `inn` by the command line: resuming, its bundle, what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.cli.conftest import run_cli  # noqa: F401
from tests.separation.small_study import small_problem

from betaplus.core.errors import InputError, UsageError
from betaplus.pipeline.training.separation.train import train_separation
from betaplus.separation.bundle import load_separation
from betaplus.separation.method import find_method
from betaplus.separation.tissues import Tissues

CONFIG = """
people = 2
subjects = 8
voxels = [5.0]
widths = [4]
edge = 12
studies = 1
boxes = 1
steps = 4
minutes = 0.0
warmup = 1
validate_every = 2
held = 1
bf16 = false
inverse = 0.1
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("whole")
    (out / "plan.toml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.pipeline.training.separation.train._SCANS", 2)
        return train_separation(out, config=out / "plan.toml", workers=1)


def test_a_run_cut_short_ends_with_the_bits_of_one_that_was_not(
    whole,
    tmp_path,
    run_cli,  # noqa: F811
    monkeypatch,
):
    monkeypatch.setattr("betaplus.pipeline.training.separation.train._SCANS", 2)
    config = whole.parents[1] / "plan.toml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.generative.training._Loop._share_done", _stops_at(3))
        with pytest.raises(KeyboardInterrupt):
            train_separation(tmp_path / "cut", config=config, workers=1)
    flags = ["--config", config, "--workers", "1", "--resume", "--quiet"]
    code, out, err = run_cli("train", "separation", "-o", tmp_path / "cut", *flags)
    assert (code, out, err) == (0, "", "")
    bundle = tmp_path / "cut" / "bundles" / "separation-inn-v1"
    first, second = (load_file(folder / "model.safetensors") for folder in (whole, bundle))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    lines = (tmp_path / "cut" / "inn" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4]


def _stops_at(step: int):
    from betaplus.generative.training import _Loop

    share = _Loop._share_done

    def stop(loop):
        if loop.run.counts.step == step:
            raise KeyboardInterrupt
        return share(loop)

    return stop


def test_the_bundle_says_what_it_is_and_works(whole):
    trained = load_separation("inn", whole)
    problem, _ = small_problem()
    found = find_method("inn")(None, trained).fit(problem)
    away = (found.x - Tissues().fit(problem).x).abs().max()
    assert 0 < away < 0.5 and torch.isfinite(found.x).all()
    assert trained.remarks(problem) == []
    other = dataclasses.replace(
        problem, tracers=problem.tracers[::-1], voxel=(2.0, 5.0, 5.0), injections=(0.0, 3000.0),
        noise=problem.noise * 100,
    )  # fmt: skip
    said = trained.remarks(other)
    assert len(said) == 3 and all(s.startswith("outside what the network") for s in said)
    assert re.search("delay .* is 50, .* voxel .* is 2 to 5, .* noise is", ", ".join(said))
    record = json.loads((whole / "training.json").read_text())
    assert record["steps"] == 4 and "NRMSE, FDG at 20 min" in record["metrics"]
    card = (whole / "README.md").read_text()
    assert "2 simulated heads" in card and "No real image" in card


REFUSED = {
    "earlier run": ([], "holds an earlier training run; give --resume"),
    "other plan": (["--resume", "--pair", "FDG,PBR28"], "pairs FDG,PBR28 with --resume; expected"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_earlier_run_is_kept(whole, run_cli, case):  # noqa: F811
    more, words = REFUSED[case]
    out = whole.parents[1]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    flags = ["--config", out / "plan.toml", *more]
    code, _, err = run_cli("train", "separation", "-o", out, *flags)
    assert code == 2 and re.search(words, err) and err.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


WRONG = {
    "both flags": (["--resume", "--overwrite"], "expected one of the two"),
    "no time": (["--max-minutes", "0"], "--max-minutes 0; expected a number above 0"),
    "a kind": (["--kind", "unet"], "--kind unet; expected inn, inn-published, ced, cnn3d"),
    "a tracer": (["--pair", "FDG,XYZ"], "tracer 'XYZ' is unknown; expected one of FDG"),
    "one tracer": (["--pair", "FDG"], "pair 'FDG'; expected two tracers, such as FMZ,FDG"),
    "twice": (["--pair", "FDG,fdg"], "pair 'FDG,fdg'; expected two tracers"),
    "two pairs": (
        ["--kind", "ced", "--pair", "FDG,FMZ", "--pair", "FDG,MET"],
        "2 pairs with --kind ced; expected one",
    ),
    "slices": (["--kind", "ced", "--pair", "FDG,XYZ"], "tracer 'XYZ' is unknown"),
    "data for inn": (["--kind", "inn", "--data", "."], "--data with --kind inn; .* half-lives"),
    "no data": (["--data", "nowhere"], "--data nowhere is not a folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused(run_cli, tmp_path, case):  # noqa: F811
    more, words = WRONG[case]
    code, out, err = run_cli("train", "separation", "-o", tmp_path / "out", *more)
    assert code == 2 and not out and err.count("\n") == 1, err
    assert re.search(words, err), err
    assert not (tmp_path / "out").exists()


SETTINGS = {
    "pebbles = 3": "'pebbles' in plan.toml; expected one of pairs",
    "edge = 13": "edge is 13; expected a multiple of 4",
    "delay = [30.0, 10.0]": "delay is .*; expected a lowest and a highest value",
    "schedules = ['7']": "frames '7' are unknown",
    "population = 1.5": "population is 1.5; expected 0 to 1",
    "voxels = []": "voxels is .*; expected at least one",
}


@pytest.mark.parametrize("text", SETTINGS)
def test_settings_that_are_refused(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises((UsageError, InputError), match=SETTINGS[text]):
        train_separation(tmp_path / "out", config=path)
    assert not (tmp_path / "out").exists()


def test_bundles_of_something_else_are_refused(whole, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="is of method inn; expected ced"):
        load_separation("ced", whole)
    monkeypatch.delenv("BETAPLUS_BUNDLES", raising=False)
    with pytest.raises(UsageError, match="--kind cnn3d"):
        load_separation("cnn3d")
    with pytest.raises(UsageError, match="is not a folder"):
        load_separation("inn", tmp_path / "none")
