"""Slices and patches: where they are from, what is done to them, who gets which."""

from pathlib import Path

import numpy as np
import torch

from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prior.batches import ORIENTATIONS, Batches
from betaplus.pipeline.training.prior.plan import PriorPlan

SLICES = PriorPlan(edge=32, widths=(4, 4), softened=0.0)
PATCHES = PriorPlan(softened=0.0, edge=16, dimensions=3, widths=(4, 4))


def _corpus(folder: Path) -> Corpus:
    """A volume whose voxels say where they are: 1 + x + 20 y + 400 z, up to 8,000."""
    x, y, z = np.indices((20, 20, 20))
    np.save(folder / "person000001_0.npy", (1 + x + 20 * y + 400 * z).astype(np.float32))
    return Corpus.of(folder)


def test_slices_lie_in_the_orientation_they_say(tmp_path: Path) -> None:
    batches = Batches(_corpus(tmp_path), SLICES, augment=False)
    images, context = batches(24, torch.Generator().manual_seed(0))
    assert images.shape == (24, 1, 32, 32)
    assert set(context.argmax(1).tolist()) == {0, 1, 2}
    assert torch.equal(context.sum(1), torch.ones(24))
    steps = {0: (20, 400), 1: (1, 400), 2: (1, 20)}
    for image, known in zip(images[:, 0], context, strict=True):
        first, second = steps[int(known.argmax())]
        inside = image[6:26, 6:26]  # 20 voxels in the middle of 32
        assert torch.allclose(torch.diff(inside, dim=0), torch.tensor(float(first)))
        assert torch.allclose(torch.diff(inside, dim=1), torch.tensor(float(second)))
        assert float(image.sum()) == float(inside.sum())
    assert ORIENTATIONS[2] == "axial"


def test_patches_are_cut_from_the_volume_with_0_outside(tmp_path: Path) -> None:
    batches = Batches(_corpus(tmp_path), PATCHES, augment=False)
    images, context = batches(16, torch.Generator().manual_seed(0))
    assert images.shape == (16, 1, 16, 16, 16)
    assert context.shape == (16, 0)
    for image in images[:, 0].numpy():
        there = np.argwhere(image > 0)
        value = int(image[tuple(there[0])]) - 1
        origin = np.array([value % 20, value // 20 % 20, value // 400])
        shift = there[0] - origin
        place = there - shift
        expected = 1 + place @ np.array([1, 20, 400])
        assert np.array_equal(image[image > 0], expected)
        assert np.all((place >= 0) & (place < 20))


def test_brightness_is_all_that_changes_along_axes_that_are_not_mirrored(tmp_path: Path) -> None:
    batches = Batches(_corpus(tmp_path), SLICES)
    images, _ = batches(64, torch.Generator().manual_seed(1))
    # The second axis of a slice is y or z, on which values rise by 20 or 400 a step.
    rises = torch.stack([torch.diff(image[0][image[0].sum(1) > 0][0]) for image in images])
    inner = rises.max(1).values
    ratio = torch.where(inner > 100, inner / 400, inner / 20)
    assert bool((inner > 0).all())
    assert float(ratio.min()) >= 0.5
    assert ratio.unique().numel() > 32


def test_processes_share_what_one_would_draw(tmp_path: Path) -> None:
    batches = Batches(_corpus(tmp_path), SLICES)
    whole, known = batches(8, torch.Generator().manual_seed(3))
    for rank in range(2):
        part, told = batches(8, torch.Generator().manual_seed(3), rank, 2)
        assert torch.equal(part, whole[rank::2])
        assert torch.equal(told, known[rank::2])


def test_softened_slices_lose_their_edges(tmp_path: Path) -> None:
    volume = np.zeros((20, 20, 20), np.float32)
    volume[6:14, 6:14, 6:14] = 1.0
    np.save(tmp_path / "person000001_0.npy", volume)
    steps = []
    for softened in (0.0, 1.0):
        plan = PriorPlan(edge=32, widths=(4, 4), softened=softened)
        images, _ = Batches(Corpus.of(tmp_path), plan)(16, torch.Generator().manual_seed(0))
        shown = [image[0] for image in images if float(image.sum()) > 0.0]
        steps.append([float(torch.diff(i, dim=0).max() / i.max()) for i in shown])
    assert min(steps[0]) == 1.0
    # A Gaussian as wide as a voxel leaves 0.89 of a step, one six times as wide 0.16.
    assert 0.1 < min(steps[1]) < max(steps[1]) < 0.9


def test_a_coarse_prior_sees_means_over_blocks(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).random((40, 40, 40)).astype(np.float16)
    for person in range(2):
        np.save(tmp_path / f"person{person:06d}_0.npy", volume)
    corpus = Corpus.of(tmp_path)
    fine, coarse = (
        Batches(corpus, PriorPlan(edge=32, widths=(4, 4), pool=pool, stem=1), augment=False)
        for pool in (1, 4)
    )
    images, means = (each(3, torch.Generator().manual_seed(1))[0] for each in (fine, coarse))
    assert means.shape == (3, 1, 8, 8)
    assert torch.allclose(torch.nn.functional.avg_pool2d(images, 4), means, atol=1e-6)


def test_slabs_are_neighbours_in_order_mirrored_left_to_right(tmp_path: Path) -> None:
    plan = PriorPlan(edge=32, widths=(4, 4), softened=0.0, slab=5, across=(0, 2, 2))
    plain = Batches(_corpus(tmp_path), plan, augment=False)
    slabs, context = plain(64, torch.Generator().manual_seed(0))
    assert slabs.shape == (64, 5, 32, 32)
    which = context.argmax(1)
    assert 0.5 < float((which == 2).float().mean()) < 0.85 and not bool((which == 1).any())
    for slab, axis in zip(slabs, which, strict=True):
        steps = torch.diff(slab[:, 6:26, 6:26], dim=0)
        assert torch.allclose(steps, torch.tensor({0: 1.0, 2: 400.0}[int(axis)]))
    mirrored, context = Batches(plain.corpus, plan)(64, torch.Generator().manual_seed(1))
    signs: dict[int, set[float]] = {0: set(), 2: set()}
    for slab, axis in zip(mirrored, context, strict=True):
        if float(axis.sum()) and int((slab[:, 10:22, 10:22] > 0).all()):
            x = 0 if int(axis.argmax()) == 0 else 1
            inside = slab[:, 10:22, 10:22]
            signs[int(axis.argmax())].add(float(torch.diff(inside, dim=x).sign().mean()))
            assert bool((torch.diff(inside, dim=1 if x == 0 else 2) > 0).all())
    assert signs == {0: {-1.0, 1.0}, 2: {-1.0, 1.0}}
