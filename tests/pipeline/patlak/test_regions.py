"""Means of regions against loops over them."""

from __future__ import annotations

import numpy as np
import torch
from tests.patlak.scans import SHAPE, blood, scan

from betaplus.patlak.fitting import PatlakFit, fit_study, read_study
from betaplus.patlak.linear import Wls
from betaplus.pipeline.patlak.regions import region_columns


def fitted(draws: dict[str, np.ndarray] | None = None) -> PatlakFit:
    mask = np.ones(SHAPE, bool)
    mask[0] = False
    study = read_study(
        scan(noise=0.1), blood(), method="wls", t_star=1200.0, mask=mask, delay=0.0,
        relative=False, bed_times=None, dose=None, weight=None, level=1.0, progress=None,
    )  # fmt: skip
    found = fit_study(study, method="wls", settings=Wls.Settings(), prior=None)
    if draws is None:
        return found
    return PatlakFit(**{**vars(found), "draws": draws})


def test_means_and_volumes() -> None:
    labels = np.random.default_rng(0).integers(0, 4, SHAPE)
    labels[0] = 9  # outside the mask only
    names = {3: "c", 1: "a", 2: "b", 9: "none"}
    found = fitted()
    columns = region_columns(found, labels, names)
    assert columns["region"] == ["c", "a", "b"]
    for i, label in enumerate((3, 1, 2)):
        inside = labels == label
        np.testing.assert_allclose(columns["Ki"][i], found.Ki[inside].mean(), rtol=1e-5)
        np.testing.assert_allclose(columns["V0"][i], found.V0[inside].mean(), rtol=1e-5)
        assert columns["volume_ml"][i] == inside.sum() * 0.064
    assert "Ki-sd" not in columns


def test_the_sd_of_a_region_is_that_of_the_draws_means() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(size=(50, 1, 1, 1)) + np.zeros((50, *SHAPE))  # all voxels together
    many = rng.normal(size=(50, *SHAPE))
    found = fitted({"Ki": one, "V0": many})
    columns = region_columns(found, np.ones(SHAPE, int), {1: "all"})
    drawn = one[:, 0, 0, 0]
    np.testing.assert_allclose(columns["Ki-sd"], drawn.std(ddof=1), rtol=1e-6)
    np.testing.assert_allclose(columns["Ki-q05"], np.quantile(drawn, 0.05), rtol=1e-6)
    assert columns["V0-sd"][0] < 0.3


def test_no_region_in_the_mask() -> None:
    columns = region_columns(fitted(), np.zeros(SHAPE, int), {1: "all"})
    assert columns["region"] == [] and len(columns["Ki"]) == 0


def test_maps_are_u_in_their_units() -> None:
    found = fitted()
    Ki = found.u[0] * found.study.problem.scale[0].float()
    torch.testing.assert_close(torch.from_numpy(found.Ki), Ki)
