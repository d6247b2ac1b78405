"""The benchmark's own yardsticks: the best filter, errors, spectra, what is read of real images."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from betaplus.generative.bundle import Bundle
from betaplus.generative.bundle_config import BundleConfig
from betaplus.generative.image_denoiser import ImageDenoiser
from betaplus.generative.image_prior import ImagePrior
from betaplus.generative.unet import UNetSize
from betaplus.pipeline.benchmark.prior.cases import Case, real_cases
from betaplus.pipeline.benchmark.prior.denoising import measure_denoising
from betaplus.pipeline.benchmark.prior.samples import compare_samples, radial_spectrum
from betaplus.pipeline.training.prior.plan import PRIORS, PriorPlan


def _untrained(sd: float) -> ImagePrior:
    size = UNetSize(dimensions=2, widths=(8, 8), blocks=1, embedding=16, context=3)
    config = BundleConfig(
        task="prior", name="x", version=1, architecture={}, validity={}, settings={}, sha256=""
    )
    return ImagePrior(
        denoiser=ImageDenoiser(size, sd).eval(), voxel=2.0, edge=64, unit="uptake",
        orientations=("sagittal", "coronal", "axial"),
        bundle=Bundle(config=config, tensors={}, path=Path(), checksum=""),
    )  # fmt: skip


def _case(images: torch.Tensor) -> Case:
    return Case(
        name="made up",
        images=images,
        context=torch.zeros(len(images), 3),
        there=torch.ones_like(images),
    )


def test_errors_are_those_of_the_closed_forms() -> None:
    # White images of SD 0.7: an untrained denoiser is Wiener's, whose error is
    # sd sigma / sqrt(sd^2 + sigma^2). A filter, which weighs neighbours too, is between that and
    # the noise.
    torch.manual_seed(11)
    case = _case(0.7 * torch.randn(24, 1, 64, 64))
    found = measure_denoising(case, {"prior": _untrained(0.7)}, 0.5)
    wiener = 0.7 * 0.5 / np.hypot(0.7, 0.5)
    assert found.rmse["prior"] == pytest.approx(wiener, rel=0.01)
    assert wiener < found.gaussian < 0.5
    assert found.gain("prior") == pytest.approx(20 * np.log10(found.gaussian / wiener), abs=0.1)
    assert found.median["prior"] == pytest.approx(found.gain("prior"), abs=0.1)


def test_one_hot_image_decides_the_gain_but_not_its_median() -> None:
    torch.manual_seed(11)
    images = 0.7 * torch.randn(9, 1, 64, 64)
    images[0] *= 100.0
    with_it = measure_denoising(_case(images), {"prior": _untrained(0.7)}, 0.5)
    without = measure_denoising(_case(images[1:]), {"prior": _untrained(0.7)}, 0.5)
    assert with_it.gain("prior") < -10.0
    assert with_it.median["prior"] == pytest.approx(without.median["prior"], abs=0.1)


def test_the_filter_of_a_smooth_field_is_wide() -> None:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.standard_normal((8, 1, 64, 64)), (0, 0, 6, 6), mode="wrap")
    images = torch.from_numpy((smooth / smooth.std()).astype(np.float32))
    narrow, wide = (measure_denoising(_case(images), {}, sigma) for sigma in (0.1, 2.0))
    assert 1.0 < narrow.width < wide.width
    assert narrow.gaussian < 0.05


def test_what_is_padded_does_not_count() -> None:
    images = torch.zeros(2, 1, 64, 64)
    there = torch.zeros_like(images)
    there[..., :32] = 1.0
    case = Case(name="", images=images, context=torch.zeros(2, 3), there=there)
    case.images[..., 32:] = 100.0
    found = measure_denoising(case, {"prior": _untrained(0.5)}, 0.1)
    assert found.rmse["prior"] < 0.2


def test_the_spectrum_of_white_noise_is_flat_and_of_a_wave_one_shell() -> None:
    rng = np.random.default_rng(0)
    frequency, power = radial_spectrum(rng.standard_normal((32, 1, 32, 32)))
    assert np.allclose(power / 32**2, 1.0, atol=0.2)
    wave = np.broadcast_to(np.cos(2 * np.pi * 5 * np.arange(32) / 32), (1, 1, 32, 32))
    frequency, power = radial_spectrum(wave)
    assert frequency[np.argmax(power)] == 5 / 32
    assert power.sum() == pytest.approx(power.max())


def test_samples_of_the_same_images_have_ratios_of_1() -> None:
    torch.manual_seed(0)
    case = _case(torch.rand(6, 1, 32, 32))
    found = compare_samples(2.0 * case.images, case)
    assert found["ratio"]["mean"] == pytest.approx(2.0)
    assert found["ratio"]["sd"] == pytest.approx(2.0)
    assert found["ratio"]["bands"] == pytest.approx([4.0] * len(found["ratio"]["bands"]))


def test_real_images_are_found_and_cut(tmp_path: Path) -> None:
    for subject, n in (("STS_001", 40), ("STS_002", 80)):
        (tmp_path / "pet_ibsi" / subject).mkdir(parents=True)
        image = nibabel.Nifti1Image(np.ones((n, n, n), np.float32), np.diag([4.0, 4, 4, 1]))
        nibabel.save(image, tmp_path / "pet_ibsi" / subject / "PET_image.nii.gz")
    (case,) = real_cases(tmp_path, PRIORS["body3d"])
    assert case.images.shape == (2, 1, 64, 64, 64)
    assert float(case.there[0].sum()) == 40**3
    assert float(case.there[1].sum()) == 64**3
    assert torch.equal(case.images, case.there)
    assert list(real_cases(tmp_path, PriorPlan())) == []
