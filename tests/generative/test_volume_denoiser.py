"""Priors of slices and patches on whole volumes."""

from pathlib import Path

import pytest
import torch

from betaplus.generative.bundle import Bundle
from betaplus.generative.bundle_config import BundleConfig
from betaplus.generative.image_denoiser import ImageDenoiser
from betaplus.generative.image_prior import ImagePrior
from betaplus.generative.unet import UNetSize
from betaplus.generative.volume_denoiser import volume_denoiser


def _prior(dimensions: int) -> ImagePrior:
    """A stirred network of one level, which sees 9 voxels far."""
    torch.manual_seed(0)
    slices = dimensions == 2
    size = UNetSize(
        dimensions=dimensions, widths=(8, 8), blocks=1, embedding=16, context=3 if slices else 0
    )
    denoiser = ImageDenoiser(size, 0.5).eval().requires_grad_(False)
    for parameter in denoiser.parameters():
        parameter.normal_(0.0, 0.15)
    config = BundleConfig(
        task="prior", name="x", version=1, architecture={}, validity={}, settings={}, sha256=""
    )
    return ImagePrior(
        denoiser=denoiser,
        voxel=2.0,
        edge=48,
        unit="uptake",
        orientations=("sagittal", "coronal", "axial") if slices else (),
        bundle=Bundle(config=config, tensors={}, path=Path(), checksum=""),
    )


def test_slices_of_each_orientation_are_told_it_and_averaged() -> None:
    prior = _prior(2)
    volume, sigma = torch.randn(1, 1, 12, 16, 20), torch.tensor(0.4)
    found = volume_denoiser(prior)(volume, sigma)
    expected = torch.zeros_like(volume)
    for axis, name in enumerate(prior.orientations):
        for i in range(volume.shape[2 + axis]):
            plane = volume.select(2 + axis, i)
            expected.select(2 + axis, i).add_(prior(plane, sigma, orientation=name) / 3)
    assert torch.allclose(found, expected, atol=1e-5)


def test_one_orientation_can_be_asked_for() -> None:
    prior = _prior(2)
    volume, sigma = torch.randn(1, 1, 8, 12, 5), torch.tensor(0.4)
    found = volume_denoiser(prior, axes=(2,))(volume, sigma)
    assert torch.allclose(
        found[..., 3], prior(volume[..., 3], sigma, orientation="axial"), atol=1e-5
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_tiles_are_nearly_the_whole(threads: int) -> None:
    prior = _prior(3)
    volume, sigma = torch.randn(1, 1, 80, 52, 48), torch.tensor(0.4)
    tiled = volume_denoiser(prior, tile=48, threads=threads)(volume, sigma)
    whole = prior(volume, sigma)
    assert tiled.shape == whole.shape
    difference = (tiled - whole).abs()
    # The network sees further than a halo of 8 voxels: differences are small where tiles meet,
    # and none in the corner, to which only the first tile contributes.
    assert float(difference.max()) < 0.05 * float(whole.abs().max())
    assert float(difference[..., :16, :8, :].max()) < 1e-5
