"""The demo's view of denoise: the numbers are of the pictures, and the network helps."""

import numpy as np
import pytest

from betaplus.core.progress import Silent
from betaplus.pipeline.demo.denoise import from_denoiser
from betaplus.report.demo.denoise import denoise_images


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.pipeline.demo.denoise._VOXEL", 6.0)
        yield from_denoiser(1, Silent())


def test_errors_are_those_of_the_volumes_shown(found):
    clean = found.volumes["no noise"]
    inside = clean > 0.1
    for name, error in found.rmse.items():
        of_all = float(np.sqrt(np.mean((found.volumes[name] - clean)[inside] ** 2)))
        assert error == pytest.approx(of_all, rel=0.25)
    assert found.rmse["mmse"] < found.rmse["Gaussian"] < found.rmse["few counts"]


def test_a_picture_and_a_table(found):
    parts = list(denoise_images(found))
    assert len(parts) == 2
    assert "mmse" in str(parts[-1])
