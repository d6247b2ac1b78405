"""Noise of means over regions against draws and closed forms."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from betaplus.patlak.noise_map import masked_mean
from betaplus.patlak.problem import PatlakProblem
from betaplus.patlak.region_noise import RegionNoise, mean_noise
from betaplus.physics.image_noise import NoiseCorrelation

SHAPE = (20, 18, 16)
VOXEL = (4.0, 4.0, 5.0)
M = np.array([[1.5, 1.2], [1.2, 1.3]])
NONE = NoiseCorrelation(sigma=(0.0, 0.0, 0.0), voxel=VOXEL)
SOME = NoiseCorrelation(sigma=(4.4, 3.2, 5.0), voxel=VOXEL)


def _problem() -> PatlakProblem:
    return PatlakProblem(
        h=torch.zeros(2, *SHAPE),
        normal=torch.from_numpy(np.repeat(M[..., None], SHAPE[2], 2)),
        misfit=torch.ones(SHAPE), noise=torch.zeros(SHAPE), freedom=torch.full((SHAPE[2],), 6.0),
        scale=torch.ones(2, dtype=torch.float64), voxel=VOXEL,
        mask=torch.ones(SHAPE, dtype=torch.bool),
    )  # fmt: skip


def _weights() -> np.ndarray:
    """A block whose border voxels belong to it by half, as of a resampled mask."""
    inside = np.zeros(SHAPE)
    inside[6:12, 6:10, 5:9] = 0.5
    inside[7:11, 6:10, 6:8] = 1.0
    return inside


def _s() -> np.ndarray:
    return 0.5 + 0.05 * np.indices(SHAPE)[0]


def test_independent_voxels_are_in_closed_form() -> None:
    w, s = _weights(), _s()
    found = mean_noise(_problem(), s**2, NONE, [w])[0]
    alone = np.sqrt((s**2 * w**2).sum()) / w.sum()
    assert found == pytest.approx(alone * np.sqrt(np.diag(np.linalg.inv(M))), rel=1e-6)


@pytest.mark.parametrize("fwhm", [0.0, 10.0])
def test_correlated_noise_is_as_draws_have_it(fwhm: float) -> None:
    w, s, problem = _weights(), _s(), _problem()
    found = mean_noise(problem, s**2, SOME, [w], fwhm)[0]
    widths = [a / b for a, b in zip(SOME.sigma, VOXEL, strict=True)]
    impulse = np.zeros((41, 41, 41))
    impulse[20, 20, 20] = 1.0
    power = np.sqrt((gaussian_filter(impulse, widths) ** 2).sum())
    root = np.linalg.cholesky(np.linalg.inv(M))
    rng, drawn = np.random.default_rng(0), []
    for _ in range(300):
        white = gaussian_filter(rng.standard_normal((2, 40, 38, 36)), [0, *widths])
        noise = s * white[:, 10:30, 10:28, 10:26] / power
        u = np.einsum("ij,jxyz->ixyz", root, noise)
        inside = np.ones(SHAPE, bool)
        u = np.stack([masked_mean(x.astype(np.float32), inside, problem, fwhm) for x in u])
        drawn.append((u * w).sum((1, 2, 3)) / w.sum())
    assert found == pytest.approx(np.std(drawn, axis=0), rel=0.12)


def test_noise_that_is_one_and_the_same_everywhere_does_not_average_out() -> None:
    far = NoiseCorrelation(sigma=(4000.0, 4000.0, 5000.0), voxel=VOXEL)
    found = mean_noise(_problem(), np.full(SHAPE, 4.0), far, [_weights()])[0]
    assert found == pytest.approx(2.0 * np.sqrt(np.diag(np.linalg.inv(M))), rel=1e-3)


def test_a_part_of_the_volume_is_enough() -> None:
    w, s = _weights(), _s()
    box = (slice(6, 12), slice(6, 10), slice(5, 9))
    noise = RegionNoise(_problem(), s**2, SOME)
    whole = noise.sd(w, (slice(None),) * 3)
    assert noise.sd(w[box], box) == pytest.approx(whole, rel=1e-5)


def test_slices_with_times_of_their_own_have_noise_of_their_own() -> None:
    problem, s = _problem(), _s()
    normal = problem.normal.clone()
    normal[..., 8:] *= 4.0
    beds = dataclasses.replace(problem, normal=normal)
    low, high = np.zeros(SHAPE), np.zeros(SHAPE)
    low[6:12, 6:10, 2:6], high[6:12, 6:10, 10:14] = 1.0, 1.0
    found = mean_noise(beds, s**2, SOME, [low, high, low + high])
    np.testing.assert_allclose(found[0] / found[1], 2.0, rtol=1e-5)
    # Both are far apart: half of each, independent.
    np.testing.assert_allclose(found[2], 0.5 * np.hypot(found[0], found[1]), rtol=0.02)


def test_what_is_outside_the_mask_does_not_count() -> None:
    problem, s = _problem(), _s()
    mask = problem.mask.clone()
    mask[:9] = False
    w = _weights()
    cut = dataclasses.replace(problem, mask=mask)
    found = mean_noise(cut, s**2, NONE, [w, np.where(mask, w, 0.0), np.zeros(SHAPE)])
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert not found[2].any()


def test_no_regions() -> None:
    assert mean_noise(_problem(), _s() ** 2, NONE, []).shape == (0, 2)
