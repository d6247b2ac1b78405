"""Chains in closed form: sound ones are the posterior, a prior used twice is too sure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from betaplus.pipeline.benchmark.propagation.gaussian import (
    GaussianCase,
    chains,
    coverage,
    error_covariance,
    strips,
)
from betaplus.pipeline.benchmark.propagation.linear import benchmark_gaussian, make_case, wanted


@pytest.fixture(scope="module")
def case() -> GaussianCase:
    return make_case(6, noise=2.0)


def test_both_sound_ways_are_the_posterior(case: GaussianCase) -> None:
    found = chains(case)
    joint = case.forward @ case.prior @ case.forward.T + np.diag(case.noise.ravel())
    gain = case.prior @ case.forward.T @ np.linalg.inv(joint)
    left = case.prior - gain @ case.forward @ case.prior
    for name in ("exact", "likelihood", "draws"):
        np.testing.assert_allclose(found[name].gain, gain, atol=1e-6)
        np.testing.assert_allclose(found[name].stated, left, atol=1e-6)


@pytest.mark.parametrize("name", ["exact", "likelihood", "draws", "least-squares"])
def test_sound_chains_err_as_they_state(case: GaussianCase, name: str) -> None:
    chain = chains(case)[name]
    np.testing.assert_allclose(error_covariance(case, chain), chain.stated, rtol=1e-5, atol=1e-6)
    held = coverage(case, chain, wanted(6)["voxel"], (0.5, 0.9))["held"]
    np.testing.assert_allclose(held, [[0.5] * 36, [0.9] * 36], atol=1e-4)


@pytest.mark.parametrize("noise", [0.3, 1.0, 5.0])
def test_naive_chain_of_one_number(noise: float) -> None:
    """One voxel, two frames that see Ki and V0 apart, and one that sees nothing: all is scalar."""
    case = GaussianCase(
        design=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        system=np.ones((1, 1)),
        noise=np.array([[noise**2], [noise**2], [1e12]]),
        prior=np.eye(2),
    )
    chain = chains(case)["naive"]
    s = noise**2 / (1.0 + noise**2)  # variance of the posterior, the prior's being 1
    stated, so = s / (1.0 + s), s + (s / (1.0 + s)) ** 2 * (1.0 - s)
    assert chain.stated[0, 0] == pytest.approx(stated)
    assert error_covariance(case, chain)[0, 0] == pytest.approx(so)
    held = coverage(case, chain, np.array([[1.0, 0.0]]), (0.9,))["held"][0, 0]
    assert held == pytest.approx(2.0 * norm.cdf(1.6449 * np.sqrt(stated / so)) - 1.0, abs=1e-4)


def test_naive_chain_without_data_holds_three_quarters() -> None:
    case = make_case(4, noise=1e4)
    held = coverage(case, chains(case)["naive"], wanted(4)["voxel"], (0.9,))["held"]
    np.testing.assert_allclose(held, 2.0 * norm.cdf(norm.ppf(0.95) / np.sqrt(2.0)) - 1.0, atol=1e-3)


def test_naive_chains_are_too_sure_of_voxels(case: GaussianCase) -> None:
    found, voxels = chains(case), wanted(6)["voxel"]
    for name in ("naive", "naive-frames", "naive-residual"):
        known = coverage(case, found[name], voxels, (0.9,))
        assert known["held"].mean() < 0.88
        assert (known["sd"] < known["error"]).all()


def test_lines_keep_the_sum_and_the_middle_of_a_voxel() -> None:
    system = strips(6, 8, 12).reshape(8, 12, 36)
    np.testing.assert_allclose(system.sum(1), 1.0)
    middle = np.einsum("abv,b->av", system, np.arange(12) - 5.5)
    x, y = (np.indices((6, 6)) - 2.5).reshape(2, 36)
    angle = np.pi * np.arange(8)[:, None] / 8
    np.testing.assert_allclose(middle, np.cos(angle) * x + np.sin(angle) * y, atol=1e-12)


def test_what_is_counted_is_what_is_computed(tmp_path) -> None:
    result = benchmark_gaussian(tmp_path, quick=True)
    for row in result["rows"]:
        if row["kind"] == "voxel":
            np.testing.assert_allclose(row["counted"], row["held"], atol=0.04)
    text = (tmp_path / "benchmark_propagation_gaussian.md").read_text()
    assert "Quick run" in text
    assert text.count("\n| ") == 1 + len(result["rows"])
