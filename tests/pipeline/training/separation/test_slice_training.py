"""Networks of sequences: trained on files and on simulated slices, applied, refused."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.cli.conftest import run_cli  # noqa: F401
from tests.pipeline.training.separation.mat_cases import FRAMES, write_sequences
from tests.separation.small_study import small_problem

from betaplus.core.errors import InputError, UsageError
from betaplus.pipeline.training.separation.slice_plan import SlicePlan
from betaplus.pipeline.training.separation.slices import SimulatedSlices, protocol_of
from betaplus.pipeline.training.separation.train import train_separation
from betaplus.separation.bundle import TrainedSeparation, load_separation
from betaplus.separation.ced import CedNetwork, CedSize
from betaplus.separation.cnn3d import Cnn3dNetwork, Cnn3dSize
from betaplus.separation.method import find_method
from betaplus.separation.sequences import separate_slices

CONFIG = """
edge = 8
batch = 2
blocks = 1
growth = 4
widths = [4, 6]
width = 3
layers = 2
steps = 4
minutes = 0.0
warmup = 1
validate_every = 2
held = 2
bf16 = false
"""


def of_frames(frames: int):
    """A scan with only its last frames."""
    problem, _ = small_problem()
    return dataclasses.replace(
        problem,
        mixture=problem.mixture[..., -frames:],
        decay=problem.decay[:, -frames:],
        weights=problem.weights[-frames:],
        spaces=None,
    )


@pytest.mark.parametrize("kind", ["inn-published", "ced", "cnn3d"])
def test_trained_on_files_by_the_command_line(tmp_path, run_cli, kind):  # noqa: F811
    torch.set_num_threads(1)
    data = write_sequences(tmp_path / "data")
    config = tmp_path / "plan.toml"
    config.write_text(CONFIG)
    given = ["--data", data, "--config", config, "--workers", "1", "--quiet", "--kind", kind]
    code, _, err = run_cli("train", "separation", "-o", tmp_path / "whole", *given)
    assert code == 0, err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.generative.training._Loop._share_done", _stops_at(3))
        with pytest.raises(KeyboardInterrupt):
            train_separation(tmp_path / "cut", kind=kind, data=data, config=config, workers=1)
    code, _, err = run_cli("train", "separation", "-o", tmp_path / "cut", *given, "--resume")
    assert code == 0, err
    bundles = [tmp_path / out / "bundles" / f"separation-{kind}-v1" for out in ("whole", "cut")]
    first, second = (load_file(folder / "model.safetensors") for folder in bundles)
    assert all(torch.equal(first[name], second[name]) for name in first)

    trained = load_separation(kind, bundles[0])
    problem = of_frames(FRAMES)
    method = find_method(kind)(None, trained)
    found = method.fit(problem)
    assert found.x.shape == (2, *problem.mixture.shape) and torch.isfinite(found.x).all()
    assert (found.x[:, ~problem.mask] == 0).all() and found.x.abs().max() > 0
    assert torch.equal(method.fit(problem, threads=2).x, found.x)
    with pytest.raises(InputError, match="a scan of 6 frames; expected 5, which the network was"):
        method.fit(of_frames(6))
    assert trained.remarks(problem) == []
    record = json.loads((bundles[0] / "training.json").read_text())
    assert record["steps"] == 4 and len(record["data"]["files"]) == 64
    assert "3 slices in the published layout, FMZ and FDG" in (bundles[0] / "README.md").read_text()


def _stops_at(step: int):
    from betaplus.generative.training import _Loop

    share = _Loop._share_done

    def stop(loop):
        if loop.run.counts.step == step:
            raise KeyboardInterrupt
        return share(loop)

    return stop


def test_other_files_are_not_gone_on_with(tmp_path, run_cli):  # noqa: F811
    data = write_sequences(tmp_path / "data")
    config = tmp_path / "plan.toml"
    config.write_text(CONFIG)
    train_separation(tmp_path / "out", kind="ced", data=data, config=config, workers=1)
    (data / "hybrid" / "slice000.mat").write_bytes((data / "hybrid" / "slice001.mat").read_bytes())
    with pytest.raises(UsageError, match=r"files .* with --resume; expected .* as in the earlier"):
        train_separation(
            tmp_path / "out", kind="ced", data=data, config=config, workers=1, resume=True
        )
    (data / "fdg" / "slice000.mat").unlink()
    given = ["--data", data, "--config", config]
    code, out, err = run_cli("train", "separation", "-o", tmp_path / "new", *given)
    assert code == 2 and not out and err.count("\n") == 1
    assert re.search("slice000.mat is in hybrid alone of hybrid and fdg", err)
    assert not (tmp_path / "new").exists()


def test_tracers_have_folders_of_their_names(tmp_path):
    data = write_sequences(tmp_path / "data", pair=("FLT", "Fdg"))
    config = tmp_path / "plan.toml"
    config.write_text(CONFIG)
    bundle = train_separation(
        tmp_path / "out", kind="cnn3d", data=data, pairs=("flt,fdg",), config=config, workers=1
    )
    problem = of_frames(FRAMES)
    said = load_separation("cnn3d", bundle).remarks(problem)
    assert len(said) == 1 and "FMZ+FDG, trained on flt+fdg" in said[0]


def test_simulated_slices_add_up(monkeypatch):
    """(A person in coarse voxels stands for one of those that are learned from.)"""
    from tests.separation.small_study import person

    monkeypatch.setattr(
        "betaplus.pipeline.training.separation.slices.draw_dual_person", lambda seed: person()
    )
    plan = SlicePlan(people=1, field=24, level=(3.0, 3.0))
    mixture, pair = SimulatedSlices(plan).draw(2, np.random.default_rng(0))
    assert mixture.shape == (2, 18, 24, 24) and pair.shape == (2, 36, 24, 24)
    one, two = pair.chunk(2, 1)
    noise = mixture - one - two
    assert float(noise.square().mean() / mixture.square().mean()) < 0.1
    late = protocol_of(plan).frames.start >= 1200.0
    assert (two[:, ~late] == 0).all() and (two[:, late].amax((2, 3)) > 0).all()
    assert one[:, -1].max() < 0.3 * one.max()  # carbon-11 is gone, and not corrected for


def test_slices_that_are_used_again_are_mirrored_together(monkeypatch):
    from tests.separation.small_study import person

    monkeypatch.setattr(
        "betaplus.pipeline.training.separation.slices.draw_dual_person", lambda seed: person()
    )
    plan = SlicePlan(people=1, field=20, scans=1)
    source = SimulatedSlices(plan)
    drawn = [source.draw(2, np.random.default_rng(seed)) for seed in range(8)]
    again = SimulatedSlices(plan).draw(2, np.random.default_rng(3))
    assert all(torch.equal(one, other) for one, other in zip(drawn[3], again, strict=True))
    voxels = [mixture.flatten(2).sort(2).values for mixture, _ in drawn]
    assert all(torch.equal(one, voxels[0]) for one in voxels)
    assert len({mixture.numpy().tobytes() for mixture, _ in drawn}) > 3
    for mixture, pair in drawn:  # one that was mirrored alone would leave more than noise
        one, two = pair.chunk(2, 1)
        noise = mixture - one - two
        assert float(noise.square().mean() / mixture.square().mean()) < 0.1
    fresh, _ = SimulatedSlices(dataclasses.replace(plan, scans=0)).draw(2, np.random.default_rng(3))
    assert not torch.equal(fresh, drawn[3][0])


@pytest.mark.parametrize("shape", [(13, 20), (5, 4)])
def test_networks_take_slices_of_any_size(shape):
    torch.manual_seed(0)
    mixture = torch.rand(2, 7, *shape)
    for network in (
        CedNetwork(CedSize(frames=7, widths=(4, 6, 8))),
        Cnn3dNetwork(Cnn3dSize(frames=7, width=3)),
    ):
        assert network(mixture).shape == (2, 14, *shape)


def test_the_encoder_decoder_has_about_the_published_number_of_weights():
    weights = sum(p.numel() for p in CedNetwork(CedSize()).parameters())
    assert weights == pytest.approx(2.4e6, rel=0.02)


class _Knows(torch.nn.Module):
    """Halves the mixture, after its scale."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.size = CedSize(frames=frames)
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, mixture: torch.Tensor) -> torch.Tensor:
        assert mixture.amax() == pytest.approx(1.0)
        return torch.cat([0.25 * mixture, 0.75 * mixture], 1)


def test_sequences_become_images_that_are_corrected_for_decay():
    problem, _ = small_problem()
    frames = problem.mixture.shape[-1]
    found = separate_slices(problem, TrainedSeparation(network=_Knows(frames))).x
    decay, seen = torch.as_tensor(problem.decay).float(), torch.as_tensor(problem.seen)
    for i, share in enumerate((0.25, 0.75)):
        expected = share * problem.mixture[..., seen[i]] / decay[i, seen[i]]
        mask = problem.mask
        torch.testing.assert_close(found[i][mask][:, seen[i]], expected[mask], rtol=1e-4, atol=1e-5)
        assert (found[i][..., ~seen[i]] == 0).all()


def test_settings_that_are_refused():
    for settings, words in (
        ({"pair": "FDG"}, "expected two tracers"),
        ({"level": (3.0,)}, "level is"),
        ({"layers": 1}, "layers is 1; expected 2 or more"),
        ({"edge": 0}, "edge is 0"),
    ):
        with pytest.raises(UsageError, match=words):
            SlicePlan(**settings)
