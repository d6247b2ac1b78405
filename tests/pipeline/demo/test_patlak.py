"""The demo's view of patlak: the numbers are of the pictures, and the prior helps."""

import numpy as np
import pytest

from betaplus.core.progress import Silent
from betaplus.pipeline.demo.patlak import from_dynamic
from betaplus.report.demo.patlak import patlak_images


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("betaplus.pipeline.demo.patlak._SHAPE", (48, 40, 24))
        yield from_dynamic(1, Silent())


def test_errors_are_those_of_the_maps_shown(found):
    clean = found.Ki["no noise"]
    inside = clean != 0.0
    for name, error in found.nrmse.items():
        off = (found.Ki[name] - clean)[inside]
        of_all = 100.0 * float(np.sqrt(np.mean(off**2) / np.mean(clean[inside] ** 2)))
        assert error == pytest.approx(of_all, rel=0.05)
    assert found.nrmse["hqs"] < found.nrmse["Gaussian"] < found.nrmse["least squares"]


def test_a_picture_and_a_table(found):
    parts = list(patlak_images(found))
    assert len(parts) == 2
    assert "hqs" in str(parts[-1])
