"""A tiny prior of pairs from end to end: people, network, bundle, benchmark, and who refuses it."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from betaplus.core.errors import InputError, UsageError
from betaplus.generative.image_denoiser import ImageDenoiser
from betaplus.generative.image_prior import load_image_prior
from betaplus.generative.unet import UNetSize
from betaplus.generative.volume_denoiser import volume_denoiser
from betaplus.pipeline.training.prior.plan import PAIRS, PriorPlan
from betaplus.pipeline.training.prior.publish import write_prior_bundle
from betaplus.pipeline.training.prior.train import train_prior

CONFIG = """
anatomy = "brain"
voxel = 12.0
edge = 16
widths = [4, 8]
people = 2
steps = 4
bf16 = false
"""
TINY = dataclasses.replace(
    PAIRS["patlak3d"], anatomy="brain", voxel=12.0, edge=16, widths=(4, 8), people=2, bf16=False
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prior after four steps."""
    folder = tmp_path_factory.mktemp("pair")
    config = folder / "tiny.toml"
    config.write_text(CONFIG)
    torch.set_num_threads(1)
    return train_prior(folder / "run", name="patlak3d", config=config, workers=1)


def test_the_bundle_says_what_it_is_and_where_it_holds(bundle: Path) -> None:
    prior = load_image_prior("patlak3d", bundle, several=True)
    assert prior.images == ("u_1", "u_2")
    assert (prior.unit, prior.voxel, prior.edge, prior.dimensions) == ("SUV", 12.0, 16, 3)
    valid = prior.bundle.config.validity
    assert valid["voxel size [mm]"] == pytest.approx([9.0, 16.2])
    assert (valid["anatomy"], valid["tracer"]) == (["brain"], ["FDG"])
    metrics = json.loads((bundle / "training.json").read_text())["metrics"]
    for name in ("u_1", "u_2"):
        assert 0.01 < metrics[f"rmse of {name} at 0.05"] < metrics[f"rmse of {name} at 1"] < 1.0
        assert -10.0 < metrics[f"gain of {name} at 1"] < 10.0
    assert "2 simulated people, all of them brain" in (bundle / "README.md").read_text()
    x = torch.randn(1, 2, 20, 24, 16)
    assert volume_denoiser(prior)(x, torch.tensor(0.3)).shape == x.shape


def test_what_ships_is_for_bodies_and_heads_from_3_to_5_mm(tmp_path: Path) -> None:
    plan = PAIRS["patlak3d"]
    size = UNetSize(dimensions=3, widths=(4, 8), blocks=1, channels=4, outputs=2)
    network = ImageDenoiser(size, plan.sd, plan.reach)
    record = {"data": None, "checksum": "0", "seed": 0, "command": "", "figures": {"score": 0.0}}
    folder = write_prior_bundle(
        tmp_path, plan, network, result={"minutes": 1.0, "steps": 2}, **record
    )
    config = json.loads((folder / "config.json").read_text())
    assert folder.name == "prior-patlak3d-v1"
    assert config["validity"]["voxel size [mm]"] == pytest.approx([3.0, 5.4])
    assert config["validity"]["anatomy"] == ["body", "brain"]
    assert "of heads 3 mm" in (folder / "README.md").read_text()


def test_who_expects_one_image_refuses_a_pair(bundle: Path) -> None:
    with pytest.raises(UsageError, match="u_1 and u_2 together; expected a prior of one image"):
        load_image_prior("patlak3d", bundle)


def test_a_network_that_does_not_fit_its_images_is_refused(tmp_path: Path) -> None:
    size = UNetSize(dimensions=3, widths=(4, 8), blocks=1, channels=3, outputs=2)
    folder = write_prior_bundle(
        tmp_path, TINY, ImageDenoiser(size, 0.5, 5), data=None, checksum="0", seed=0, command="",
        result={"minutes": 1.0, "steps": 2}, figures={"score": 0.0},
    )  # fmt: skip
    with pytest.raises(InputError, match="3 channels in and 2 out, expected 4 and 2 for 2 images"):
        load_image_prior("patlak3d", folder, several=True)


def test_the_benchmark_judges_each_map(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from betaplus.pipeline.benchmark.prior import run
    from betaplus.report.benchmark.prior import prior_figures

    monkeypatch.setenv("BETAPLUS_BUNDLES", str(bundle.parent))
    monkeypatch.setattr(run, "PAIRS", {"patlak3d": TINY})
    monkeypatch.setattr("betaplus.engine.default_workers", lambda: 1)
    result = run.benchmark_prior(tmp_path, names=["patlak3d"], quick=True)
    rows = result["priors"]["patlak3d"]["denoising"]
    assert [row["sigma"] for row in rows] == [s for s in (0.05, 0.1, 0.3, 1.0) for _ in range(2)]
    assert {row["case"] for row in rows} == {f"2 simulated people: u_{i}" for i in (1, 2)}
    assert all(set(row["rmse"]) == {"prior", "body3d"} for row in rows)
    table = run.prior_table(result)
    assert "body3d on this map alone" in table
    assert len(prior_figures(tmp_path, result)) == 3


def test_pairs_are_simulated_and_of_one_kind(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(UsageError, match="pairs of maps are simulated"):
        train_prior(tmp_path / "out", name="patlak3d", data=tmp_path / "images")
    for wrong in ({"dimensions": 2}, {"unit": "uptake"}, {"tracers": ("PSMA",)}, {"softest": 7.0}):
        with pytest.raises(UsageError, match="training setting"):
            dataclasses.replace(PAIRS["patlak3d"], **wrong)
    with pytest.raises(UsageError, match="anatomy is both"):
        PriorPlan(anatomy="both")
    with pytest.raises(UsageError, match="maps is dynamic"):
        PriorPlan(maps="dynamic")
