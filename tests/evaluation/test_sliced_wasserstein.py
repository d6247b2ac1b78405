"""Wasserstein distances against closed forms, scipy and a linear programme."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import ndtri
from scipy.stats import wasserstein_distance

from betaplus.core.errors import InputError, UsageError
from betaplus.evaluation.sliced_wasserstein import sliced_wasserstein, wasserstein


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_order_1_is_scipys(rng):
    for n, m in ((30, 30), (17, 40), (1, 9)):
        a, b = rng.standard_normal(n), 2 + 3 * rng.standard_normal(m)
        u, v = rng.random(n), rng.random(m)
        assert wasserstein(a, b) == pytest.approx(wasserstein_distance(a, b), rel=1e-10)
        expected = wasserstein_distance(a, b, u, v)
        assert wasserstein(a, b, weights=u, reference_weights=v) == pytest.approx(expected)


@pytest.mark.parametrize("order", [1, 2])
def test_weighted_distance_is_the_cheapest_transport(rng, order):
    n, m = 7, 9
    a, b = rng.standard_normal(n), rng.standard_normal(m) + 1
    u, v = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    cost = np.abs(a[:, None] - b) ** order
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    plan = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.r_[u, v])
    found = wasserstein(a, b, weights=u, reference_weights=v, order=order)
    assert found == pytest.approx(plan.fun ** (1 / order), rel=1e-8)


def test_gaussians_of_one_dimension():
    # W2 = hypot(shift, s - 1); W1 of equal means is |s - 1| sqrt(2 / pi).
    z = ndtri((np.arange(40_000) + 0.5) / 40_000)
    assert wasserstein(1.5 * z + 0.7, z, order=2) == pytest.approx(np.hypot(0.7, 0.5), rel=1e-3)
    assert wasserstein(1.5 * z, z) == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=1e-3)
    assert wasserstein(z + 0.7, z) == pytest.approx(0.7, rel=1e-9)


@pytest.mark.parametrize(
    ("p", "order", "expected"), [(2, 1, 2 / np.pi), (3, 1, 0.5), (2, 2, 0.5**0.5), (3, 2, 3**-0.5)]
)
def test_shifted_samples_are_as_far_as_the_shift_projected(rng, p, order, expected):
    # |u_1| of a random direction: mean 2 / pi and 1 / 2, mean square 1 / P.
    b = rng.standard_normal((500, p))
    b = (b - b.mean(0)) / b.std(0)
    shift = np.zeros(p)
    shift[0] = 0.6
    found = sliced_wasserstein(b + shift, b, order=order, directions=4000)
    assert found == pytest.approx(0.6 * expected, rel=0.03)


def test_independent_samples_of_shifted_gaussians(rng):
    a, b = rng.standard_normal((4000, 4)), rng.standard_normal((4000, 4))
    a[:, 1] += 1.0
    assert sliced_wasserstein(a, b, order=2) == pytest.approx(0.5, rel=0.06)


def test_units_are_those_of_the_reference(rng):
    a, b = rng.standard_normal((300, 3)), rng.standard_normal((200, 3)) * [1, 2, 3]
    unit, origin = np.array([1e-3, 1.0, 1e4]), np.array([5.0, 0.0, -1e5])
    plain = sliced_wasserstein(a, b)
    assert sliced_wasserstein(unit * a + origin, unit * b + origin) == pytest.approx(plain)
    b = 3.0 * (b - b.mean(0)) / b.std(0)
    assert sliced_wasserstein(b[:, :1] + 6.0, b[:, :1]) == pytest.approx(2.0)


def test_weights_are_repetitions(rng):
    a, b = rng.standard_normal((40, 2)), rng.standard_normal((30, 2))
    times, again = rng.integers(0, 5, 40), rng.integers(1, 4, 30)
    expected = sliced_wasserstein(np.repeat(a, times, axis=0), np.repeat(b, again, axis=0))
    found = sliced_wasserstein(a, b, weights=1.0 * times, reference_weights=10.0 * again)
    assert found == pytest.approx(expected, rel=1e-9)


def test_it_is_zero_for_a_sample_and_itself_and_of_the_stated_size_for_its_like(rng):
    b = rng.standard_normal((1500, 3))
    # E W1 = sqrt(2 / pi (1/n + 1/m)) x integral of sqrt(Phi (1 - Phi)) = 1.29 sqrt(1/n + 1/m).
    assert sliced_wasserstein(b[::-1], b) == pytest.approx(0, abs=1e-12)
    pairs = [(rng.standard_normal((500, 3)), rng.standard_normal((1500, 3))) for _ in range(20)]
    like = [sliced_wasserstein(*pair, directions=64) for pair in pairs]
    assert np.mean(like) == pytest.approx(1.29 * np.sqrt(1 / 500 + 1 / 1500), rel=0.1)


def test_a_wrong_correlation_is_seen(rng):
    b = rng.standard_normal((3000, 2))
    turned = np.stack([b[:, 0], 0.9 * b[:, 0] + np.sqrt(0.19) * b[:, 1]], axis=1)
    assert sliced_wasserstein(turned, b) > 0.2
    assert wasserstein(turned[:, 1], b[:, 1]) < 0.06


def test_what_has_no_distance_is_refused(rng):
    a = rng.standard_normal((10, 2))
    with pytest.raises(InputError, match="expected \\(n, P\\)"):
        sliced_wasserstein(a, a[:, :1])
    with pytest.raises(InputError, match="infinity"):
        sliced_wasserstein(a, a * np.nan)
    with pytest.raises(InputError, match="does not vary"):
        sliced_wasserstein(a, np.ones((5, 2)))
    with pytest.raises(InputError, match="weights"):
        sliced_wasserstein(a, a, weights=-np.ones(10))
    with pytest.raises(UsageError, match="order 3"):
        wasserstein(a[:, 0], a[:, 1], order=3)
