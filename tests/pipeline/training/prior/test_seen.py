"""Scans of heads that a prior is shown, and slices of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from betaplus.core.errors import UsageError
from betaplus.core.grid import ImageGrid
from betaplus.generative.image_prior import load_image_prior
from betaplus.generative.volume_denoiser import volume_denoiser
from betaplus.pipeline.benchmark.reconstruct import lesions
from betaplus.pipeline.benchmark.reconstruct.matched import MULTIPLES
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prior.plan import SEEN, PriorPlan
from betaplus.pipeline.training.prior.seen_batches import SeenBatches
from betaplus.pipeline.training.prior.seen_heads import LESIONS, add_lesions, simulate_seen
from betaplus.pipeline.training.prior.train import train_prior

PLAN = dataclasses.replace(SEEN["brain2d"], edge=16, widths=(4, 4), around=3)


def _corpus(folder: Path, head: slice = slice(4, 20)) -> Corpus:
    """Every voxel says where it is, in each image; the truth is 0 outside a head."""
    x, y, z = np.indices((24, 24, 6), dtype=np.float32)
    where = (x + 24 * y) / 1000 + z
    truth = np.zeros_like(where)
    truth[head, head] = where[head, head]
    np.save(folder / "person000000_0.npy", np.stack([where, where + 0.25, where + 0.5, truth]))
    return Corpus.of(folder)


def test_truth_and_what_is_shown_are_of_one_place(tmp_path: Path) -> None:
    batches = SeenBatches(_corpus(tmp_path, slice(0, 24)), PLAN, augment=False)
    truths, nothing, shown = batches(64, torch.Generator().manual_seed(0))
    assert truths.shape == (64, 1, 16, 16) and nothing.shape == (64, 0)
    assert shown.shape == (64, 9, 16, 16)
    places = set()
    for truth, images in zip(truths, shown, strict=True):
        middle = images[[1, 4, 7]]
        for image, offset in zip(middle, (0.0, 0.25, 0.5), strict=True):
            torch.testing.assert_close(image, truth[0] + offset)
        z = int(truth[0, 0, 0])
        places.add(z)
        for first in (0, 3, 6):
            below, at, above = images[first : first + 3]
            torch.testing.assert_close(at - below, torch.full_like(at, float(z > 0)))
            torch.testing.assert_close(above - at, torch.full_like(at, float(z < 5)))
    assert places == set(range(6))


def test_slices_hold_the_head_and_are_mirrored_together(tmp_path: Path) -> None:
    wide = dataclasses.replace(PLAN, edge=8)
    plain = SeenBatches(_corpus(tmp_path), wide, augment=False)
    truths, _, _ = plain(64, torch.Generator().manual_seed(0))
    assert float((truths > 0).float().mean()) > 0.3
    augmented = SeenBatches(_corpus(tmp_path, slice(0, 24)), wide)
    truths, _, shown = augmented(64, torch.Generator().manual_seed(1))
    slopes = truths[:, 0].diff(dim=1).mean((1, 2)) * 1000
    assert (slopes < 0).any() and (slopes > 0).any()
    assert float(slopes.abs().min()) > 0.84 and float(slopes.abs().max()) < 1.21
    torch.testing.assert_close(shown[:, 1], truths[:, 0])  # the first image is the truth here


def test_processes_share_a_batch(tmp_path: Path) -> None:
    batches = SeenBatches(_corpus(tmp_path), PLAN)
    whole = batches(6, torch.Generator().manual_seed(3))
    for rank in range(2):
        part = batches(6, torch.Generator().manual_seed(3), rank, 2)
        for a, b in zip(whole, part, strict=True):
            torch.testing.assert_close(a[rank::2], b)


def test_lesions_are_none_of_those_that_the_benchmark_asks_for() -> None:
    grid = ImageGrid(shape=(60, 50, 40), voxel_size=(1.0, 1.0, 1.5))
    activity = np.full(grid.shape, 2.0, np.float32)
    activity[:10] = 0.0
    counts = set()
    for seed in range(60):
        found = add_lesions(activity, grid, 3, np.random.default_rng(seed))
        assert (found[:10] == 0.0).all() and (activity[10:] == 2.0).all()
        changed = (found != activity)[10:]
        counts.add(len(np.unique(found[10:][changed])))
    assert counts == {0, 1, 2, 3}
    radii, multiples = LESIONS
    for low, high in radii:
        assert not any(low <= radius <= high for radius in lesions.RADII)
    for low, high in multiples:
        assert not any(low <= m <= high for m in (lesions.MULTIPLE, *MULTIPLES))
    found = next(
        image
        for seed in range(60)
        if (image := add_lesions(activity, grid, 1, np.random.default_rng(seed)))[30, 25, 20] != 2.0
    )
    changed = found != activity
    share = float(found[30, 25, 20]) / 2.0
    assert any(low <= share <= high for low, high in multiples)
    radius = (0.75 * changed.sum() * 1.5 / np.pi) ** (1 / 3)  # of a ball of that volume
    assert radius < 14.5 and np.unique(found[changed]).size == 1


@pytest.mark.slow
def test_scans_of_a_head(tmp_path: Path) -> None:
    """OSEM goes with the truth, in one unit, on RAS axes; noise is what counts make it."""
    simulate_seen((tmp_path, 5, dataclasses.replace(PLAN, paints=2), 0))
    corpus = Corpus.of(tmp_path)
    assert len(corpus.files) == 2
    scans = [corpus.volume(i).astype(np.float64) for i in range(2)]
    for smooth, once, twice, truth in scans:
        inside = truth > 0.0
        assert np.corrcoef(smooth[inside], truth[inside])[0, 1] > 0.6
        assert smooth.mean() == pytest.approx(truth.mean(), rel=0.2)
        assert np.std(twice[inside]) > np.std(once[inside]) > np.std(smooth[inside])
        turned = truth[::-1, ::-1, ::-1]
        assert (
            np.corrcoef(smooth.ravel(), truth.ravel())[0, 1]
            > (np.corrcoef(smooth.ravel(), turned.ravel())[0, 1])
        )
    a, b = (scan[3] / scan[3].max() for scan in scans)
    np.testing.assert_allclose(a, b, atol=2e-3)  # one activity, counted twice


CONFIG = """
name = "tiny"
people = 2
paints = 1
edge = 16
around = 3
widths = [4, 8]
batch = 2
steps = 3
bf16 = false
"""


def test_a_bundle_says_what_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def head(job) -> None:
        folder, person, _, _ = job
        images = np.random.default_rng(person).random((4, 24, 24, 6), dtype=np.float32)
        np.save(folder / f"person{person:06d}_0.npy", images)

    monkeypatch.setattr("betaplus.pipeline.training.prior.corpus.simulate_seen", head)
    config = tmp_path / "tiny.toml"
    config.write_text(CONFIG)
    folder = train_prior(tmp_path / "out", name="brain2d-osem", config=config, workers=1)
    prior = load_image_prior("", folder)
    assert (prior.sees, prior.around, prior.orientations) == (3, 3, ())
    metrics = json.loads((folder / "training.json").read_text())["metrics"]
    assert prior.spread == pytest.approx(metrics["rmse at 3"])
    known = prior.bundle.config.validity
    assert known["resolution of the model [mm]"] == pytest.approx([4.2, 4.8])
    assert known["scanner"] == ["teaching", "mMR"]
    assert known["prompts per voxel"] == pytest.approx([0.168, 312.4], rel=2e-3)
    text = (folder / "README.md").read_text()
    assert "a scanner (teaching)" in text and "count them twice" in text
    shown = torch.rand(3, 20, 18, 5)
    denoise = volume_denoiser(prior, axes=(2,), shown=shown)
    noise = torch.randn(1, 1, 20, 18, 5)
    assert denoise(noise, torch.tensor(1.0)).shape == noise.shape
    with pytest.raises(ValueError, match="needs them"):
        volume_denoiser(prior, axes=(2,))


def test_there_are_no_images_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected none: scans are simulated"):
        train_prior(tmp_path / "out", name="brain2d-osem", data=tmp_path)


@pytest.mark.parametrize("values", [{"sees": 1}, {"around": 4}, {"slab": 3}, {"anatomy": "body"}])
def test_plans_that_make_no_sense(values) -> None:
    with pytest.raises(UsageError, match="expected"):
        PriorPlan(**{"sees": 3, "around": 5, "widths": (4, 4), **values})
