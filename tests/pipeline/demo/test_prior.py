"""The demo's view of the priors: what is compared, and that the numbers are of the pictures."""

import numpy as np
import pytest

from betaplus.core.progress import Silent
from betaplus.pipeline.demo.prior import NOISE, from_priors
from betaplus.report.demo.prior import prior_images


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.pipeline.training.prior.corpus.simulate_volume", _ball)
        yield from_priors(3, Silent())


def _ball(plan, person, paint, seed):
    """A ball of 1 with a hot core, in a volume that is quick to denoise."""
    grid = np.indices((40, 36, 44)) - np.array([20, 18, 22])[:, None, None, None]
    radius = np.sqrt((grid**2).sum(0))
    return ((radius < 14) + 1.5 * (radius < 5)).astype(np.float32)


def test_errors_are_those_of_the_volumes_shown(found):
    assert {shown.what for shown in found.shown} == {"brain", "body"}
    for shown in found.shown:
        truth = shown.volumes["truth"]
        for name, error in shown.rmse.items():
            assert error == pytest.approx(np.std(shown.volumes[name] - truth), rel=0.05)
        assert shown.rmse["noisy"] == pytest.approx(NOISE, rel=0.02)
        assert shown.rmse["prior"] < 0.5 * NOISE
        assert shown.rmse["Gaussian"] < NOISE


def test_a_picture_for_each_and_a_table(found):
    parts = list(prior_images(found))
    assert len(parts) == 3
    assert "brain2d" in str(parts[-1]) and "body3d" in str(parts[-1])
