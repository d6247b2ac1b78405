"""The observer's part: lesions of known volume, errors of areas, tables."""

import math

import numpy as np
import pytest

from betaplus.evaluation.images.observer import roc_area
from betaplus.pipeline.benchmark.denoise.cases import groups
from betaplus.pipeline.benchmark.denoise.observer.run import find_place, sphere_share
from betaplus.pipeline.benchmark.denoise.observer.table import area_error, observer_table
from betaplus.pipeline.benchmark.denoise.trunk import information_of
from betaplus.simulation.static import draw_static, make_anatomy


def test_a_sphere_has_its_volume():
    share = sphere_share((15, 15, 12), (2.0, 2.0, 3.0), (7, 7, 5), 16.0)
    assert share.sum() * 12.0 == pytest.approx(math.pi / 6 * 16**3, rel=0.01)
    assert share[7, 7, 5] == 1.0 and share[0, 7, 5] == 0.0


@pytest.mark.parametrize("ratio", [1.5, 4.0])
def test_error_of_an_area_is_that_of_exponential_scores(ratio):
    """The model of Hanley and McNeil: the area is ratio / (1 + ratio)."""
    rng = np.random.default_rng(0)
    n = 50
    areas = [
        roc_area(ratio * rng.exponential(size=n), rng.exponential(size=n)) for _ in range(4000)
    ]
    assert np.mean(areas) == pytest.approx(ratio / (1 + ratio), abs=0.004)
    assert area_error(ratio / (1 + ratio), n) == pytest.approx(np.std(areas), rel=0.06)


@pytest.fixture(scope="module")
def place():
    body = draw_static(make_anatomy("body", 3, voxel=8.0), "FDG", 3, lesions=0)
    return find_place(body, "Liver", information_of(body, groups()[0]))


def test_a_lesion_is_added_where_the_observer_looks(place):
    group, voxel = groups()[0], place.part.phantom.voxel_size
    without, ill = (place.surrogate(group, d, 3.0).mean_image() for d in (None, 24.0))
    change = ill - without
    assert np.unravel_index(change.argmax(), change.shape) == place.centre
    liver = place.part.phantom.labels == place.part.phantom.labels[place.centre]
    level = place.part.activity[liver].mean()
    expected = 2.0 * level * math.pi / 6 * 24.0**3 / math.prod(voxel)
    assert change.sum() == pytest.approx(expected, rel=0.1)  # a blur moves activity about


def test_the_table_has_a_row_a_lesion():
    rows = [
        {"region": "Liver", "dose": 0.05, "diameter": d, "contrast": 1.2, "method": m,
         "auc": 0.8 + 0.01 * n, "snr": 1.0}
        for d in (10.0, 12.0)
        for n, m in enumerate(("noisy", "gaussian", "nlm", "mmse"))
    ]  # fmt: skip
    text = observer_table({
        "quick": False, "bundle": "denoiser-body-v1", "person": 1, "draws": 100, "box": 48,
        "voxel": 3.0, "seen": 17, "rows": rows,
    })  # fmt: skip
    error = area_error(0.8, 100)
    assert text.count(f"| Liver | 10 mm | 1.2 | 1/20 | 0.800 ({error:.3f}) | 0.810") == 1
    assert text.count("| Liver |") == 2
