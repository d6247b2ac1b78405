"""The filters as methods: the noise that they are told, and the slabs of non-local means."""

from __future__ import annotations

import numpy as np
import pytest
from tests.denoising.cases import VOXEL, image, noisy

from betaplus.denoising import denoise
from betaplus.denoising.classical import Nlm
from betaplus.denoising.gaussian import gaussian
from betaplus.denoising.nlm import NlmSettings, nlm
from betaplus.denoising.volume import Volume


@pytest.mark.parametrize("edge", [1.5, 2.2, 3.0])
@pytest.mark.parametrize("level", [0.1, 0.4])
def test_the_noise_of_the_image_s_own_voxels(edge: float, level: float) -> None:
    # White noise, of which a grid of coarser voxels holds only a part.
    noise = np.random.default_rng(1).normal(1.0, level, (48, 48, 48)).clip(0)
    found = Volume(data=noise.astype(np.float32), voxel=(edge,) * 3, grid_voxel=3.0).sd
    assert abs(float(np.median(found)) / noise.std() - 1.0) < 0.15


def test_the_gaussian_filter_is_told_that_noise() -> None:
    scan = image()
    sd = Volume(data=scan.data, voxel=VOXEL, grid_voxel=3.0).sd
    found = denoise(scan, method="gaussian")
    assert np.array_equal(found.image.data, gaussian(scan.data, sd, VOXEL))
    assert found.image.data.std() < scan.data.std() and found.settings["network"] is None


def test_slabs_make_the_whole() -> None:
    data = noisy(shape=(20, 18, 80))
    volume, settings = Volume(data=data, voxel=VOXEL, grid_voxel=3.0), NlmSettings()
    method = Nlm(settings)
    pieces = [method.compute(volume, i) for i in range(method.pieces(volume))]
    assert [piece.shape[2] for piece in pieces] == [32, 32, 16]
    whole = nlm(data, volume.sd, VOXEL, settings)
    assert np.allclose(method.combine(volume, pieces).mean, whole, rtol=1e-4, atol=1e-5)


def test_workers_do_not_matter() -> None:
    one, other = (
        denoise(image(noisy(shape=(20, 18, 70))), method="nlm", workers=n).image.data
        for n in (1, 3)
    )
    assert np.array_equal(one, other)
