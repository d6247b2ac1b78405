"""Batched Levenberg-Marquardt against closed forms, published optima and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from betaplus.physics.least_squares import (
    Fit,
    factor,
    forward_difference,
    levenberg_marquardt,
    ordered_sum,
)

DOUBLE = torch.float64
TIME = torch.linspace(0.1, 6.0, 25, dtype=DOUBLE)


def box(p, low=-torch.inf, high=torch.inf):
    return torch.full((p,), low, dtype=DOUBLE), torch.full((p,), high, dtype=DOUBLE)


def bi_exponential(values):
    a, alpha, b, beta = (v[:, None] for v in values.unbind(1))
    fast, slow = torch.exp(-alpha * TIME), torch.exp(-beta * TIME)
    by = torch.stack([fast, -a * TIME * fast, slow, -b * TIME * slow], 1)
    return a * fast + b * slow, by


def noisy_problems(n, seed=0, sd=0.03):
    rng = np.random.default_rng(seed)
    truth = rng.uniform([0.5, 1.5, 0.2, 0.02], [2.0, 4.0, 1.0, 0.6], (n, 4))
    clean = bi_exponential(torch.from_numpy(truth))[0].numpy()
    return torch.from_numpy(clean + sd * rng.standard_normal(clean.shape))


def bi_exponential_to(y):
    def function(values, problems):
        curve, jacobian = bi_exponential(values)
        return curve - y[problems], jacobian

    return function


BI_LOW = torch.tensor([0.0, 1.0, 0.0, 0.05], dtype=DOUBLE)
BI_HIGH = torch.tensor([1.8, 5.0, 3.0, 1.0], dtype=DOUBLE)
BI_START = torch.tensor([1.0, 2.0, 0.5, 0.2], dtype=DOUBLE)


def fit_bi_exponential(y, **options) -> Fit:
    start = BI_START.expand(len(y), 4)
    return levenberg_marquardt(bi_exponential_to(y), start, BI_LOW, BI_HIGH, **options)


@pytest.mark.parametrize("variance", [None, 0.04])
def test_linear_problems_have_a_closed_form(variance):
    generator = torch.Generator().manual_seed(3)
    design = torch.randn(30, 4, dtype=DOUBLE, generator=generator)
    y = torch.randn(7, 30, dtype=DOUBLE, generator=generator)

    def function(values, problems):
        jacobian = design.T.expand(len(values), -1, -1)
        return (values[:, None, :] * design).sum(-1) - y[problems], jacobian

    fit = levenberg_marquardt(function, torch.zeros(7, 4, dtype=DOUBLE), *box(4), variance=variance)
    expected = torch.linalg.lstsq(design, y.T).solution.T
    cost = ((expected @ design.T - y) ** 2).sum(1)
    size = cost / 26 if variance is None else torch.full((7,), variance, dtype=DOUBLE)
    torch.testing.assert_close(fit.values, expected, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(fit.cost, cost, rtol=1e-10, atol=0)
    inverse = torch.linalg.inv(design.T @ design)
    torch.testing.assert_close(fit.covariance, size[:, None, None] * inverse, rtol=1e-8, atol=1e-12)
    assert fit.converged.all() and not fit.held.any()


def rosenbrock(values, problems):
    x, y = values.unbind(1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    residuals = torch.stack([10 * (y - x * x), 1 - x], 1)
    return residuals, torch.stack(
        [torch.stack([-20 * x, -one], 1), torch.stack([10 * one, zero], 1)], 1
    )


def test_rosenbrock():
    start = torch.cartesian_prod(*[torch.linspace(-3, 3, 9, dtype=DOUBLE)] * 2)
    fit = levenberg_marquardt(rosenbrock, start, *box(2), max_iterations=200)
    assert fit.converged.all()
    torch.testing.assert_close(fit.values, torch.ones_like(start), rtol=1e-6, atol=0)


def test_rosenbrock_against_a_bound():
    start = torch.cartesian_prod(*[torch.linspace(-3, 3, 9, dtype=DOUBLE)] * 2)
    low, high = torch.tensor([-2.0, -5.0], dtype=DOUBLE), torch.tensor([0.5, 5.0], dtype=DOUBLE)
    fit = levenberg_marquardt(rosenbrock, start, low, high, max_iterations=200, variance=1.0)
    assert fit.converged.all()
    expected = torch.tensor([0.5, 0.25], dtype=DOUBLE).expand_as(start)
    torch.testing.assert_close(fit.values, expected, rtol=1e-7, atol=0)
    assert fit.held.tolist() == [[True, False]] * len(start)
    # given x, the residual 10 (y - x^2) has derivative 10: variance 1 / 100
    expected = torch.tensor([[0, 0], [0, 0.01]], dtype=DOUBLE).expand_as(fit.covariance)
    torch.testing.assert_close(fit.covariance, expected)


def brown_dennis(values, problems):
    t = torch.arange(1, 21, dtype=DOUBLE) / 5
    a, b, c, d = (v[:, None] for v in values.unbind(1))
    return (a + t * b - torch.exp(t)) ** 2 + (c + d * torch.sin(t) - torch.cos(t)) ** 2


def jennrich_sampson(values, problems):
    i = torch.arange(1, 11, dtype=DOUBLE)
    a, b = (v[:, None] for v in values.unbind(1))
    return 2 + 2 * i - (torch.exp(i * a) + torch.exp(i * b))


@pytest.mark.parametrize(
    ("residuals", "start", "optimum", "cost"),
    [
        (brown_dennis, [25.0, 5, -5, -1], [-11.5944, 13.2036, -0.403439, 0.236779], 85822.2),
        (jennrich_sampson, [0.3, 0.4], [0.257825, 0.257825], 124.362),
    ],
)
def test_large_residuals(residuals, start, optimum, cost):
    """Problems 16 and 6 of More, Garbow and Hillstrom (ACM TOMS 1981)."""
    start = torch.tensor([start], dtype=DOUBLE)
    fit = levenberg_marquardt(forward_difference(residuals), start, *box(start.shape[1]))
    assert fit.converged.all()
    assert fit.cost.item() == pytest.approx(cost, rel=5e-6)
    assert fit.values[0].tolist() == pytest.approx(optimum, rel=1e-3)


def test_equals_scipy_within_bounds():
    y = noisy_problems(60)
    fit = fit_bi_exponential(y)
    assert fit.converged.all()
    assert fit.held.any(1).sum() > 5, "the bounds are not tested"
    ours = bi_exponential_to(y)
    for i in range(len(y)):
        row = torch.tensor([i])

        def residual(v, row=row):
            return ours(torch.from_numpy(v)[None], row)[0][0].numpy()

        def jacobian(v, row=row):
            return ours(torch.from_numpy(v)[None], row)[1][0].T.numpy()

        theirs = least_squares(
            residual,
            BI_START.numpy(),
            jacobian,
            bounds=(BI_LOW.numpy(), BI_HIGH.numpy()),
            xtol=1e-13,
            ftol=1e-13,
            gtol=1e-13,
            max_nfev=2000,
        )
        assert fit.cost[i].item() <= 2 * theirs.cost * (1 + 1e-8)
        sd = fit.covariance[i].diagonal().sqrt().numpy()
        assert np.all(np.abs(fit.values[i].numpy() - theirs.x) <= 1e-3 * np.maximum(sd, 1e-3))
        free = ~fit.held[i].numpy()
        normal = jacobian(fit.values[i].numpy())[:, free]
        expected = np.linalg.inv(normal.T @ normal) * 2 * theirs.cost / (len(TIME) - free.sum())
        found = fit.covariance[i].numpy()
        np.testing.assert_allclose(found[np.ix_(free, free)], expected, rtol=1e-4)
        assert not found[~free].any() and not found[:, ~free].any()


def test_covariance_is_the_spread_of_estimates():
    truth = torch.tensor([[1.0, 2.5, 0.8, 0.3]], dtype=DOUBLE)
    rng = np.random.default_rng(5)
    y = bi_exponential(truth)[0].numpy() + 0.002 * rng.standard_normal((4000, len(TIME)))
    fit = fit_bi_exponential(torch.from_numpy(y))
    assert not fit.held.any()
    z = (fit.values - truth) / fit.covariance.diagonal(dim1=1, dim2=2).sqrt()
    # Student's t with 21 degrees of freedom
    assert z.std(0).tolist() == pytest.approx([np.sqrt(21 / 19)] * 4, rel=0.05)
    spread = torch.from_numpy(np.cov(fit.values.numpy().T))
    scale = spread.diagonal().sqrt()
    error = (fit.covariance.mean(0) - spread) / (scale[:, None] * scale)
    assert error.abs().max() < 0.08


def test_bits_do_not_depend_on_the_batch():
    y = noisy_problems(101, seed=2, sd=0.2)
    together = fit_bi_exponential(y)
    backwards = fit_bi_exponential(y.flip(0))
    for whole, turned in zip(together, backwards, strict=True):
        assert torch.equal(whole, turned.flip(0))
    for i in range(0, 101, 10):
        alone = fit_bi_exponential(y[i : i + 1])
        for whole, single in zip(together, alone, strict=True):
            assert torch.equal(whole[i : i + 1], single)


def test_forward_difference_matches_the_derivatives():
    y = noisy_problems(20)
    values = BI_LOW + (BI_HIGH - BI_LOW) * torch.rand(
        20, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(0)
    )
    problems = torch.arange(20)
    r, exact = bi_exponential_to(y)(values, problems)
    function = forward_difference(lambda v, p: bi_exponential_to(y)(v, p)[0])
    again, found = function(values, problems)
    torch.testing.assert_close(again, r, rtol=0, atol=0)
    torch.testing.assert_close(found, exact, rtol=1e-5, atol=2e-6)
    calls = []
    forward_difference(lambda v, p: calls.append(len(v)) or brown_dennis(v, p))(values, problems)
    assert calls == [100]


def test_what_the_data_leave_open_has_no_variance():
    """Two parameters of which only the sum counts, one that counts for nothing, one that does."""
    y = noisy_problems(1)[0]

    def function(values, problems):
        a, b, _, d = (v[:, None] for v in values.unbind(1))
        one = torch.ones(len(values), len(y), dtype=DOUBLE)
        return a + b + d * TIME - y, torch.stack([one, one, 0 * one, one * TIME], 1)

    start = torch.zeros(2, 4, dtype=DOUBLE)
    fit = levenberg_marquardt(function, start, *box(4), variance=1.0)
    line = torch.stack([torch.ones_like(TIME), TIME], 1)
    inverse = torch.linalg.inv(line.T @ line)
    torch.testing.assert_close(fit.values[0, :2].sum(), torch.linalg.lstsq(line, y).solution[0])
    covariance = fit.covariance[0]
    torch.testing.assert_close(covariance[:2, :2].sum(), inverse[0, 0], rtol=1e-6, atol=0)
    torch.testing.assert_close(covariance[3, 3], inverse[1, 1], rtol=1e-6, atol=0)
    assert covariance[2].abs().max() < 1e-12
    # the sum of both is known: so is neither's difference, to which no variance is given
    assert covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1] < 1e-9


def test_a_hopeless_problem_leaves_the_others_alone():
    y = noisy_problems(5)
    good = fit_bi_exponential(y)
    y[2, 3] = torch.nan
    fit = fit_bi_exponential(y)
    assert fit.converged.tolist() == [True, True, False, True, True]
    torch.testing.assert_close(fit.values[2], BI_START, rtol=0, atol=0)
    for i in (0, 1, 3, 4):
        assert torch.equal(fit.values[i], good.values[i])


def test_too_few_iterations_are_told():
    fit = fit_bi_exponential(noisy_problems(10), max_iterations=2)
    assert not fit.converged.any()


def test_ordered_sum_and_factor():
    x = torch.randn(6, 37, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(ordered_sum(x), x.sum(-1), rtol=1e-12, atol=1e-12)
    assert torch.equal(ordered_sum(x)[3:4], ordered_sum(x[3:4].clone()))
    matrix = x[:, :5, None] * x[:, None, :5] + torch.eye(5, dtype=DOUBLE)
    lower, regular = factor(matrix)
    torch.testing.assert_close(lower, torch.linalg.cholesky(matrix))
    assert regular.all()
    singular = x[:, :5, None] * x[:, None, :5]
    lower, regular = factor(singular, 1e-12)
    torch.testing.assert_close(lower @ lower.transpose(1, 2), singular, rtol=1e-6, atol=1e-9)
    assert not regular.any()
