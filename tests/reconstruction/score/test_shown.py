"""Priors that are shown OSEM of the counts: what they see, what they are for, and how far."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from tests.physics.projector.cases import SMALL
from torch import nn

from betaplus.core.errors import InputError, UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.progress import Silent
from betaplus.core.raw import RawScan, Sinogram
from betaplus.generative.image_prior import BRIGHTEST, ImagePrior, load_image_prior
from betaplus.generative.unet import UNetSize
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.projector.projector import Projector
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.osem import Osem
from betaplus.reconstruction.osem_images import osem_images
from betaplus.reconstruction.score.choice import choose_prior, unlike
from betaplus.reconstruction.score.data_steps import DataSteps
from betaplus.reconstruction.score.dds import Dds
from betaplus.reconstruction.score.gibbs import Gibbs
from betaplus.reconstruction.score.prior import ScoreInputs, denoise_on
from betaplus.reconstruction.score.problem import score_problem

GRID = ImageGrid(shape=(30, 28, 9), voxel_size=(4.0, 4.0, 2.0))


class Echo(nn.Module):
    """Gives back one of the channels that it is shown."""

    def __init__(self, channel: int) -> None:
        super().__init__()
        self.size, self.reach = UNetSize(dimensions=2, widths=(4, 4), channels=16), 0
        self.channel = channel

    def forward(self, x: Any, sigma: Any, beside: Any, context: Any = None) -> Any:
        return beside[:, self.channel : self.channel + 1]


def echo(channel: int) -> ImagePrior:
    """Prior shown three images, five slices of each."""
    known = load_image_prior("brain2d")
    return dataclasses.replace(
        known, denoiser=Echo(channel), sees=3, around=5, orientations=(), spread=0.2
    )


def _data(scale: float = 1.0) -> SinogramData:
    x, y, z = np.meshgrid(*(GRID.axis(i) for i in range(3)), indexing="ij")
    image = (np.hypot(x / 40, (y - 6) / 30) < 1) * (1.0 + (x > 10) + 0.1 * z)
    trues = Projector(SMALL, GRID).forward((scale * image).astype(np.float32))
    counts = np.random.default_rng(1).poisson(trues).astype(np.float32)
    ones = np.ones_like(counts)
    return SinogramData(
        Sinogram(scanner=SMALL, prompts=counts, multiplicative=ones, additive=0.01 * ones),
        GRID, subsets=4, psf=0.0,
    )  # fmt: skip


def test_slices_are_those_of_osem_on_the_scanners_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("betaplus.reconstruction.score.prior.check_voxels", lambda *_: None)
    data, noise = _data(), np.random.default_rng(0).random(GRID.shape).astype(np.float32)
    after: list[np.ndarray] = []
    settings = Osem.Settings(iterations=2, subsets=4)
    Osem(settings).run(data, None, Silent(), lambda _, image: after.append(image.copy()))
    smooth = GaussianBlur(GRID.shape, GRID.voxel_size, 5.0).forward(after[0])
    depth = GRID.shape[2]
    for which, image in enumerate((smooth, *after)):
        for offset in (-2, 0, 1):
            prior = echo(5 * which + 2 + offset)
            problem = score_problem(data, ScoreInputs(prior=prior), None, sighted=True)
            found = problem.denoise(noise, 1.0, 0)
            # From below in RAS is from above on the scanner's axes.
            places = np.clip(np.arange(depth) - offset, 0, depth - 1)
            expected = (image / np.float32(problem.level)).clip(0.0, BRIGHTEST)[..., places]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
            assert problem.spread == 0.2


def test_the_images_that_are_shown_are_one_run_of_osem() -> None:
    data = _data()
    images = osem_images(data, 3)
    whole = Osem(Osem.Settings(iterations=3, subsets=4)).run(data, None, Silent())
    np.testing.assert_array_equal(images[3], whole)
    assert images.shape == (4, *GRID.shape)


def test_what_is_known_without_the_noisy_image_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large sigma is, the pull is that of the spread, so that noise is not fitted."""
    monkeypatch.setattr("betaplus.reconstruction.score.prior.check_voxels", lambda *_: None)
    strengths: list[float] = []

    def steps(self: DataSteps, clean: np.ndarray, first: int, count: int) -> np.ndarray:
        strengths.append(self.pull * self.level**2)
        return clean

    monkeypatch.setattr(DataSteps, "__call__", steps)
    settings = Dds.Settings(steps=3, inner=1, subsets=4, first=50.0, last=0.5, weight=0.12, draws=1)
    for spread in (0.2, math.inf):
        strengths.clear()
        prior = dataclasses.replace(echo(0), spread=spread)
        method = Dds(settings, ScoreInputs(prior=prior))
        method.run(_data(), None, Silent())
        expected = [0.12 / float(level) ** 2 + 1 / spread**2 for level in method.levels]
        assert strengths == pytest.approx(expected)


def test_methods_that_would_count_the_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("betaplus.reconstruction.score.prior.check_voxels", lambda *_: None)
    with pytest.raises(UsageError, match="is shown OSEM of the counts; expected a prior"):
        Gibbs(Gibbs.Settings(subsets=4), ScoreInputs(prior=echo(0))).prepare(_data())


def test_only_axial_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("betaplus.reconstruction.score.prior.check_voxels", lambda *_: None)
    with pytest.raises(UsageError, match="slices=mean"):
        denoise_on(echo(0), GRID, "mean", 1, np.zeros((3, *GRID.shape), np.float32))


def _scan(prompts: float, name: str = "teaching", **more: Any) -> RawScan:
    """An ellipse with so many prompts a voxel of FINE."""
    x, y, _ = np.meshgrid(*(FINE.axis(i) for i in range(3)), indexing="ij")
    trues = Projector(SMALL, FINE).forward((np.hypot(x / 30, y / 20) < 1).astype(np.float32))
    trues *= prompts * math.prod(FINE.shape) / float(trues.sum(dtype=np.float64))
    return RawScan(scanner=SMALL.replace(resolution=4.5, name=name), prompts=trues[None], **more)


FINE = ImageGrid(shape=(60, 60, 9), voxel_size=(2.0, 2.0, 2.0))


def test_which_scans_it_is_for() -> None:
    """Scans like those it learned from; others get the prior that knows images alone."""
    scan = _scan(2.0)
    shown = choose_prior(scan, FINE).prior
    assert shown.sees == 3 and "brain2d-osem" in choose_prior(scan, FINE).why
    thick = dataclasses.replace(FINE, voxel_size=(2.0, 2.0, 4.0))
    for other, grid, psf, method, what in (
        (_scan(0.05), FINE, None, "dds", "prompts per voxel: 0.05"),
        (scan, FINE, 0.0, "dds", r"resolution of the model \[mm\]: 0"),
        (_scan(2.0, "another"), FINE, None, "dds", "a scan of another; expected teaching or mMR"),
        (scan, thick, None, "dds", r"voxel size \[mm\]: 4"),
    ):
        found = choose_prior(other, grid, method=method, psf=psf).prior
        assert not found.sees
        with pytest.raises(InputError, match=what):
            choose_prior(other, grid, shown.bundle.path, psf=psf)
        with pytest.raises(InputError, match=what):  # no other prior will do
            choose_prior(other, grid, method="conditional", psf=psf)
    assert not choose_prior(scan, FINE, slices="alternate").prior.sees
    assert choose_prior(scan, FINE, method="conditional").prior.sees == 3
    for method in ("gibbs", "dds-published", "dps"):
        assert not choose_prior(scan, FINE, method=method).prior.sees
        with pytest.raises(UsageError, match=f"for {method}; expected dds, lisch, conditional"):
            choose_prior(scan, FINE, shown.bundle.path, method=method)
    assert unlike(load_image_prior("brain2d"), _scan(0.05), FINE, 0.0) is None
