"""Learned methods, the ablation and several beds, with a filter in the place of the prior."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from betaplus.patlak.prior_choice import PriorChoice
from betaplus.pipeline.benchmark.patlak import bench, candidates, images, passes
from betaplus.pipeline.benchmark.patlak.ablation import run as ablation
from betaplus.pipeline.benchmark.patlak.ablation.uncoupled import VARIANTS
from betaplus.pipeline.benchmark.patlak.bench import Plan
from betaplus.pipeline.benchmark.search import Axis

TINY = Plan(
    shape=(20, 20, 20), voxel=8.0, doses=(0.1,), anatomies=("body",), people=1, realisations=2,
    elsewhere=1, tuning_draws=1, methods=("wls", "gaussian", "red-diff", "hqs"),
)  # fmt: skip


class Filter:
    """A denoiser that smooths what is noisier more."""

    bundle = SimpleNamespace(config=SimpleNamespace(folder="filter"))

    def __call__(self, u, sigma):
        width = min(1.5, 2.0 * float(sigma))
        return torch.from_numpy(np.stack([gaussian_filter(x, width) for x in u.numpy()]))


@pytest.fixture
def filtered(monkeypatch, simulated):
    coarse = Axis(name="weight", ratio=8.0, low=0.05, high=50.0)
    for name in ("hqs", "red-diff"):
        one = dataclasses.replace(candidates.CANDIDATES[name], axes=(coarse,))
        monkeypatch.setitem(candidates.CANDIDATES, name, one)
    for module in (candidates, ablation):
        monkeypatch.setattr(module, "load_prior", lambda name: Filter())
    choice = PriorChoice(prior=Filter(), why="", remarks=())
    monkeypatch.setattr(candidates, "choose_prior", lambda study, **_: choice)
    for module in (images, ablation, passes):
        monkeypatch.setattr(module, "plan_of", lambda *_: TINY)
    monkeypatch.setattr(bench, "draw_subject", lambda subject, **_: simulated)


def test_the_better_learned_method_is_chosen_on_the_tuning_person(tmp_path, filtered):
    found = images.benchmark_images(tmp_path)
    scores = found["chosen"]["scores"]
    assert set(scores) == {"hqs", "red-diff"}
    assert found["chosen"]["method"] == min(scores, key=scores.get)
    assert "hqs (defaults)" in found["methods"]
    tuned = {t["method"]: t for t in found["tuning"]}
    assert tuned["hqs"]["settings"]["prior"] == "body3d"
    # The person is the same here, so that tuned settings are no worse than defaults.
    errors = {r["method"]: r["Ki"]["nrmse"] for r in found["rows"] if r["draw"] == 0}
    assert errors["hqs"] <= errors["hqs (defaults)"] + 1e-9
    assert all(gate["verdict"] in ("pass", "short") for gate in found["gates"])
    # Several beds are tuned for themselves, and the learned method is the one that was chosen.
    several = passes.benchmark_passes(tmp_path)
    assert several["chosen"] == found["chosen"]
    judged = {row["method"] for row in several["rows"]}
    chosen = found["chosen"]["method"]
    assert judged - {"hqs (defaults)"} == {"wls", "gaussian", chosen}
    assert {t["method"] for t in several["tuning"]} == {"gaussian", chosen}
    assert len(list(tmp_path.glob("*/tuning/passes_body_*.json"))) == 2
    assert (tmp_path / "benchmark_patlak_passes.md").is_file()


def test_every_variant_is_tuned_and_gated(tmp_path, filtered):
    found = ablation.benchmark_ablation(tmp_path)
    assert found["methods"] == ["hqs", *VARIANTS]
    assert len(found["rows"]) == 2 * len(found["methods"])
    assert len(found["gates"]) == len(VARIANTS)
    assert set(found["settings"]["body one call"]) == {"level"}
    assert "uncoupled over hqs" in (tmp_path / "benchmark_patlak_ablation.md").read_text()
