"""Joint total variation against a general solver."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from tests.patlak import toy

from betaplus.core.errors import UsageError
from betaplus.patlak.linear import Nnls, Wls
from betaplus.patlak.noise_map import noise_correlation, noise_map
from betaplus.patlak.smoothed import Gaussian
from betaplus.patlak.tv import Tv


@pytest.fixture(scope="module")
def noisy() -> toy.Toy:
    return toy.make(32, 0.18)


def _objective(t: toy.Toy, strength: float, coupled: bool, blunt: float):
    """What `tv` says it minimises, from its definition: a function of u in the mask, smoothed."""
    p = t.problem
    inside = p.mask.numpy()
    s2 = noise_map(p, fwhm=50.0, exponent=0.0).numpy()[inside]
    length = noise_correlation(p, noise_map(p)).length
    m = p.normal[..., 0].numpy()
    unit = np.sqrt(np.diag(np.linalg.inv(m)))
    hat = p.least_squares().double().numpy()[:, inside]
    if not coupled:
        m = np.diag(1.0 / unit**2)
    index = np.full(inside.shape, -1)
    index[inside] = np.arange(inside.sum())
    pairs = []
    for axis in range(3):
        other = np.roll(index, -1, axis)
        np.moveaxis(other, axis, 0)[-1] = -1
        pairs.append((index[inside], other[inside]))

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        u = flat.reshape(2, -1)
        d = m @ (u - hat)
        total = float((0.5 * (u - hat) * d / s2).sum())
        slope = d / s2
        steps = np.zeros((2, 3, u.shape[1]))
        for axis, (a, b) in enumerate(pairs):
            steps[:, axis] = np.where(b >= 0, u[:, b] - u[:, a], 0.0) * length / p.voxel[axis]
        steps /= unit[:, None, None]
        squares = (steps**2).sum((0, 1), keepdims=True)
        if not coupled:
            squares = (steps**2).sum(1, keepdims=True)
        root = np.sqrt(squares + blunt**2)
        dear = strength / np.sqrt(s2)
        total += float((dear * (root - blunt)).sum())
        pull = dear * steps / root / unit[:, None, None]
        for axis, (a, b) in enumerate(pairs):
            there = b >= 0
            for i in range(2):
                part = pull[i, axis, there] * length / p.voxel[axis]
                np.add.at(slope[i], b[there], part)
                np.add.at(slope[i], a[there], -part)
        return total, slope.ravel()

    return value, inside


@pytest.mark.parametrize("coupled", [True, False])
def test_the_least_is_that_of_a_general_solver(coupled: bool) -> None:
    t = toy.make(8, 0.3, filtered=0.0, seed=3)
    t = dataclasses.replace(t, problem=dataclasses.replace(t.problem, voxel=(3.0, 4.0, 5.0)))
    settings = Tv.Settings(strength=0.4, coupled=coupled, tolerance=1e-7, iterations=20_000)
    maps = Tv(settings).fit(t.problem)
    inside = t.problem.mask.numpy()
    found = maps.u.double().numpy()[:, inside].ravel()
    x = found * 0 + 0.5
    for blunt in (1e-1, 1e-2, 1e-3, 1e-4):
        value, _ = _objective(t, 0.4, coupled, blunt)
        far = {"maxiter": 3000, "maxfun": 4000, "ftol": 1e-14, "gtol": 1e-10}
        bounds = [(0, None)] * x.size
        x = minimize(value, x, jac=True, method="L-BFGS-B", bounds=bounds, options=far).x
    exact, _ = _objective(t, 0.4, coupled, 1e-12)
    assert found.min() >= 0.0
    assert exact(found)[0] <= exact(x)[0] * (1 + 1e-4)
    np.testing.assert_allclose(found, x, atol=0.02 * np.abs(x).max())
    assert maps.found["gap"] <= 1e-5


def test_the_gap_is_of_the_least_that_there_is(noisy: toy.Toy) -> None:
    value, inside = _objective(noisy, 0.45, True, 1e-12)
    rough, fine = (
        Tv(Tv.Settings(strength=0.45, tolerance=x, iterations=5000)).fit(noisy.problem)
        for x in (3e-3, 1e-6)
    )
    high, low = (value(m.u.double().numpy()[:, inside].ravel())[0] for m in (rough, fine))
    assert 0.0 <= (high - low) / high <= rough.found["gap"]


def test_no_strength_is_nnls(noisy: toy.Toy) -> None:
    u = Tv(Tv.Settings(strength=0.0)).fit(noisy.problem).u
    np.testing.assert_allclose(u.numpy(), Nnls().fit(noisy.problem).u.numpy(), atol=2e-3)


def test_much_strength_leaves_one_value(noisy: toy.Toy) -> None:
    u = Tv(Tv.Settings(strength=100.0, iterations=3000, tolerance=1e-6)).fit(noisy.problem).u
    inside = u[:, noisy.problem.mask]
    assert float(inside.std(1).max()) < 0.05 * float(inside.mean())


def test_results_scale_with_the_frames() -> None:
    one, ten = (Tv().fit(toy.make(24, gain=k).problem).u for k in (1.0, 10.0))
    np.testing.assert_allclose(ten.numpy() / 10.0, one.numpy(), atol=2e-3)


def test_the_best_strength_holds_over_doses() -> None:
    grid = (0.15, 0.3, 0.6, 1.2)
    for level in toy.LEVELS:
        t = toy.make(32, level)
        errors = [toy.ki_error(t, Tv(Tv.Settings(strength=x)).fit(t.problem).u) for x in grid]
        assert grid[int(np.argmin(errors))] in (0.3, 0.6)


def test_it_beats_the_gaussian_keeps_lesions_and_gains_by_coupling(noisy: toy.Toy) -> None:
    joint, apart = (Tv(Tv.Settings(coupled=c)).fit(noisy.problem).u for c in (True, False))
    wide, plain = (m().fit(noisy.problem).u for m in (Gaussian, Wls))
    errors = [toy.ki_error(noisy, u) for u in (joint, apart, wide, plain)]
    assert errors == sorted(errors)
    assert errors[0] < 0.7 * errors[2]
    assert toy.lesion_recovery(noisy, joint) > 0.75


def test_threads_change_nothing(noisy: toy.Toy) -> None:
    one, two = (Tv().fit(noisy.problem, threads=n).u for n in (1, 2))
    assert torch.equal(one, two)


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match="strength is -1"):
        Tv.Settings(strength=-1.0)
    with pytest.raises(UsageError, match="iterations is 0"):
        Tv.Settings(iterations=0)
