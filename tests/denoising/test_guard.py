"""The guard on noise whose correlation is known, with lesions erased and invented."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from betaplus.core.errors import InputError
from betaplus.denoising.guard import Guard, guard
from betaplus.denoising.guard_regions import score_regions
from betaplus.simulation.fields import gaussian_field

SHAPE, VOXEL = (52, 48, 44), (3.0, 3.0, 3.0)
PLACE = (17, 30, 20)
AFFINE = np.array([[-3.0, 0, 0, 90], [0, 3.0, 0, -40], [0, 0, 3.0, 5], [0, 0, 0, 1]])


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x, np.float32))[None, None]


def scene(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth with an organ and air, log-normal noise with SD rising with uptake, and that SD."""
    x, y, z = np.indices(SHAPE)
    truth = 1.0 + 3.0 * ((x - 36) ** 2 + (y - 16) ** 2 + (z - 24) ** 2 < 8**2)
    truth[:, :5] = 0.0
    noise = gaussian_field(SHAPE, (0.8, 0.8, 0.8), np.random.default_rng(seed))
    spread = 0.4 * np.maximum(truth, 0.05) ** -0.3
    noisy = truth * np.exp(spread * noise - spread**2 / 2)
    return truth, noisy, spread * np.maximum(truth, 0.05)


def lesion(contrast: float, radius: float = 2.0) -> np.ndarray:
    x, y, z = np.indices(SHAPE)
    r2 = (x - PLACE[0]) ** 2 + (y - PLACE[1]) ** 2 + (z - PLACE[2]) ** 2
    return contrast * np.exp(-0.5 * r2 / (radius / 1.18) ** 2)


def looked(noisy: np.ndarray, output: np.ndarray, sd: np.ndarray) -> Guard:
    return guard(tensor(noisy), tensor(output), tensor(sd), VOXEL, AFFINE)


def test_noise_raises_no_alarm() -> None:
    alarms = 0
    for seed in range(10):
        truth, noisy, sd = scene(seed)
        output = truth + 0.15 * (noisy - truth)
        alarms += looked(noisy, output, sd).alarm
    assert alarms <= 1


@pytest.mark.parametrize(("sign", "other"), [("erased", 1.0), ("invented", -1.0)])
def test_a_lesion_that_differs_is_found_where_it_is(sign: str, other: float) -> None:
    truth, noisy, sd = scene(3)
    shape = lesion(4.5)
    noisy, output = (noisy + shape, truth) if other > 0 else (noisy, truth + shape)
    found = looked(noisy, output, sd)
    assert [f.sign for f in found.findings] == [sign]
    only = found.findings[0]
    assert np.abs(np.subtract(only.voxel, PLACE)).max() <= 1
    np.testing.assert_allclose(only.centre, (AFFINE @ [*only.voxel, 1])[:3])
    assert only.change * other > 0.5
    assert only.z > min(min(both) for both in found.thresholds)


def test_a_factor_on_the_noise_that_changes_slowly_changes_little() -> None:
    truth, noisy, sd = scene(5)
    ramp = np.linspace(0.6, 2.0, SHAPE[0])[:, None, None]
    first = looked(noisy + lesion(4.5), truth, sd).findings[0]
    other = looked(noisy + lesion(4.5), truth, 1.7 * ramp * sd).findings[0]
    assert other.voxel == first.voxel
    assert other.z == pytest.approx(first.z, rel=0.15)


def test_a_change_without_relevance_is_no_finding() -> None:
    truth, noisy, sd = scene(6)
    faint = truth + 0.02 * (noisy - truth)
    assert not looked(faint + lesion(0.2), truth, 0.02 * sd).alarm


def test_two_lesions_and_what_is_listed() -> None:
    truth, noisy, sd = scene(7)
    output = truth + np.roll(lesion(4.5), 20, axis=0)
    found = looked(noisy + lesion(4.5), output, sd)
    assert sorted(f.sign for f in found.findings) == ["erased", "invented"]
    record = json.loads(json.dumps(found.as_dict()))
    assert record["alarm"] and record["omitted"] == 0
    assert len(record["findings"]) == 2
    first, second = (f["z"] / f["limit"] for f in record["findings"])
    assert first >= second > 1


def test_regions() -> None:
    truth, noisy, sd = scene(8)
    labels = np.zeros(SHAPE, np.int16)
    labels[truth > 2] = 1
    labels[6:20, 8:22, 8:30] = 2
    labels[6:20, 26:44, 8:30] = 3
    output = truth.copy()
    output[labels == 2] *= 0.8
    names = {1: "organ", 2: "scaled", 3: "kept", 9: "absent"}
    found = score_regions(tensor(noisy), tensor(output), tensor(sd), VOXEL, labels, names)
    assert [r.name for r in found] == ["organ", "scaled", "kept"]
    assert [r.flagged for r in found] == [False, True, False]
    assert found[1].z > 4 and found[1].voxels == np.count_nonzero(labels == 2)
    assert found[1].before == pytest.approx(noisy[labels == 2].mean(), rel=1e-5)


def test_scores_of_regions_of_noise_have_an_sd_of_about_one() -> None:
    labels = np.zeros(SHAPE, np.int16)
    for n, (i, j) in enumerate((i, j) for i in range(4) for j in range(4)):
        labels[2 + 12 * i : 12 + 12 * i, 8 + 10 * j : 17 + 10 * j, 12:24] = n + 1
    names = {n + 1: str(n) for n in range(16)}
    found = []
    for seed in range(8):
        noise = gaussian_field(SHAPE, (0.9, 0.9, 0.9), np.random.default_rng(seed))
        flat = np.full(SHAPE, 2.0)
        args = tensor(flat + 0.3 * noise), tensor(flat), tensor(0.3 * flat / 2)
        found += [r.z for r in score_regions(*args, VOXEL, labels, names)]
    assert 0.75 < np.std(found) < 1.25


def test_identity_has_nothing_to_find() -> None:
    _, noisy, sd = scene(9)
    assert not looked(noisy, noisy, sd).alarm


def test_refusals() -> None:
    x = torch.ones(1, 1, 12, 12, 12)
    with pytest.raises(InputError, match="expected one shape"):
        guard(x, x, x[..., :-1], VOXEL)
    with pytest.raises(InputError, match="output holds a voxel"):
        guard(x, x * float("nan"), x, VOXEL)
    with pytest.raises(InputError, match="labels"):
        score_regions(x, x, x, VOXEL, np.zeros((3, 3, 3)), {1: "a"})
