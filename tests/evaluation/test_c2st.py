"""Classifiers against the best possible accuracy, 1/2 + half the total variation distance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import ndtr
from scipy.stats import multivariate_normal, norm

from betaplus.core.errors import InputError, UsageError
from betaplus.evaluation.c2st import c2st


def normals(n: int, p: int, seed: int, shift: float = 0.0) -> np.ndarray:
    out = np.random.default_rng(seed).standard_normal((n, p))
    out[:, 0] += shift
    return out


@pytest.mark.parametrize("classifier", ["network", "quadratic"])
@pytest.mark.parametrize("distance", [0.0, 0.5, 1.5])
def test_shifted_gaussians_are_told_apart_as_well_as_can_be(classifier, distance):
    a, b = normals(1500, 5, 1), normals(1500, 5, 2, distance)
    found = c2st(a, b, classifier=classifier)
    # Accuracy is at most Phi(d / 2) but for chance; what learning costs is about a point.
    best = ndtr(distance / 2)
    assert best - 3 * found.standard_error - 0.01 < found.accuracy
    assert found.accuracy < best + 3 * found.standard_error
    expected = np.sqrt(best * (1 - best) / 3000)
    assert found.standard_error == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("classifier", ["network", "quadratic"])
def test_a_wrong_correlation_is_seen(classifier):
    correlated = multivariate_normal(cov=[[1, 0.8], [0.8, 1]])
    plain = multivariate_normal(cov=np.eye(2))
    gap = dblquad(
        lambda x, y: abs(correlated.pdf([x, y]) - plain.pdf([x, y])), -6, 6, -6, 6, epsabs=1e-3
    )[0]
    b = correlated.rvs(2000, random_state=3)
    found = c2st(normals(2000, 2, 4), b, classifier=classifier)
    assert found.accuracy == pytest.approx(0.5 + gap / 4, abs=0.03)


def test_the_network_sees_what_second_moments_do_not():
    # Two bumps of SD .5 with mean 0 and variance 1.
    rng = np.random.default_rng(5)
    sign = rng.choice([-1.0, 1.0], 1500)
    bumps = (np.sqrt(0.75) * sign + 0.5 * rng.standard_normal(1500))[:, None]
    plain = rng.standard_normal((1500, 1))
    middle = np.sqrt(0.75)

    def gap(x: float) -> float:
        two = norm.pdf(x, middle, 0.5) + norm.pdf(x, -middle, 0.5)
        return abs(two / 2 - norm.pdf(x))

    best = 0.5 + quad(gap, -8, 8, limit=200)[0] / 4
    assert best > 0.58
    assert c2st(plain, bumps).accuracy == pytest.approx(best, abs=0.03)
    assert c2st(plain, bumps, classifier="quadratic").accuracy < 0.53


@pytest.mark.parametrize(
    ("classifier", "n", "repeats"), [("quadratic", 400, 60), ("network", 90, 12)]
)
def test_equal_samples_are_not_told_apart(classifier, n, repeats):
    z = []
    for seed in range(repeats):
        a, b = normals(n, 3, 2 * seed + 50), normals(n, 3, 2 * seed + 51)
        found = c2st(a, b, seed=seed, classifier=classifier)
        z.append((found.accuracy - 0.5) / found.standard_error)
    # Folds share their training draws: the spread is a little above binomial.
    assert abs(np.mean(z)) < 0.3 + 3.5 / np.sqrt(repeats)
    assert 0.5 < np.std(z) < 1.7


def test_unequal_sizes_do_not_matter():
    a, b = normals(500, 2, 6), normals(2500, 2, 7, 1.0)
    for classifier in ("network", "quadratic"):
        found = c2st(a, b, classifier=classifier)
        assert found.accuracy == pytest.approx(ndtr(0.5), abs=4 * found.standard_error)
        assert c2st(a, normals(2500, 2, 8), classifier=classifier).accuracy < 0.55


@pytest.mark.parametrize("classifier", ["network", "quadratic"])
def test_the_same_seed_gives_the_same_result_in_any_unit(classifier):
    import torch

    a, b = normals(200, 3, 9), normals(200, 3, 10, 0.5)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        first = c2st(a, b, seed=1, classifier=classifier)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    torch.manual_seed(123)
    assert c2st(a, b, seed=1, classifier=classifier) == first
    unit = np.array([1024.0, 0.125, 1.0])
    scaled = c2st(a * unit, b * unit, seed=1, classifier=classifier)
    assert scaled == first


def test_a_parameter_that_does_not_vary_is_no_obstacle():
    a, b = normals(400, 2, 11), normals(400, 2, 12, 2.0)
    a[:, 1] = b[:, 1] = 0.0
    for classifier in ("network", "quadratic"):
        assert c2st(a, b, classifier=classifier).accuracy == pytest.approx(ndtr(1), abs=0.05)


def test_what_cannot_be_classified_is_refused():
    a = normals(100, 2, 13)
    with pytest.raises(InputError, match="expected \\(n, P\\)"):
        c2st(a, a[:, :1])
    with pytest.raises(InputError, match="infinity"):
        c2st(a, np.full_like(a, np.nan))
    with pytest.raises(InputError, match="at least 30"):
        c2st(a, a[:20])
    with pytest.raises(UsageError, match="folds"):
        c2st(a, a, folds=1)
    with pytest.raises(UsageError, match="forest"):
        c2st(a, a, classifier="forest")
