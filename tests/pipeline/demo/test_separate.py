"""The demo's view of separate: the numbers are of the pictures, and the tracers come apart."""

import numpy as np
import pytest

from betaplus.core.progress import Silent
from betaplus.pipeline.demo.separate import METHOD, from_dual
from betaplus.report.demo.separate import separate_images, separate_note


@pytest.fixture(scope="module")
def found():
    return from_dual(1, Silent())


def test_both_tracers_are_near_the_truth(found):
    assert found.method == METHOD
    for name in found.tracers:
        assert found.nrmse[name] < 12.0
        shown, true = found.slices[name], found.slices[f"{name}, truth"]
        inside = true > 0
        assert not shown[~inside].any()
        error = np.sqrt(np.mean((shown - true)[inside] ** 2) / np.mean(true[inside] ** 2))
        assert error < 0.15
    assert 0.8 < found.chi2 < 1.4


def test_a_picture_and_a_table(found):
    parts = list(separate_images(found))
    assert len(parts) == 2 and "FMZ" in str(parts[-1])
    assert "20 minutes" in separate_note(found)
