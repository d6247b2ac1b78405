"""Blobs that counts demand of an image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.reconstruction.cases import GRID, SMALL, data, phantom, simulated

from betaplus.core.progress import Silent
from betaplus.generative.image_prior import load_image_prior
from betaplus.physics.projector.projector import Projector
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.method import find_score_method
from betaplus.reconstruction.scales import scales_of
from betaplus.reconstruction.score.coupled_counts import CoupledCounts
from betaplus.reconstruction.score.prior import ScoreInputs
from betaplus.reconstruction.score.pursuit import BlobScores, put_in

BALL = (15, 21, 4)  # in what is even in the phantom
WIDTH = 10.0


def _level(counts: SinogramData, image: np.ndarray) -> float:
    return scales_of(counts, image).level


def test_scores_are_those_of_the_projected_blob() -> None:
    """b^T g / sqrt(b^T H b) with b^T H b = sum y (m A b)^2 / ybar^2, line by line."""
    sinogram, truth = simulated(seed=3)
    counts = SinogramData(sinogram, GRID, subsets=3)
    level = _level(counts, truth)
    _, blobs = put_in(counts, truth, level, 1.5)
    assert blobs
    projector = Projector(SMALL, GRID)
    mean = (sinogram.multiplicative * projector.forward(truth)).astype(np.float64)
    mean += sinogram.additive
    for blob in blobs[:1]:  # the image is the truth for the first round
        kind = BlobScores(GRID.shape, GRID.voxel_size, blob.width)
        moved = sinogram.multiplicative * projector.forward(level * kind.image(blob.voxel))
        live = mean > 0
        slope = np.sum((moved * (sinogram.prompts - mean))[live] / mean[live])
        variance = np.sum(sinogram.prompts[live] * (moved[live] / mean[live]) ** 2)
        assert blob.score == pytest.approx(slope / np.sqrt(variance), rel=0.08)
        share = 1.0 - (1.5 / blob.score) ** 2
        assert blob.amount == pytest.approx(share * slope / variance, rel=0.15)


def test_scores_of_an_image_that_is_right_are_about_normal() -> None:
    """Those by the rough curvature, which tell where to look."""
    kind, scores = BlobScores(GRID.shape, GRID.voxel_size, WIDTH), []
    for seed in range(25):
        sinogram, truth = simulated(seed=seed)
        counts = SinogramData(sinogram, GRID, subsets=1)
        found = CoupledCounts(counts, _level(counts, truth))
        point = found.point(truth / np.float32(found.level))
        slope, variance = kind.along(point.gradient), kind.variance(found.curvature(point))
        active = phantom() > 0.5
        scores.append((slope / np.sqrt(variance))[active])
    assert abs(np.mean(scores)) < 0.1
    assert np.std(scores) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("share", "sign"), [(3.0, 1), (-1.0, -1)])
def test_what_was_left_out_is_put_in(share: float, sign: int) -> None:
    """A ball that the counts hold and the image does not, hot or cold."""
    kind = BlobScores(GRID.shape, GRID.voxel_size, WIDTH)
    sinogram, truth = simulated(2e6)
    activity = float(truth[BALL])
    ball = share * activity * kind.image(BALL)
    means = sinogram.multiplicative * Projector(SMALL, GRID).forward(truth + ball)
    prompts = np.random.default_rng(1).poisson(means + sinogram.additive).astype(np.float32)
    counts = SinogramData(dataclasses.replace(sinogram, prompts=prompts), GRID, subsets=3)
    found, blobs = put_in(counts, truth, _level(counts, truth), 4.0)
    assert blobs and sign * blobs[0].score > 4.0 and sign * blobs[0].amount > 0.0
    assert max(abs(a - b) for a, b in zip(blobs[0].voxel, BALL, strict=True)) <= 2
    assert (found >= 0).all()
    middle = kind.image(BALL) > 0.5
    contrast = (found - truth)[middle].sum() / ball[middle].sum()
    assert contrast == pytest.approx(1.0, abs=0.3)
    assert np.linalg.norm(found - truth - ball) < 0.6 * np.linalg.norm(ball)


def test_an_image_that_is_right_stays() -> None:
    sinogram, truth = simulated(seed=4)
    counts = SinogramData(sinogram, GRID, subsets=3)
    found, blobs = put_in(counts, truth, _level(counts, truth), 4.5)
    assert not blobs
    np.testing.assert_allclose(found, truth * counts.mask, rtol=1e-6)


@pytest.mark.parametrize("name", ["dds", "lisch", "conditional"])
def test_all_draws_get_what_the_mean_lacks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prior that is shown OSEM and makes everything even; the total, by a factor of 1.1."""
    monkeypatch.setattr("betaplus.reconstruction.score.prior.check_voxels", lambda *_: None)
    even = 0.8 * (phantom() > 0)

    def denoise(noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
        rng = np.random.default_rng(int(1e4 * abs(float(noisy[0, 0, 0]))))
        return (even * (1.0 + 0.01 * rng.standard_normal(even.shape))).astype(np.float32)

    monkeypatch.setattr(
        "betaplus.reconstruction.score.problem.denoise_on", lambda *_, **__: denoise
    )
    monkeypatch.setattr("betaplus.reconstruction.score.diffusion.total_factor", lambda *_: 1.1)
    prior = dataclasses.replace(load_image_prior("brain2d"), sees=3, around=5, spread=0.02)
    kind, found = find_score_method(name), {}
    more = {} if name == "conditional" else {"inner": 1}
    for significance in (0.0, 4.0):
        settings = kind.Settings(subsets=3, steps=2, draws=3, significance=significance, **more)
        method = kind(settings, ScoreInputs(prior=prior, seed=2))
        found[significance] = method.draws(data(3, counts=1e6), None, Silent())
    plain, full = found[0.0], found[4.0]
    assert not plain.blobs and len(full.blobs) >= 2
    hot, cold = phantom() > 3.0, phantom() == 0.0
    assert full.mean[hot].mean() > 1.3 * plain.mean[hot].mean()
    assert {blob.score > 0 for blob in full.blobs} == {True, False}
    assert cold.any() and (full.images >= 0).all()
    shift = full.images - np.float32(1.1) * plain.images
    free = (full.images > 0).all(0)
    np.testing.assert_allclose(shift[0][free], shift[1][free], atol=1e-4 * full.mean.max())
