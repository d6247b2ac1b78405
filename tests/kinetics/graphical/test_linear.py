"""Lines against numpy, and their covariance against matrix algebra written out."""

from __future__ import annotations

import numpy as np
import torch

from betaplus.kinetics.graphical.linear import flat, propagate, regress, spread

N, P, T = 6, 3, 14


def problem(seed=0):
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(N, P, T)) + np.linspace(1, 5, T)
    values = rng.normal(size=(N, P))
    target = np.einsum("npt,np->nt", design, values) + 0.1 * rng.normal(size=(N, T))
    used = np.arange(T) >= rng.integers(0, 5, N)[:, None]
    return design, target, used, rng.uniform(0.5, 3, (N, T)), rng


def tensors(*arrays):
    return [torch.from_numpy(np.ascontiguousarray(a)) for a in arrays]


def test_equals_numpy():
    design, target, used, weight, _ = problem()
    line = regress(*tensors(design, target, used, weight))
    for i in range(N):
        u, root = used[i], np.sqrt(weight[i][used[i]])
        expected = np.linalg.lstsq(design[i][:, u].T * root[:, None], target[i][u] * root)[0]
        np.testing.assert_allclose(line.values[i], expected, rtol=1e-10)
        np.testing.assert_allclose(line.fitted[i], expected @ design[i], rtol=1e-10)
        assert (line.residual[i].numpy()[~u] == 0).all()
        assert line.frames[i] == u.sum()
    np.testing.assert_allclose((line.gain @ line.design.mT).numpy(), [np.eye(P)] * N, atol=1e-12)


def test_numbers_of_frames_that_are_not_used_do_not_matter():
    design, target, used, weight, _ = problem()
    spoilt = np.where(used, target, np.nan)
    one, other = (regress(*tensors(design, y, used, weight)) for y in (target, spoilt))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_allclose(flat(*tensors(spoilt, used))[:, 0], np.nanmean(spoilt, 1))


def test_reweighting_ends_where_weights_follow_the_line():
    design, target, used, _, _ = problem()
    ones = torch.ones(N, T, dtype=torch.float64)

    def weigh(line):
        return 1.0 / (1.0 + line.fitted * line.fitted)

    args = tensors(design, target, used)
    line = regress(*args, ones, weigh, 60)
    fixed = regress(*args, weigh(line))
    np.testing.assert_allclose(line.values, fixed.values, rtol=1e-8)
    assert not np.allclose(line.values, regress(*args, ones, weigh, 1).values, rtol=1e-4)


def test_regressors_that_depend_on_each_other_have_no_answer():
    design, target, used, weight, _ = problem()
    design[2, 2] = 2 * design[2, 0] - design[2, 1]
    values = regress(*tensors(design, target, used, weight)).values.numpy()
    assert np.isnan(values[2]).any()
    assert np.isfinite(np.delete(values, 2, 0)).all()


def test_textbook_covariance():
    design, target, used, shape, _ = problem()
    line = regress(*tensors(design, target, used, 1 / shape))
    noise = spread(line, torch.from_numpy(shape), None)
    known = spread(line, torch.from_numpy(shape), 2.0)
    for i in range(N):
        u = used[i]
        x, s = design[i][:, u], shape[i][u]
        inverse = np.linalg.inv((x / s) @ x.T)
        residual = target[i][u] - line.fitted[i].numpy()[u]
        level2 = np.sum(residual**2 / s) / (u.sum() - P)
        np.testing.assert_allclose(noise.covariance[i], level2 * inverse, rtol=1e-8)
        np.testing.assert_allclose(noise.level2[i], level2, rtol=1e-8)
        np.testing.assert_allclose(noise.chi2[i], 1.0)
        np.testing.assert_allclose(known.covariance[i], 4 * inverse, rtol=1e-8)
        np.testing.assert_allclose(known.chi2[i], level2 / 4, rtol=1e-8)


def test_weights_that_are_not_the_noise():
    """Unweighted lines through noise of two kinds: the sandwich, and the identity as a matrix."""
    design, target, used, shape, _ = problem()
    line = regress(*tensors(design, target, used, np.ones((N, T))))
    one = spread(line, torch.from_numpy(shape), None)
    eye = torch.eye(T, dtype=torch.float64).expand(N, -1, -1)
    other = spread(line, torch.from_numpy(shape), None, eye)
    np.testing.assert_allclose(one.level2, other.level2, rtol=1e-10)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-8)
    for i in range(N):
        x = design[i][:, used[i]]
        gain = np.linalg.inv(x @ x.T) @ x
        expected = float(one.level2[i]) * (gain * shape[i][used[i]]) @ gain.T
        np.testing.assert_allclose(one.covariance[i], expected, rtol=1e-8)


def test_noise_on_both_sides():
    design, target, used, shape, rng = problem()
    moves = np.eye(T) + np.tril(rng.normal(size=(N, T, T)))
    line = regress(*tensors(design, target, used, 1 / shape))
    noise = spread(line, *tensors(shape), None, *tensors(moves))
    for i in range(N):
        u = used[i]
        x, m, w = design[i][:, u], moves[i][u], np.diag(1 / shape[i][u])
        gain = np.linalg.inv(x @ w @ x.T) @ x @ w
        rest = (np.eye(u.sum()) - x.T @ gain) @ m
        s = np.diag(shape[i])
        residual = target[i][u] - line.fitted[i].numpy()[u]
        level2 = residual @ w @ residual / np.trace(w @ rest @ s @ rest.T)
        np.testing.assert_allclose(noise.level2[i], level2, rtol=1e-8)
        expected = level2 * gain @ m @ s @ m.T @ gain.T
        np.testing.assert_allclose(noise.covariance[i], expected, rtol=1e-7)


def test_propagation():
    rng = np.random.default_rng(1)
    slope, root = rng.normal(size=(N, 4, P)), rng.normal(size=(N, P, P))
    covariance = root @ root.transpose(0, 2, 1)
    expected = slope @ covariance @ slope.transpose(0, 2, 1)
    np.testing.assert_allclose(propagate(*tensors(slope, covariance)), expected, rtol=1e-10)
    shared = propagate(*tensors(slope[0], covariance))
    np.testing.assert_allclose(shared[0], expected[0], rtol=1e-10)


def test_too_few_frames_leave_the_level_open():
    design, target, used, shape, _ = problem()
    used[0] = np.arange(T) >= T - P
    line = regress(*tensors(design, target, used, 1 / shape))
    noise = spread(line, torch.from_numpy(shape), None)
    assert torch.isnan(noise.level2[0]) and torch.isnan(noise.covariance[0]).all()
    assert torch.isfinite(noise.level2[1:]).all()
    known = spread(line, torch.from_numpy(shape), 1.0)
    assert torch.isfinite(known.covariance[0]).all() and torch.isnan(known.chi2[0])
