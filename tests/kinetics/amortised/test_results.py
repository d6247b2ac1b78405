"""Quantities that follow from the parameters, against `exact`'s."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kinetics.amortised.cases import curves_of, make_task

from betaplus.kinetics.amortised.results import columns, parameter_names
from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.prior import PRIORS


@pytest.mark.parametrize(
    ("model", "prior"),
    [
        ("2TCM", "published"),
        ("2TCM", "published-signed"),
        ("2TCM3k", "default"),
        ("1TCM", "default"),
    ],
)
def test_columns_are_those_of_exact_for_the_same_parameters(model, prior):
    task = make_task(model=model, prior=PRIORS[prior], samples=200, delay=None)
    fitter = Exact().prepare(task)
    found = fitter.fit(curves_of(2).astype(np.float32), np.arange(2))["samples"].astype(np.float64)
    assert parameter_names(task) == fitter.parameters
    rows = np.zeros((2, 200, 6))
    for place, name in enumerate(("K1", "k2", "k3", "k4", "VB", "delay")):
        if name in fitter.parameters:
            rows[..., place] = found[:, fitter.parameters.index(name)]
    again = columns(fitter.parameters, rows)
    np.testing.assert_allclose(np.swapaxes(again, 1, 2), found, rtol=2e-5, atol=1e-7)


def test_columns_where_exchange_is_absent():
    rows = np.array([[0.3, 0.2, 0.1, 0.0, 0.05, 0.0], [0.3, 0.2, 0.0, 0.0, 0.05, 0.0]])
    found = columns(("Ki", "VT", "BPND"), rows)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[1], [0.0, 1.5, 0.0])
    assert found[0, 0] == pytest.approx(0.1)
