"""`betaplus train kinetics`: what it refuses, and a tiny run from simulation to bundles."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import RunCli

from betaplus.generative.bundle import load_bundle
from betaplus.kinetics.published import publishing, training
from betaplus.kinetics.published.publishing import held_out as measured
from betaplus.kinetics.published.training import simulations as few

TINY = "studies = 26\ncurves = 8\ndraws = 4\n"


def config(folder: Path, text: str) -> Path:
    path = folder / "train.toml"
    path.write_text(text)
    return path


def earlier_run(folder: Path) -> list[object]:
    (folder / "out" / "corpus").mkdir(parents=True)
    return []


def no_blood(folder: Path) -> list[object]:
    (folder / "data").mkdir()
    (folder / "data" / "notes.txt").write_text("nothing")
    return ["--data", folder / "data"]


def a_file(folder: Path) -> list[object]:
    (folder / "out").write_text("")
    return []


REFUSED = {
    "earlier run": (earlier_run, "holds an earlier training run; give --resume"),
    "both flags": (lambda _: ["--resume", "--overwrite"], "expected one of the two"),
    "no blood": (no_blood, "no input function in .*data; expected .*_blood.tsv"),
    "no time": (lambda _: ["--max-minutes", "0"], "--max-minutes 0; expected a number above 0"),
    "less time": (lambda _: ["--max-minutes", "-3"], "--max-minutes -3; expected"),
    "no number": (lambda _: ["--max-minutes", "nan"], "--max-minutes nan; expected"),
    "words": (lambda _: ["--max-minutes", "soon"], "'--max-minutes': .*number"),
    "no workers": (lambda _: ["--workers", "0"], "--workers 0; expected 1 or more"),
    "a file": (a_file, "out is a file; expected a folder"),
    "no config": (lambda f: ["--config", f / "none.toml"], "none.toml cannot be read"),
}
CONFIGS = {
    "pebbles = 3": "'pebbles' in train.toml; expected one of studies, curves",
    "studies = 'many'": "studies = 'many' in train.toml; expected int",
    "studies = true": "studies = True in train.toml; expected int",
    "studies = 30.5": "studies = 30.5 in train.toml; expected int",
    "studies = inf": "studies = inf in train.toml; expected int",
    "studies = 3": "studies is 3; expected 26 or more",
    "flow_minutes = nan": "flow_minutes is nan; expected a number above 0",
    "flow_minutes = inf": "flow_minutes is inf; expected a number above 0",
    "measured_share = 1.5": "measured_share is 1.5; expected 0 to 1",
    "studies = ": "train.toml cannot be read",
}


def check_refusal(
    run_cli: RunCli, folder: Path, more: list[object], words: str, what: str = "kinetics"
) -> None:
    before = sorted(folder.rglob("*"))
    code, out, err = run_cli("train", what, "-o", folder / "out", *more)
    assert code == 2, err
    assert err.count("\n") == 1 and not out
    assert re.search(words, err), err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(run_cli: RunCli, tmp_path: Path, case: str) -> None:
    spoil, words = REFUSED[case]
    more = spoil(tmp_path)
    check_refusal(run_cli, tmp_path, more, words)


@pytest.mark.parametrize("text", CONFIGS)
def test_configurations_that_are_refused(run_cli: RunCli, tmp_path: Path, text: str) -> None:
    more = ["--config", config(tmp_path, text)]
    check_refusal(run_cli, tmp_path, more, CONFIGS[text])


PUBLISHED_REFUSED = {
    "both flags": (lambda _: ["--resume", "--overwrite"], "exclude each other"),
    "no time": (lambda _: ["--max-minutes", "0"], "--max-minutes 0; expected a number above 0"),
    "a file": (a_file, "out is a file; expected a folder"),
}


@pytest.mark.parametrize("case", PUBLISHED_REFUSED)
def test_refusals_of_the_published_model(run_cli: RunCli, tmp_path: Path, case: str) -> None:
    spoil, words = PUBLISHED_REFUSED[case]
    more = spoil(tmp_path)
    check_refusal(run_cli, tmp_path, more, words, "kinetics-published")


@pytest.mark.slow
def test_the_published_model_from_its_simulator_to_a_bundle(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "simulations", lambda n, seed: few(400, seed))
    monkeypatch.setattr(publishing, "held_out", lambda network, n: measured(network, 16))
    out = tmp_path / "out"
    arguments = ["train", "kinetics-published", "-o", out]
    code, _, err = run_cli(*arguments, "--max-minutes", "0.03")
    assert code == 0, err
    bundle = load_bundle(out / "bundles" / "kinetics-published-v1", "kinetics")
    record = json.loads((bundle.path / "training.json").read_text())
    lines = (out / "published" / "metrics.jsonl").read_text().splitlines()
    assert record["steps"] == json.loads(lines[-1])["step"] > 0
    assert 0.0 <= record["metrics"]["coverage_K1"] <= 1.0
    code, _, err = run_cli(*arguments, "--max-minutes", "0.03")
    assert code == 2 and "--resume" in err


@pytest.mark.slow
def test_a_tiny_run_gives_bundles_and_goes_on(run_cli: RunCli, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["train", "kinetics", "-o", out, "--config", config(tmp_path, TINY), "--quiet"]
    code, _, err = run_cli(*arguments, "--max-minutes", "0.3", "--workers", "2")
    assert code == 0, err
    assert len(list((out / "corpus").glob("study-*.npz"))) == 26
    assert json.loads((out / "corpus" / "inputs.json").read_text())["studies"] == 26
    steps = {}
    for name in ("denoiser", "consistency", "flow"):
        bundle = load_bundle(out / "bundles" / f"kinetics-{name}-v1", "kinetics")
        assert bundle.config.name == name
        lines = (out / name / "metrics.jsonl").read_text().splitlines()
        steps[name] = json.loads(lines[-1])["step"]
        assert np.isfinite(json.loads(lines[-1])["score"])
        assert steps[name] > 0

    code, _, err = run_cli(*arguments, "--max-minutes", "0.3")
    assert code == 2 and "--resume" in err
    other = config(tmp_path, TINY.replace("draws = 4", "draws = 5"))
    code, _, err = run_cli("train", "kinetics", "-o", out, "--config", other, "--resume")
    assert code == 2 and "draws" in err
    config(tmp_path, TINY)
    code, _, err = run_cli(*arguments, "--max-minutes", "0.6", "--resume")
    assert code == 0, err
    for name in steps:
        bundle = load_bundle(out / "bundles" / f"kinetics-{name}-v1", "kinetics")
        record = json.loads((bundle.path / "training.json").read_text())
        assert record["steps"] > steps[name]
