"""Borders of known steps."""

import numpy as np
import pytest

from betaplus.pipeline.benchmark.region_intervals.regions import Region, structure


def test_borders_and_steps_are_measured() -> None:
    labels = np.ones((8, 6, 6), int)
    labels[4:] = 2
    image = np.where(labels == 1, 1.0, 3.5)
    region = Region(kind="organ", name="Liver", inside=labels == 1)
    found = structure(region, image, labels)
    assert found["border"] == pytest.approx(1 / 4)  # one plane of four; not the ends of the box
    assert found["step"] == pytest.approx(2.5)
    assert found["spread"] == 0.0
    alone = structure(region, image, np.ones_like(labels))
    assert alone["border"] == alone["step"] == 0.0
