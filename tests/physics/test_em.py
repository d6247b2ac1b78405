"""EM and MAP-EM updates on a small dense system, and the likelihood against scipy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from betaplus.core.errors import InputError
from betaplus.physics import em as module
from betaplus.physics.em import em_update, map_em_update, poisson_log_likelihood, ratio
from betaplus.physics.priors.patch import PatchPrior

SHAPE = (5, 4, 3)


class System(NamedTuple):
    matrix: np.ndarray
    background: np.ndarray
    prompts: np.ndarray

    def expected(self, x: np.ndarray) -> np.ndarray:
        return self.matrix @ x.ravel().astype(np.float64) + self.background

    @property
    def sensitivity(self) -> np.ndarray:
        return self.matrix.sum(axis=0).reshape(SHAPE)

    def em(self, x: np.ndarray) -> np.ndarray:
        back = self.matrix.T @ (self.prompts / self.expected(x))
        return em_update(x, back.reshape(SHAPE), self.sensitivity)


def _system(seed: int, counts: float = 20.0, background: float = 0.3) -> System:
    rng = np.random.default_rng(seed)
    matrix = rng.random((90, 60)) * (rng.random((90, 60)) > 0.7)
    truth = rng.gamma(0.5, 2.0, 60) * (rng.random(60) > 0.3)
    mean = matrix @ truth
    mean *= counts / mean.mean()
    matrix *= counts / (matrix @ truth).mean()
    additive = np.full(90, background * counts)
    return System(matrix, additive, rng.poisson(mean + additive).astype(np.float64))


def _penalised(system: System, prior: PatchPrior, beta: float, x: np.ndarray) -> float:
    data = poisson_log_likelihood(system.prompts, system.expected(x))
    return data - beta * prior.value(x)


def _map_em(system: System, prior: PatchPrior, beta: float, x: np.ndarray) -> np.ndarray:
    regular, weight = prior.surrogate(x)
    return map_em_update(system.em(x), system.sensitivity, weight, regular, beta)


@pytest.mark.parametrize("beta", [0.0, 1e-3, 1.0, 50.0, 1e4])
@pytest.mark.parametrize("delta", [0.01, 0.5, 20.0])
@pytest.mark.parametrize("patch", [1, 3])
def test_map_em_never_decreases(beta: float, delta: float, patch: int) -> None:
    prior = PatchPrior(delta=delta, patch=patch)
    for seed in range(3):
        system = _system(seed)
        x = np.random.default_rng(seed + 10).gamma(1.0, 2.0, SHAPE).astype(np.float32)
        before = _penalised(system, prior, beta, x)
        first = before
        for _ in range(50):
            x = _map_em(system, prior, beta, x)
            after = _penalised(system, prior, beta, x)
            # the image is rounded to single precision after each step
            assert after >= before - 1e-6 * (1 + beta * prior.value(x) + abs(after))
            before = after
        assert before > first + 1


def test_a_surrogate_too_flat_would_be_noticed() -> None:
    """A quarter of the curvature breaks the promise: the monotony above is no accident."""
    prior = PatchPrior(delta=20.0, patch=1)
    system, beta = _system(0), 1e4
    x = (1.0 + 0.5 * (-1.0) ** np.indices(SHAPE).sum(axis=0)).astype(np.float32)
    regular, weight = prior.surrogate(x)
    flat = weight / 4
    wrong = map_em_update(system.em(x), system.sensitivity, flat, x - 4 * (x - regular), beta)
    right = _map_em(system, prior, beta, x)
    assert _penalised(system, prior, beta, wrong) < _penalised(system, prior, beta, x)
    assert _penalised(system, prior, beta, right) > _penalised(system, prior, beta, x)


def test_fixed_point_satisfies_the_optimality_conditions() -> None:
    prior, beta, system = PatchPrior(delta=1.0), 30.0, _system(4, counts=200.0)
    x = np.ones(SHAPE, np.float32)
    for _ in range(4000):
        x = _map_em(system, prior, beta, x)
    slope = (system.matrix.T @ (system.prompts / system.expected(x) - 1)).reshape(SHAPE)
    slope -= beta * prior.gradient(x)
    slope /= system.sensitivity
    assert x.min() >= 0
    assert np.abs(slope[x > 1e-2]).max() < 1e-3
    assert slope.max() < 1e-3
    assert np.abs(x * slope).max() < 1e-4

    def cost(values: np.ndarray) -> float:
        return -_penalised(system, prior, beta, values.reshape(SHAPE))

    found = scipy.optimize.minimize(
        cost, np.ones(60), bounds=[(0, None)] * 60, method="L-BFGS-B", options={"maxfun": 30000}
    )
    assert _penalised(system, prior, beta, x) >= -found.fun - 1e-3


def test_beta_to_zero_gives_em() -> None:
    system, prior = _system(2), PatchPrior(delta=0.1)
    x = np.random.default_rng(0).gamma(1.0, 2.0, SHAPE).astype(np.float32)
    regular, weight = prior.surrogate(x)
    plain = system.em(x)
    none = map_em_update(plain, system.sensitivity, weight, regular, 0.0)
    np.testing.assert_array_equal(none, plain)
    for beta in (1e-30, 1e-12, 1e-8):
        little = map_em_update(plain, system.sensitivity, weight, regular, beta)
        np.testing.assert_allclose(little, plain, rtol=1e-6)


def test_quadratic_root_against_the_surrogate() -> None:
    """The update maximises the surrogate: checked by a search, from no pull to nearly all of it."""
    rng = np.random.default_rng(8)
    n = 60
    em = rng.gamma(1.0, 3.0, n) * (rng.random(n) > 0.3)
    s, w, regular = rng.uniform(0.1, 3, n), 10.0 ** rng.uniform(-6, 6, n), rng.gamma(1.0, 3.0, n)
    x = map_em_update(em, s, w, regular, 1.0)
    assert (x >= 0).all()
    for i in range(n):

        def slope(value: float, i: int = i) -> float:
            return s[i] * (em[i] / value - 1) - w[i] * (value - regular[i])

        low, high = 1e-12, max(em[i], regular[i]) + 1
        root = 0.0 if slope(low) <= 0 else scipy.optimize.brentq(slope, low, high, xtol=1e-15)
        assert x[i] == pytest.approx(root, rel=2e-6, abs=1e-9)


def test_special_voxels() -> None:
    em, s = np.array([0.0, 0.0, 0.0, 0.0, 2.0]), np.array([1.0, 1.0, 0.0, 0.0, 1.0])
    w, regular = np.array([0.1, 10.0, 1.0, 0.0, 0.0]), np.array([3.0, 3.0, 3.0, 3.0, 3.0])
    x = map_em_update(em, s, w, regular, 1.0)
    np.testing.assert_allclose(x, [0.0, 2.9, 3.0, 0.0, 2.0], rtol=1e-6)


def test_em_update_keeps_counts_and_skips_unseen_voxels() -> None:
    system = _system(1, background=0.0)
    x = system.em(np.ones(SHAPE, np.float32))
    assert x.dtype == np.float32
    assert (x * system.sensitivity).sum() == pytest.approx(system.prompts.sum(), rel=1e-6)
    unseen = system.sensitivity.copy()
    unseen[0] = 0
    out = em_update(np.ones(SHAPE, np.float32), np.ones(SHAPE), unseen)
    assert not out[0].any()
    np.testing.assert_allclose(out[1:], 1 / unseen[1:], rtol=1e-6)


def test_likelihood_against_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    mean = rng.gamma(0.5, 4.0, (30, 7, 11)).astype(np.float32)
    prompts = rng.poisson(mean).astype(np.uint16)
    constant = float(scipy.special.gammaln(prompts + 1.0).sum())
    expected = float(scipy.stats.poisson.logpmf(prompts, mean.astype(np.float64)).sum())
    assert poisson_log_likelihood(prompts, mean) - constant == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(module, "_BLOCK", 200)
    assert poisson_log_likelihood(prompts, mean) - constant == pytest.approx(expected, rel=1e-12)
    subset = poisson_log_likelihood(prompts[1::3], mean[1::3])
    expected = float(scipy.stats.poisson.logpmf(prompts[1::3], mean[1::3].astype(float)).sum())
    constant = float(scipy.special.gammaln(prompts[1::3] + 1.0).sum())
    assert subset - constant == pytest.approx(expected, rel=1e-12)


def test_bins_with_nothing_expected() -> None:
    mean = np.array([[0.0, 2.0]])
    assert poisson_log_likelihood(np.array([[0, 3]]), mean) == pytest.approx(3 * np.log(2) - 2)
    assert poisson_log_likelihood(np.array([[1, 3]]), mean) == -np.inf
    np.testing.assert_array_equal(ratio(np.array([[5, 3]]), mean), [[0, 1.5]])
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="expected counts"):
            poisson_log_likelihood(np.array([[1, 3]]), np.array([[bad, 1.0]]))


def test_ratio_in_place_and_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 50)
    rng = np.random.default_rng(1)
    mean = (rng.gamma(1.0, 2.0, (9, 20)) * (rng.random((9, 20)) > 0.2)).astype(np.float32)
    prompts = rng.poisson(mean).astype(np.int32)
    expected = np.where(mean > 0, prompts / np.where(mean > 0, mean, 1), 0)
    np.testing.assert_allclose(ratio(prompts, mean), expected, rtol=1e-6)
    result = ratio(prompts, mean, out=mean)
    assert result is mean
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_shapes_must_agree() -> None:
    with pytest.raises(InputError, match="prompts of shape"):
        ratio(np.ones(3), np.ones(4))
    with pytest.raises(InputError, match="weight of shape"):
        map_em_update(np.ones(3), np.ones(3), np.ones(2), np.ones(3), 1.0)
