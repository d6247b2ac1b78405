"""Part `baselines`: the best trial is taken, what is done is not done again, the table says all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.denoising.cases import tiny_bundle

from betaplus.core.errors import InputError, UsageError
from betaplus.core.progress import Silent
from betaplus.io.jsons import write_json
from betaplus.pipeline.benchmark.denoise import scans as scans_module
from betaplus.pipeline.benchmark.denoise.cases import groups
from betaplus.pipeline.benchmark.denoise.learned_baselines import training
from betaplus.pipeline.benchmark.denoise.learned_baselines.networks import BASELINES
from betaplus.pipeline.benchmark.denoise.learned_baselines.plan import BaselinePlan, quick_plan
from betaplus.pipeline.benchmark.denoise.learned_baselines.run import benchmark_baselines
from betaplus.pipeline.benchmark.denoise.learned_baselines.scoring import FILTERS, Scorer
from betaplus.pipeline.benchmark.denoise.learned_baselines.table import baselines_table
from betaplus.pipeline.benchmark.denoise.learned_baselines.training import train_baseline
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    for person in range(2):
        boxes = np.ones((2, 4, 24, 24, 24), np.float16)
        boxes[:, 0] = rng.uniform(0.5, 3.0, (2, 24, 24, 24))
        boxes[:, 1] = 0.1
        boxes[:, 2:] = rng.standard_normal((2, 2, 24, 24, 24))
        np.save(folder / f"person{person:06d}_0.npy", boxes)
    return Corpus.of(folder)


def trained(corpus: Corpus, folder: Path, name: str = "unet3d", **changed: Any) -> Any:
    plan = dataclasses.replace(quick_plan(), **changed)
    return train_baseline(
        BASELINES[name], folder, corpus, plan, minutes=5.0, seed=0, workers=0, progress=Silent()
    )


@pytest.mark.parametrize("name", BASELINES)
def test_a_training_that_is_done_is_not_done_again(
    name: str, corpus: Corpus, tmp_path: Path
) -> None:
    first = trained(corpus, tmp_path, name)
    lines = (tmp_path / "metrics.jsonl").read_text()
    again = trained(corpus, tmp_path, name)
    assert (tmp_path / "metrics.jsonl").read_text() == lines
    assert again.checksum == first.checksum
    assert again.record == first.record
    assert first.record["steps"] == quick_plan().most_steps
    assert first.record["parameters"] == sum(w.numel() for w in first.network.parameters())
    with pytest.raises(InputError, match="another network"):
        trained(corpus, tmp_path, name, widths=(4, 8))


def test_the_best_trial_is_taken(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates with the first loss, then the other loss with the best rate; one rate diverges."""
    known = {("L2", 1e-4): -1.0, ("L2", 1e-3): -3.0, ("L1", 1e-3): -4.0}
    real, asked = training._Runs.train, []

    def train(self: Any, folder: Path, loss: str, rate: float, steps: int, **more: Any) -> Any:
        asked.append((loss, rate, steps))
        if more:
            return real(self, folder, loss, rate, steps, **more)
        if (loss, rate) not in known:
            raise InputError("the score was not finite")
        return None, SimpleNamespace(best_score=known[loss, rate])

    monkeypatch.setattr(training._Runs, "train", train)
    changed = {"rates": (1e-4, 1e-3, 1e3), "trial_steps": 30}
    found = trained(corpus, tmp_path, **changed).record
    tried = [("L2", 1e-4, 30), ("L2", 1e-3, 30), ("L2", 1e3, 30), ("L1", 1e-3, 30)]
    last = ("L1", 1e-3, quick_plan().most_steps)
    assert asked == [*tried, last]
    assert (found["loss"], found["rate"]) == last[:2]
    assert [trial["score"] for trial in found["tried"]] == [-1.0, -3.0, None, -4.0]
    asked.clear()
    assert trained(corpus, tmp_path, **changed).record == found
    assert asked == [last]
    known.clear()
    with pytest.raises(InputError, match="all of 3 trials diverged"):
        trained(corpus, tmp_path / "other", **changed)


def a_scorer(folder: Path, checksum: str = "a") -> Scorer:
    nothing = SimpleNamespace(voxel=3.0, length=None)
    one = SimpleNamespace(name="ddpm2d", checksum=checksum)
    own = SimpleNamespace(bundle=SimpleNamespace(checksum="b"))
    return Scorer(
        folder=folder, scans=nothing, denoiser=own, trained=[one], plan=BaselinePlan(), draws=3,
        seed=0,
    )  # fmt: skip


def test_scores_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    scorer, group = a_scorer(tmp_path), groups()[0]
    methods = (*FILTERS, "ddpm2d", "ddpm2d mean of 3", "mmse")
    assert tuple(scorer.keys) == methods
    for n, method in enumerate(methods):
        file = scorer._file(group, 900_001, 0.05, method)
        assert " " not in file.name
        write_json(file, {"key": scorer.keys[method], "row": {"psnr": n}})
    filters: Any = None
    assert [row["psnr"] for row in scorer.rows(group, 900_001, 0.05, filters)] == [*range(6)]
    with pytest.raises(AttributeError, match="judged"):  # other weights: it asks for the scan
        a_scorer(tmp_path, "other").rows(group, 900_001, 0.05, filters)
    with pytest.raises(AttributeError, match="judged"):
        scorer.rows(group, 900_001, 0.25, filters)


def a_row(method: str, psnr: float, organ: float) -> dict[str, Any]:
    lesion = {"contrast": 4.0, "site": "lung", "mean": 0.0, "max": 0.0}
    return {
        "group": "usual", "person": 900_000, "dose": 0.05, "method": method, "psnr": psnr,
        "ssim": 0.9, "nrmse": 5.0, "liver_cov": 10.0, "reference_cov": 5.0, "seconds": 61.0,
        "organs": {"Liver": 0.5, "Spleen": organ},
        "lesions": [{**lesion, "diameter": 10.0, "peak": -20.0},
                    {**lesion, "diameter": 20.0, "peak": -6.0}],
    }  # fmt: skip


def test_the_table_says_what_each_had() -> None:
    tried = [{"loss": "L2", "rate": 1e-3, "score": -1.0}, {"loss": "L1", "rate": 1e-3, "score": 0}]
    network = {
        "name": "unet3d", "parameters": 2_360_000, "minutes": 30.02, "steps": 6000,
        "best_step": 5500, "loss": "L1", "rate": 1e-3, "tried": tried, "seed": 3,
        "held_out": {"gain": 7.25},
    }  # fmt: skip
    result = {
        "quick": False, "bundle": "denoiser-body-v9", "voxel": 3.0, "minutes": 30.0, "people": 1,
        "length": 240.0,
        "mmse": {"parameters": 2_500_000, "minutes": 120.0, "steps": 20_000}, "seed": 3,
        "plan": {"calls": 25}, "corpus": {"people": 60, "held_out_people": 5},
        "networks": [network], "first_person": 900_000, "tuned_on": 899_000, "doses": [0.05],
        "groups": ["usual"], "rows": [a_row("noisy", 30.0, 0.1), a_row("mmse", 38.0, -1.5)],
    }  # fmt: skip
    text = baselines_table(result)
    for words in ("Simulation", "120 minutes", "20000 steps", "4.0 times as long", "seed 3",
                  "seeds 900000 to 900000", "independent draws"):  # fmt: skip
        assert words in text
    assert "| unet3d | 2,360,000 | 30.0 | 6000 (5500) | L1 | 0.001 (L2 0.001, L1 0.001)" in text
    assert (
        "| 1/20 | mmse | 38.00 | 0.9000 | 5.00 | 1.00 | -1.5 Spleen | -20.0 (1) | -6.0 (1) |"
        " 10.0 (5.0) | 61 |"
    ) in text
    assert "Quick run" not in text and "nan" not in text


@pytest.mark.parametrize(
    "changed", [{"minutes": 0.0}, {"draws": 0}, {"people": -1}, {"names": ("unet",)},
                {"kinds": ("rare",)}],
)  # fmt: skip
def test_what_cannot_be_is_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected"):
        benchmark_baselines(tmp_path / "new", **changed)
    assert not (tmp_path / "new").exists()


def test_a_corpus_of_other_voxels_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "corpus" / "complete.json", {"voxel": 2.0, "box": 72})
    with pytest.raises(UsageError, match=r"voxel 2.*expected 3"):
        benchmark_baselines(tmp_path, bundle=tiny_bundle(tmp_path))


def test_our_training_is_that_of_the_plan() -> None:
    plan, own = BaselinePlan(), DenoiserPlan()
    assert plan.widths == own.widths and plan.edge == own.edge and plan.batch == own.batch
    assert plan.slice_edge + 2 * plan.margin <= own.box


@pytest.mark.slow
def test_a_quick_run_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tiny_bundle(tmp_path)
    found = benchmark_baselines(tmp_path, bundle=bundle, quick=True, workers=1)
    assert {row["method"] for row in found["rows"]} == {
        *FILTERS, "unet3d", "gan3d", "ddpm2d", "ddpm2d mean of 3", "mmse",
    }  # fmt: skip
    assert found == json.loads((tmp_path / "benchmark_denoise_baselines.json").read_text())
    text = (tmp_path / "benchmark_denoise_baselines.md").read_text()
    assert "Quick run" in text and "nan" not in text
    monkeypatch.setattr(scans_module, "make_trunk", None)  # would be called otherwise
    again = benchmark_baselines(tmp_path, bundle=bundle, quick=True, workers=1)
    assert again == found
