"""Training the denoiser: its bundle, resuming, what is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from betaplus.core.errors import InputError, UsageError
from betaplus.denoising.bundle import load_denoiser
from betaplus.denoising.inputs import context_of, show
from betaplus.denoising.noise import measure_noise
from betaplus.pipeline.training.denoiser.train import train_denoiser

CONFIG = """
voxel = 8.0
people = 3
paints = 1
boxes = 2
box = 40
margin = 4
edge = 16
widths = [4, 4]
batch = 2
steps = {steps}
bf16 = false
"""


@pytest.fixture(autouse=True, scope="module")
def few():
    """One box at each dose validates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.pipeline.training.denoiser.train._VALIDATION", 1)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("whole")
    (out / "plan.toml").write_text(CONFIG.format(steps=6))
    return train_denoiser(out, config=out / "plan.toml", workers=1)


def test_a_run_cut_short_ends_with_the_bits_of_one_that_was_not(whole, tmp_path):
    out = whole.parents[1]
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "corpus").symlink_to(out / "corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.generative.training._Loop._share_done", _stops_at(3))
        with pytest.raises(KeyboardInterrupt):
            train_denoiser(cut, config=out / "plan.toml", workers=1)
    bundle = train_denoiser(cut, config=out / "plan.toml", workers=1, resume=True)
    first, second = (load_file(folder / "model.safetensors") for folder in (whole, bundle))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def _stops_at(step: int):
    from betaplus.generative.training import _Loop

    share = _Loop._share_done

    def stop(loop):
        if loop.run.counts.step == step:
            raise KeyboardInterrupt
        return share(loop)

    return stop


def test_the_bundle_says_what_it_is_and_works(whole):
    denoiser = load_denoiser(explicit=whole)
    assert denoiser.voxel == 8.0
    image = 3.0 + torch.randn((1, 1, 16, 16, 16), generator=torch.Generator().manual_seed(0))
    z = denoiser.mean(show(image, measure_noise(image)), context_of([0.1], [(3.0,) * 3]))
    assert z.shape == image.shape
    assert torch.isfinite(z).all()
    training = json.loads((whole / "training.json").read_text())
    assert training["steps"] == 6
    assert "gain at 1/100 [dB]" in training["metrics"]
    card = (whole / "README.md").read_text()
    assert "3 simulated bodies" in card
    assert "No real image" in card


def test_what_is_refused(whole, tmp_path):
    out = whole.parents[1]
    with pytest.raises(UsageError, match="earlier training run"):
        train_denoiser(out, config=out / "plan.toml")
    other = tmp_path / "other.toml"
    other.write_text(CONFIG.format(steps=6).replace("voxel = 8.0", "voxel = 7.0"))
    with pytest.raises(UsageError, match="was made with voxel"):
        train_denoiser(out, config=other, resume=True)
    other.write_text("speed = 3\n")
    with pytest.raises(InputError, match="'speed'"):
        train_denoiser(tmp_path / "new", config=other)
    assert not (tmp_path / "new").exists()
