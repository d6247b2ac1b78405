"""Least squares of single voxels against dense solvers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from tests.patlak import toy

from betaplus.patlak.linear import Ls, Nnls, Wls
from betaplus.patlak.method import METHODS, find_method


@pytest.fixture(scope="module")
def noisy() -> toy.Toy:
    return toy.make(20, 0.36)


def _curves(t: toy.Toy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B and curves times the roots of weights, and where the curves are."""
    root = np.sqrt(t.weight)
    at = np.argwhere(t.problem.mask.numpy())[::23]
    return root[:, None] * t.basis, root[:, None] * t.y[:, at[:, 0], at[:, 1], at[:, 2]], at


def test_wls_is_a_dense_solution(noisy: toy.Toy) -> None:
    matrix, curves, at = _curves(noisy)
    u = Wls().fit(noisy.problem).u.numpy()
    expected = np.linalg.lstsq(matrix, curves, rcond=None)[0]
    np.testing.assert_allclose(u[:, at[:, 0], at[:, 1], at[:, 2]], expected, atol=2e-4)
    assert not u[:, ~noisy.problem.mask.numpy()].any()


def test_nnls_is_that_of_lawson_and_hanson(noisy: toy.Toy) -> None:
    matrix, curves, at = _curves(noisy)
    u = Nnls().fit(noisy.problem).u.numpy()[:, at[:, 0], at[:, 1], at[:, 2]]
    expected = np.stack([nnls(matrix, curve)[0] for curve in curves.T], 1)
    assert (expected == 0).any(0).mean() > 0.05  # both faces are met
    assert (expected[0] == 0).any() and (expected[1] == 0).any()
    np.testing.assert_allclose(u, expected, atol=2e-4)


def test_ls_is_wls_of_frames_that_weigh_alike(noisy: toy.Toy) -> None:
    alike = toy.problem_of(
        noisy.y, noisy.basis, np.ones(8), np.ones(2), 4.0, noisy.problem.mask.numpy()
    )
    at = np.argwhere(noisy.problem.mask.numpy())[::23]
    curves = noisy.y[:, at[:, 0], at[:, 1], at[:, 2]]
    expected = np.linalg.lstsq(noisy.basis, curves, rcond=None)[0]
    u = Ls().fit(alike).u.numpy()[:, at[:, 0], at[:, 1], at[:, 2]]
    np.testing.assert_allclose(u, expected, atol=2e-4)


@pytest.mark.parametrize("method", [Wls, Nnls])
def test_sds_are_those_of_realisations(method: type) -> None:
    toys = [toy.make(16, 0.18, uptake=0.0, filtered=0.0, seed=k) for k in range(20)]
    found = torch.stack([Wls().fit(t.problem).u for t in toys])
    inside = toys[0].problem.mask
    for i in range(2):
        std = float(method().fit(toys[0].problem).std[i][inside].square().mean().sqrt())
        assert std == pytest.approx(float(found[:, i, inside].var(0).mean().sqrt()), rel=0.08)


def test_methods_are_found() -> None:
    for name in ("ls", "wls", "nnls", "gaussian", "nlm", "tv", "kernel"):
        assert name in METHODS
        assert find_method(name)().fit is not None
