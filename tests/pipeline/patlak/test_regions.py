"""Means of regions against loops over them, least squares of their curves, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from tests.patlak.scans import FRAMES, SHAPE, basis, blood, scan

from betaplus.patlak.fitting import PatlakFit, fit_study, read_study
from betaplus.patlak.linear import Nnls, Wls
from betaplus.patlak.tv import Tv
from betaplus.pipeline.patlak.regions import outside, region_columns, region_remarks

START = 1200.0


def fitted(method: str = "wls", noise: float = 0.1) -> PatlakFit:
    mask = np.ones(SHAPE, bool)
    mask[0] = False
    study = read_study(
        scan(noise=noise), blood(), method=method, t_star=START, mask=mask, delay=0.0,
        relative=False, bed_times=None, dose=None, weight=None, level=1.0, progress=None,
    )  # fmt: skip
    kind = {"wls": Wls, "ls": Wls, "nnls": Nnls, "tv": Tv}[method]
    return fit_study(study, method=method, settings=kind.Settings(), prior=None)


def _labels() -> np.ndarray:
    labels = np.random.default_rng(0).integers(0, 4, SHAPE)
    labels[0] = 9  # outside the mask only
    return labels


def test_means_and_volumes() -> None:
    labels, names = _labels(), {3: "c", 1: "a", 2: "b", 9: "none"}
    found = fitted()
    columns = region_columns(found, labels, names)
    assert list(columns)[:7] == [
        "region", "volume_ml", "Ki", "Ki-sd", "Ki-q05", "Ki-q95", "Ki-maps",
    ]  # fmt: skip
    assert columns["region"] == ["c", "a", "b"]
    for i, label in enumerate((3, 1, 2)):
        inside = labels == label
        for name, volume in found.maps.items():
            np.testing.assert_allclose(columns[name][i], volume[inside].mean(), rtol=1e-5)
            np.testing.assert_allclose(columns[f"{name}-maps"][i], columns[name][i], rtol=1e-6)
        assert columns["volume_ml"][i] == inside.sum() * 0.064


@pytest.mark.parametrize("method", ["wls", "ls", "tv"])
def test_estimates_are_least_squares_of_the_regions_curve(method: str) -> None:
    labels, found = _labels(), fitted(method)
    columns = region_columns(found, labels, {1: "a", 2: "b"})
    late = FRAMES.start >= found.study.t_star
    rows = basis(FRAMES.start[late], FRAMES.duration[late])
    root = np.sqrt(found.study.weights[:, 0])
    assert (root == root[0]).all() == (method == "ls")
    frames = np.asarray(found.study.image.data)[..., late]
    for i, label in enumerate((1, 2)):
        curve = frames[labels == label].mean(0)
        line = np.linalg.lstsq(rows * root[:, None], curve * root, rcond=None)[0]
        for value, name in zip(line, ("Ki", "V0"), strict=True):
            assert columns[name][i] == pytest.approx(value, rel=1e-3)


def test_maps_of_another_method_are_told_apart() -> None:
    labels = _labels()
    least, other = (fitted(method) for method in ("wls", "tv"))
    one, two = (region_columns(f, labels, {1: "a"}) for f in (least, other))
    for name in ("Ki", "V0"):
        for end in ("", "-sd", "-q05", "-q95"):
            np.testing.assert_allclose(one[name + end], two[name + end], rtol=1e-6)
        inside = labels == 1
        assert two[f"{name}-maps"][0] == pytest.approx(other.maps[name][inside].mean(), rel=1e-5)
    assert abs(two["Ki-maps"][0] / two["Ki"][0] - 1.0) > 1e-3


def test_draws_do_not_change_intervals() -> None:
    found = fitted()
    tight = {name: np.repeat(v[None], 5, 0) for name, v in found.maps.items()}
    drawn = PatlakFit(**{**vars(found), "draws": tight})
    one, two = (region_columns(f, _labels(), {1: "a"}) for f in (found, drawn))
    assert one["Ki-sd"] == two["Ki-sd"] and one["Ki-sd"][0] > 0.0


def test_the_interval_is_of_a_normal_distribution() -> None:
    columns = region_columns(fitted(), _labels(), {1: "a"})
    for name in ("Ki", "V0"):
        low, high = norm.interval(0.9, columns[name], columns[f"{name}-sd"])
        np.testing.assert_allclose(columns[f"{name}-q05"], low, rtol=1e-9)
        np.testing.assert_allclose(columns[f"{name}-q95"], high, rtol=1e-9)


def test_a_larger_region_is_known_better_and_single_voxels_as_their_map() -> None:
    found = fitted()
    labels = np.zeros(SHAPE, int)
    labels[3, 2, 4], labels[1:3], labels[4:] = 1, 2, 3
    columns = region_columns(found, labels, {1: "one", 2: "many", 3: "many more"})
    assert found.std is not None
    for name in ("Ki", "V0"):
        sd = columns[f"{name}-sd"]
        assert sd[0] == pytest.approx(found.std[name][3, 2, 4], rel=1e-5)
        assert sd[1] < 0.4 * sd[0]


def test_regions_whose_maps_are_off_are_named() -> None:
    labels = _labels()
    found = fitted()
    columns = region_columns(found, labels, {1: "a", 2: "b", 3: "c"})
    assert region_remarks(columns, "wls") == []
    maps = {name: v.copy() for name, v in found.maps.items()}
    maps["Ki"][labels == 2] += 3.0 * np.float32(columns["Ki-sd"][1])
    moved = PatlakFit(**{**vars(found), "maps": maps})
    columns = region_columns(moved, labels, {1: "a", 2: "b", 3: "c"})
    assert outside(columns, "Ki").tolist() == [False, True, False]
    assert not outside(columns, "V0").any()
    (remark,) = region_remarks(columns, "hqs")
    assert "the Ki map of hqs is off for 1 of 3 regions" in remark
    said = f"b (maps say {columns['Ki-maps'][1]:.3g}, least squares over the region says"
    assert said in remark


def test_without_noise_nothing_is_outside() -> None:
    for method in ("wls", "nnls"):
        columns = region_columns(fitted(method, noise=0.0), _labels(), {1: "a", 2: "b"})
        assert region_remarks(columns, method) == []


def test_no_region_in_the_mask() -> None:
    columns = region_columns(fitted(), np.zeros(SHAPE, int), {1: "all"})
    assert columns["region"] == [] and len(columns["Ki"]) == len(columns["Ki-sd"]) == 0
    assert region_remarks(columns, "hqs") == []


def test_maps_are_u_in_their_units() -> None:
    found = fitted()
    Ki = found.u[0] * found.study.problem.scale[0].float()
    torch.testing.assert_close(torch.from_numpy(found.Ki), Ki)
