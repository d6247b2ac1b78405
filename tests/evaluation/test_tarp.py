"""TARP on conjugate Gaussian posteriors, right and wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.evaluation.ranks import sbc_ranks, uniformity
from betaplus.evaluation.tarp import Tarp, tarp_coverage


def gaussian(
    n: int, draws: int, seed: int, *, wide: float = 1.0, shift: float = 0.0, turned: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws (n, S, 2) of correlated posteriors of N(0, I) truths; truths; prior draws."""
    rng = np.random.default_rng(seed)
    precision = np.eye(2) + np.array([[4.0, 3.5], [3.5, 4.0]])  # prior + likelihood
    covariance = np.linalg.inv(precision)
    root = np.linalg.cholesky(covariance)
    # Truths given the data are the posterior; means have what is left of the prior's variance.
    spread = np.linalg.cholesky(np.eye(2) - covariance)
    mean = rng.standard_normal((n, 2)) @ spread.T
    truth = mean + rng.standard_normal((n, 2)) @ root.T
    if turned:
        root = root * np.array([[1.0, 1.0], [-1.0, 1.0]])  # same SDs, correlation of other sign
    z = shift + wide * rng.standard_normal((n, draws, 2))
    return mean[:, None] + z @ root.T, truth, rng.standard_normal((n, 2))


def run(n: int, draws: int, seed: int, **kind) -> Tarp:
    return tarp_coverage(*gaussian(n, draws, seed, **kind), scale=np.ones(2), seed=seed)


def test_right_posteriors_pass():
    found = run(4000, 63, 1)
    assert found.p_value > 0.01
    assert abs(found.area) < 3 * found.area_error
    assert np.abs((found.coverage - found.levels) / found.standard_error).max() < 4
    draws, truth, _ = gaussian(4000, 64, 1)
    near = tarp_coverage(draws[:, 1:], truth, draws[:, 0], scale=np.ones(2))
    assert near.p_value > 0.01
    assert abs(near.area) < 3 * near.area_error


@pytest.mark.parametrize("kind", [{"wide": 0.8}, {"shift": 0.5}])
def test_overconfident_and_biased_posteriors_are_caught(kind):
    found = run(4000, 63, 2, **kind)
    assert found.area < -4 * found.area_error
    assert found.p_value < 1e-4


def test_timid_posteriors_are_caught():
    found = run(4000, 63, 3, wide=1.3)
    assert found.area > 4 * found.area_error


def test_a_wrong_correlation_with_right_marginals_is_caught():
    draws, truth, references = gaussian(4000, 63, 4, turned=True)
    ranks = sbc_ranks(np.swapaxes(draws, 1, 2), truth, np.random.default_rng(0))
    assert uniformity(ranks, 16, draws=63)[1].min() > 0.01  # what marginals do not see
    assert tarp_coverage(draws, truth, references, scale=np.ones(2)).p_value < 0.01
    near = tarp_coverage(draws[:, 1:], truth, draws[:, 0], scale=np.ones(2))
    assert near.p_value < 1e-12


@pytest.mark.parametrize("wide", [1.0, 0.8, 1.5])
def test_area_is_that_of_the_closed_form(wide):
    # A far reference makes f = Phi(z / wide): E min(f, 1 - f) = arctan(wide) / pi.
    rng = np.random.default_rng(5)
    n, draws = 4000, 400
    truth = rng.standard_normal((n, 1))
    posterior = wide * rng.standard_normal((n, draws, 1))
    found = tarp_coverage(posterior, truth, np.full((n, 1), -1e6), scale=np.ones(1))
    assert found.area == pytest.approx(np.arctan(wide) / np.pi - 0.25, abs=4 * found.area_error)


def test_errors_are_those_of_uniform_values():
    found = run(3000, 31, 6)
    assert found.area_error == pytest.approx(1 / np.sqrt(48 * 3000), rel=0.2)
    expected = np.sqrt(found.levels * (1 - found.levels) / 3000)
    np.testing.assert_allclose(found.standard_error, expected, rtol=0.3)
    assert np.mean(found.standard_error / expected) == pytest.approx(1, abs=0.04)


def test_false_alarms_are_as_rare_as_they_say():
    found = [run(150, 7, 100 + i) for i in range(300)]
    z = np.array([f.area / f.area_error for f in found])
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.05, abs=0.045)
    assert z.std() == pytest.approx(1, abs=0.15)
    assert np.mean([f.p_value < 0.05 for f in found]) == pytest.approx(0.05, abs=0.045)


def test_units_do_not_matter_with_the_scale():
    draws, truth, references = gaussian(300, 15, 7)
    unit = np.array([1e3, 1e-2])
    plain = tarp_coverage(draws, truth, references, scale=np.ones(2))
    other = tarp_coverage(draws * unit, truth * unit, references * unit, scale=unit)
    np.testing.assert_array_equal(plain.coverage, other.coverage)
    assert plain.area == other.area


def test_ties_are_broken_evenly():
    # A posterior that is an atom at the truth is right.
    rng = np.random.default_rng(8)
    truth = rng.standard_normal((3000, 2))
    draws = np.repeat(truth[:, None], 15, axis=1)
    assert tarp_coverage(draws, truth, rng.standard_normal((3000, 2))).p_value > 0.01


def test_what_cannot_be_judged_is_refused():
    draws, truth, references = gaussian(20, 5, 9)
    with pytest.raises(InputError, match="expected \\(n, S, P\\)"):
        tarp_coverage(np.swapaxes(draws, 1, 2), truth, references)
    with pytest.raises(InputError, match="infinity"):
        tarp_coverage(draws, truth, np.full_like(truth, np.inf))
    with pytest.raises(InputError, match="scale"):
        tarp_coverage(draws, truth, references, scale=np.array([1.0, 0.0]))
