"""Nodes along a parameter against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, truncexpon

from betaplus.kinetics.shared.nodes import place_nodes

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@pytest.mark.parametrize("width", [0.1, 1e-2, 1e-4])
@pytest.mark.parametrize("middle", [0.5, 0.4321])
def test_normal(width, middle):
    asked = []

    def log_likelihood(u):
        asked.extend(u)
        return norm.logpdf(u, middle, width) + 1234.0

    nodes = place_nodes(log_likelihood, 10.0)
    mean = nodes.weight @ nodes.u
    assert nodes.effective >= 10.0
    assert mean == pytest.approx(middle, abs=0.01 * width)
    assert np.sqrt(nodes.weight @ (nodes.u - mean) ** 2) == pytest.approx(width, rel=0.02)
    assert nodes.log_evidence == pytest.approx(1234.0, abs=0.01)
    want = norm.ppf(LEVELS, middle, width)
    np.testing.assert_allclose(nodes.quantiles(LEVELS), want, atol=0.03 * width)
    assert len(asked) == len(set(asked)) < 110  # none twice, and not many


@pytest.mark.parametrize("width", [0.3, 3e-3, 1e-5])
@pytest.mark.parametrize("high", [False, True])
def test_pressed_against_an_end(width, high):
    def log_likelihood(u):
        return -(1.0 - u if high else u) / width

    nodes = place_nodes(log_likelihood, 10.0)
    true = truncexpon(b=1.0 / width, scale=width)
    levels = np.sort(1.0 - np.array(LEVELS)) if high else np.array(LEVELS)
    want = true.ppf(1.0 - levels if high else levels)
    got = nodes.quantiles(tuple(levels))
    np.testing.assert_allclose(1.0 - got if high else got, want, atol=0.05 * width)
    assert nodes.log_evidence == pytest.approx(np.log(width * -np.expm1(-1.0 / width)), abs=0.02)


def test_two_modes():
    def log_likelihood(u):
        return np.logaddexp(norm.logpdf(u, 0.2, 0.01), np.log(3.0) + norm.logpdf(u, 0.7, 0.02))

    nodes = place_nodes(log_likelihood, 20.0)
    assert nodes.weight[nodes.u < 0.4].sum() == pytest.approx(0.25, abs=0.01)
    assert nodes.log_evidence == pytest.approx(np.log(4.0), abs=0.02)
