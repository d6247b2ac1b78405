"""Priors of images: the uptake level, and bundles that come back as they were written."""

from pathlib import Path

import numpy as np
import pytest
import torch

from betaplus.core.errors import InputError
from betaplus.generative.image_denoiser import ImageDenoiser
from betaplus.generative.image_prior import load_image_prior, uptake_level
from betaplus.generative.unet import UNetSize
from betaplus.pipeline.training.prior.plan import PriorPlan
from betaplus.pipeline.training.prior.publish import write_prior_bundle


def test_the_uptake_level_of_one_value_is_that_value_whatever_the_air() -> None:
    image = np.zeros((8, 8, 8))
    image[2:5, 1:7] = 3.7
    assert uptake_level(image) == pytest.approx(3.7)
    assert uptake_level(np.pad(image, 5)) == pytest.approx(3.7)
    assert uptake_level(2.0 * image - 1e-9) == pytest.approx(7.4)


def test_an_image_without_uptake_has_no_level() -> None:
    with pytest.raises(InputError, match="above 0"):
        uptake_level(np.zeros(4))


def test_a_prior_comes_back_from_its_bundle(tmp_path: Path) -> None:
    plan = PriorPlan(name="test2d", people=160, widths=(8, 16), blocks=1)
    size = UNetSize(dimensions=2, widths=plan.widths, blocks=plan.blocks, context=3)
    torch.manual_seed(0)
    network = ImageDenoiser(size, plan.sd)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((0.1 * torch.randn(parameter.shape)).half().float())
    folder = write_prior_bundle(
        tmp_path, plan, network, data=None, checksum="0", seed=0, command="betaplus train prior",
        result={"minutes": 1.0, "steps": 2}, figures={"score": 0.0, "rmse at 0.3": 0.1},
    )  # fmt: skip
    prior = load_image_prior("test2d", folder)
    assert (prior.dimensions, prior.voxel, prior.unit) == (2, 2.0, "uptake")
    x = torch.randn(2, 1, 16, 16)
    axial = torch.tensor([[0.0, 0.0, 1.0]]).expand(2, 3)
    assert torch.allclose(
        prior(x, 0.3, orientation="axial"), network(x, 0.3, context=axial), atol=1e-6
    )
    assert torch.allclose(prior(x, 0.3), network(x, 0.3), atol=1e-6)
    assert "160 simulated brain anatomies" in (folder / "README.md").read_text()


def test_a_bundle_that_describes_no_prior_is_refused(tmp_path: Path) -> None:
    from betaplus.generative.bundle import find_bundle

    with pytest.raises(InputError, match="of task 'kinetics'"):
        load_image_prior("brain2d", find_bundle("kinetics", "flow"))
