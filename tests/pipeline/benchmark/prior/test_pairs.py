"""Pairs judged map by map: errors against closed forms."""

from pathlib import Path

import numpy as np
import pytest
import torch

from betaplus.generative.bundle import Bundle
from betaplus.generative.bundle_config import BundleConfig
from betaplus.generative.image_denoiser import ImageDenoiser
from betaplus.generative.image_prior import ImagePrior
from betaplus.generative.unet import UNetSize
from betaplus.pipeline.benchmark.prior.cases import Case
from betaplus.pipeline.benchmark.prior.pairs import measure_pairs


def _untrained(sd: float, images: tuple[str, ...]) -> ImagePrior:
    n = max(len(images), 1)
    size = UNetSize(dimensions=3, widths=(8, 8), blocks=1, embedding=16, channels=n, outputs=n)
    config = BundleConfig(
        task="prior", name="x", version=1, architecture={}, validity={}, settings={}, sha256=""
    )
    return ImagePrior(
        denoiser=ImageDenoiser(size, sd).eval(), voxel=4.0, edge=16, unit="SUV", orientations=(),
        images=images, bundle=Bundle(config=config, tensors={}, path=Path(), checksum=""),
    )  # fmt: skip


def test_errors_of_each_map_are_those_of_the_closed_forms() -> None:
    # An untrained denoiser is Wiener's for images of SD 0.7 about 0: it multiplies by
    # share = s^2 / (s^2 + sigma^2), so that of 1 everywhere it takes 1 - share.
    torch.manual_seed(5)
    images = torch.ones(8, 2, 24, 24, 24)
    images[:, 0] = 0.7 * torch.randn(8, 24, 24, 24)
    case = Case(
        name="made up", images=images, context=torch.zeros(8, 0), there=torch.ones_like(images)
    )
    priors = {"prior": _untrained(0.7, ("u_1", "u_2")), "alone": _untrained(0.7, ())}
    white, flat = measure_pairs(case, priors, 0.5, ("u_1", "u_2"))
    assert (white.case, flat.case) == ("made up: u_1", "made up: u_2")
    share = 0.49 / (0.49 + 0.25)
    for found, expected in (
        (white, 0.5 * np.sqrt(share)),
        (flat, np.hypot(1.0 - share, 0.5 * share)),
    ):
        assert found.rmse["prior"] == pytest.approx(expected, rel=0.01)
        assert found.rmse["alone"] == pytest.approx(found.rmse["prior"], rel=1e-6)
    assert white.gaussian > white.rmse["prior"]
    assert flat.gaussian < 0.05 < flat.rmse["prior"]
