"""The network of corrections: what it is before training, its limits, its gradient."""

import numpy as np
import torch
from torch import nn

from betaplus.denoising.inputs import context_of, show
from betaplus.denoising.network import SD, CorrectionNetwork
from betaplus.denoising.noise import measure_noise

VOXEL = (3.0, 3.0, 3.0)
GENERATOR = torch.Generator().manual_seed(0)


def _image() -> torch.Tensor:
    noise = torch.randn((1, 1, 24, 24, 24), generator=GENERATOR)
    return 3.0 + 0.4 * noise


def _shown(image):
    return show(image, measure_noise(image))


def test_before_training_it_is_a_filter_that_lessens_noise():
    image = _image()
    noise = measure_noise(image)
    network = CorrectionNetwork((4, 4), 1).requires_grad_(False)
    z = network.mean(show(image, noise), context_of([None], [VOXEL]))
    out = (image + z * noise.sd)[..., 4:-4, 4:-4, 4:-4]
    assert float(out.std()) < 0.5 * float(image.std())
    assert abs(float(out.mean()) - 3.0) < 0.02


def test_the_answer_is_the_field_and_what_is_taken_of_the_path():
    network = CorrectionNetwork((4, 4), 1)
    nn.init.constant_(network.network.head.bias, 0.25)
    shown = _shown(_image())
    out = network.mean(shown, context_of([None], [VOXEL]))
    first = torch.tensor((3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0))
    first = first.reshape(1, 10, 1, 1, 1)
    likely = first - (shown.basis / 4.0).square().clamp(max=16.0)
    taken = (0.5 + likely).sigmoid()
    expected = SD * 0.25 + (taken * shown.basis).sum(1, keepdim=True)
    assert torch.allclose(out, expected, atol=1e-5)


def test_a_brighter_image_with_as_much_more_noise_looks_alike():
    image = 5.0 + torch.randn((1, 1, 24, 24, 24), generator=GENERATOR)
    one, two = (_shown(factor * image) for factor in (1.0, 3.0))
    inner = (..., *[slice(4, -4)] * 3)
    # Contrasts in units of the noise, and relative to the uptake, do not change with scale.
    assert torch.allclose(one.basis[inner], two.basis[inner], rtol=0.02, atol=0.02)
    assert torch.allclose(one.images[:, 4][inner], two.images[:, 4][inner], atol=1e-3)


def test_details_that_hold_more_than_noise_stay_before_training():
    image = 3.0 + 0.05 * torch.randn((1, 1, 32, 32, 32), generator=GENERATOR)
    image[:, :, 12:20, 12:20, 12:20] += 6.0
    noise = measure_noise(image)
    network = CorrectionNetwork((4, 4), 1).requires_grad_(False)
    out = image + network.mean(show(image, noise), context_of([None], [VOXEL])) * noise.sd
    assert float(out[0, 0, 16, 16, 16]) > 8.5
    assert float(out[0, 0, 13, 16, 16]) > 7.5
    quiet = (..., slice(2, 8), slice(2, 8), slice(2, 8))
    assert float(out[quiet].std()) < 0.6 * float(image[quiet].std())


def test_what_is_told_of_dose_and_voxels():
    edges = [VOXEL, VOXEL, (3.0, 3.0, 3.0 * np.exp(0.25))]
    told = context_of([None, 1.0, 0.01], edges)
    assert np.allclose(told.numpy(), [[0] * 5, [1, 0, 0, 0, 0], [1, -1, 0, 0, 0.5]], atol=1e-6)
