"""Training a prior on a user's images: the bundle, resuming, what is refused."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from betaplus.core.errors import InputError, UsageError
from betaplus.generative.image_prior import load_image_prior
from betaplus.generative.volume_denoiser import volume_denoiser
from betaplus.pipeline.training.prior.own import read_volume
from betaplus.pipeline.training.prior.plan import PriorPlan
from betaplus.pipeline.training.prior.train import train_prior

CONFIG = """
name = "mine"
voxel = 4.0
edge = 32
widths = [4, 8]
blocks = 1
batch = 2
steps = {steps}
bf16 = false
"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three balls of different sizes in different grids."""
    folder = tmp_path / "data"
    for subject, voxel in enumerate((2.0, 4.0, 5.0), start=1):
        n = int(96 / voxel)
        grid = (np.indices((n, n, n)) + 0.5 - n / 2) * voxel
        ball = 100.0 * (np.sqrt((grid**2).sum(0)) < 25 + 3 * subject)
        path = folder / f"sub-{subject:02d}" / f"sub-{subject:02d}_pet.nii.gz"
        path.parent.mkdir(parents=True)
        affine = np.diag([-voxel, voxel, voxel, 1.0])
        nibabel.save(nibabel.Nifti1Image(ball.astype(np.float32), affine), path)
    return folder


def _config(folder: Path, steps: int) -> Path:
    path = folder / f"{steps}.toml"
    path.write_text(CONFIG.format(steps=steps))
    return path


def test_a_run_cut_short_ends_with_the_bits_of_one_that_was_not(
    tmp_path: Path, images: Path
) -> None:
    torch.set_num_threads(1)
    config = _config(tmp_path, 6)
    whole = train_prior(tmp_path / "whole", config=config, data=images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.generative.training._Loop._share_done", _stops_at(3))
        with pytest.raises(KeyboardInterrupt):
            train_prior(tmp_path / "cut", config=config, data=images)
    cut = train_prior(tmp_path / "cut", config=config, data=images, resume=True)
    first, second = (load_file(folder / "model.safetensors") for folder in (whole, cut))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    prior = load_image_prior("mine", cut)
    assert prior.voxel == 4.0
    assert json.loads((cut / "training.json").read_text())["steps"] == 6


def _stops_at(step: int):
    from betaplus.generative.training import _Loop

    share = _Loop._share_done

    def stop(loop: _Loop) -> float:
        if loop.run.counts.step == step:
            raise KeyboardInterrupt
        return share(loop)

    return stop


def test_images_come_in_the_voxels_and_the_unit_of_the_prior(images: Path) -> None:
    plan = PriorPlan(voxel=4.0)
    for subject in (1, 2, 3):
        path = images / f"sub-{subject:02d}" / f"sub-{subject:02d}_pet.nii.gz"
        (volume,) = read_volume(path, plan)
        assert all(abs(n - 24) <= 1 for n in volume.shape)
        measured = (3 * (volume > 0.5).sum() * 64 / (4 * np.pi)) ** (1 / 3)
        assert measured == pytest.approx(25 + 3 * subject, abs=1.0)
        assert float(volume.max()) == pytest.approx(1.0, abs=0.15)


def test_an_earlier_run_needs_a_flag(tmp_path: Path, images: Path) -> None:
    config = _config(tmp_path, 2)
    train_prior(tmp_path / "out", config=config, data=images)
    with pytest.raises(UsageError, match="--resume"):
        train_prior(tmp_path / "out", config=config, data=images)
    with pytest.raises(UsageError, match="made with own True"):
        train_prior(tmp_path / "out", config=config, resume=True)


def test_wrong_data_are_refused(tmp_path: Path, images: Path) -> None:
    config = _config(tmp_path, 2)
    with pytest.raises(InputError, match="not a folder"):
        train_prior(tmp_path / "a", config=config, data=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images"):
        train_prior(tmp_path / "b", config=config, data=tmp_path / "empty")
    nibabel.save(
        nibabel.Nifti1Image(np.full((8, 8, 8), np.nan, np.float32), np.eye(4)),
        images / "sub-01" / "bad.nii.gz",
    )
    with pytest.raises(InputError, match="NaN"):
        train_prior(tmp_path / "c", config=config, data=images)
    assert not (tmp_path / "c").exists()


def test_it_starts_from_the_weights_of_another(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of no length leaves them as they are; what does not fit is refused."""
    torch.set_num_threads(1)
    first = train_prior(tmp_path / "first", config=_config(tmp_path, 4), data=images)
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(first.parent))
    more = tmp_path / "more.toml"
    text = CONFIG.format(steps=1).replace('"mine"', '"again"') + 'start = "mine"\n'
    more.write_text(text + "learning_rate = 1e-12\n")
    again = train_prior(tmp_path / "again", config=more, data=images)
    one, two = (load_file(bundle / "model.safetensors") for bundle in (first, again))
    assert all(torch.equal(one[name], two[name]) for name in one)
    more.write_text(text.replace("[4, 8]", "[4, 12]"))
    with pytest.raises(InputError, match="expected"):
        train_prior(tmp_path / "other", config=more, data=images)
    more.write_text(text.replace('start = "mine"', 'start = "nobody"'))
    with pytest.raises(UsageError, match="prior-nobody"):
        train_prior(tmp_path / "none", config=more, data=images)
    assert not (tmp_path / "none").exists()


def test_a_prior_of_slabs_cleans_volumes_with_enough_slices(tmp_path: Path, images: Path) -> None:
    torch.set_num_threads(1)
    config = tmp_path / "slab.toml"
    config.write_text(CONFIG.format(steps=2) + "slab = 3\nacross = [2]\n")
    prior = load_image_prior("mine", train_prior(tmp_path / "out", config=config, data=images))
    assert prior.slab == 3 and prior.denoiser.size.outputs == 3
    x = torch.rand(1, 1, 20, 24, 7, generator=torch.Generator().manual_seed(0))
    clean = volume_denoiser(prior, axes=(2,))(x, torch.tensor(0.5))
    with torch.no_grad():
        slab = torch.nn.functional.pad(x[0, :, :, :, 2:5].movedim(-1, 1), (0, 8, 0, 12))
        middle = prior(slab, 0.5, orientation="axial")[0, 1, :20, :24]
    torch.testing.assert_close(clean[0, 0, :, :, 3], middle)
    thin = nibabel.Nifti1Image(np.ones((20, 20, 2), np.float32), np.diag([4.0, 4.0, 4.0, 1.0]))
    nibabel.save(thin, images / "sub-01" / "thin.nii.gz")
    with pytest.raises(InputError, match="2 slices of 4 mm"):
        train_prior(tmp_path / "thin", config=config, data=images)
    config.write_text(CONFIG.format(steps=2) + "slab = 2\n")
    with pytest.raises(UsageError, match="slab is 2"):
        train_prior(tmp_path / "even", config=config, data=images)
