"""Patches of pairs: placed, blurred from what lies around them, flipped and scaled together."""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prior.pair_batches import PairBatches
from betaplus.pipeline.training.prior.plan import PAIRS

PLAN = dataclasses.replace(PAIRS["patlak3d"], edge=16, widths=(4, 4))
BODY, HEAD = 0, 3


def _corpus(folder: Path, pair: np.ndarray, person: int = BODY) -> Corpus:
    np.save(folder / f"person{person:06d}_0.npy", pair.astype(np.float32))
    return Corpus.of(folder)


def _ramps(n: int) -> np.ndarray:
    x, y, z = np.indices((n, n, n), dtype=np.float32)
    return np.stack([1 + x + 64 * y, 1 + z])


def test_a_blurred_patch_has_no_borders_of_its_own(tmp_path: Path) -> None:
    # A Gaussian leaves a ramp as it is, as long as it is one as far as the Gaussian reaches.
    plan = dataclasses.replace(PLAN, softened=1.0)
    for person in (BODY, HEAD):
        batches = PairBatches(_corpus(tmp_path, _ramps(60), person), plan, augment=False)
    pairs, context = batches(64, torch.Generator().manual_seed(0))
    assert pairs.shape == (64, 2, 16, 16, 16)
    assert pairs.dtype == torch.float32
    assert context.shape == (64, 0)
    inner = 0
    for first, second in pairs.numpy():
        middle = np.array([(first[8, 8, 8] - 1) % 64, (first[8, 8, 8] - 1) // 64, second[8, 8, 8]])
        if (middle - 8 < 9).any() or (middle + 8 > 51).any():
            continue
        inner += 1
        steps = [np.diff(first, axis=0), np.diff(first, axis=1) / 64, np.diff(second, axis=2)]
        assert max(np.abs(step - 1).max() for step in steps) < 0.01
    assert inner >= 5


def test_resolutions_are_those_of_the_plan_in_voxels_of_the_person(tmp_path: Path) -> None:
    edge = np.zeros((2, 60, 60, 60))
    edge[:, 30:] = 1.0
    for person, voxel in ((BODY, 4.0), (HEAD, 3.0)):
        folder = tmp_path / str(person)
        folder.mkdir()
        for softened, low, high in ((0.0, 4.0, 8.0), (1.0, 8.0, 14.0)):
            plan = dataclasses.replace(PLAN, softened=softened)
            batches = PairBatches(_corpus(folder, edge, person), plan, augment=False)
            pairs, _ = batches(64, torch.Generator().manual_seed(0))
            # The largest step of a blurred edge is the middle weight of the sampled Gaussian.
            steps = pairs[:, 0].diff(dim=1).amax((1, 2, 3))
            found = steps[steps > 0.1].tolist()
            sigma = [v / 2.3548 / voxel for v in (low, high)]
            bounds = [1.0 / np.exp(-0.5 * (np.arange(-20, 21) / s) ** 2).sum() for s in sigma]
            assert len(found) > 5
            assert bounds[1] - 1e-3 < min(found) < max(found) < bounds[0] + 1e-3


def test_flips_and_scales_leave_a_pair_a_pair(tmp_path: Path) -> None:
    field = np.random.default_rng(0).random((30, 30, 30)) + np.indices((30, 30, 30)).sum(0) / 10
    batches = PairBatches(_corpus(tmp_path, np.stack([field, 0.5 * field])), PLAN)
    pairs, _ = batches(48, torch.Generator().manual_seed(1))
    ratios, rises = [], set()
    for first, second in pairs.numpy():
        inside = first > 0.2 * first.max()
        ratio = second[inside] / first[inside]
        assert ratio.max() / ratio.min() < 1.0001
        ratios.append(float(ratio.mean()) / 0.5)
        rises.add(bool(np.mean(np.diff(first[:, 8, 8])) > 0))
    assert np.abs(np.log(ratios)).max() <= 0.7
    assert np.std(np.log(ratios)) > 0.15
    assert rises == {True, False}


def test_processes_share_what_one_would_draw(tmp_path: Path) -> None:
    batches = PairBatches(_corpus(tmp_path, _ramps(30)), PLAN)
    whole, _ = batches(6, torch.Generator().manual_seed(3))
    for rank in range(2):
        part, nothing = batches(6, torch.Generator().manual_seed(3), rank, 2)
        assert torch.equal(part, whole[rank::2])
        assert nothing.shape == (3, 0)
